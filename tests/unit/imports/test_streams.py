import gzip
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.imports import streams
from shared.imports.streams import BLOCK, Fetched, Stream, UnreadableObjectError

LIMIT = 1_000_000


class Object:
    """An object in a bucket, as it is fetched."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.fetched: list[tuple[int, int]] = []

    def fetch(self, offset: int, size: int) -> bytes:
        self.fetched.append((offset, size))
        return self.content[offset : offset + size]


def everything(stream: Stream) -> bytes:
    return b"".join(iter(lambda: stream.read(1000), b""))


def test_an_object_is_fetched_block_by_block() -> None:
    kept = Object(b"x" * (BLOCK + 5))

    stream = streams.plain(kept.fetch, 0)

    assert everything(stream) == kept.content
    assert kept.fetched == [(0, BLOCK), (BLOCK, BLOCK)]


def test_what_is_fetched_is_a_stream_for_any_reader() -> None:
    assert io.BufferedReader(Fetched(Object(b"a\nb").fetch, 0)).readlines() == [b"a\n", b"b"]


@given(st.binary(max_size=3000), st.integers(0, 3000))
def test_an_object_can_be_read_from_any_place(content: bytes, offset: int) -> None:
    kept, packed = Object(content), Object(gzip.compress(content))

    assert everything(streams.plain(kept.fetch, offset)) == content[offset:]
    if offset <= len(content):
        assert everything(streams.unpacked(packed.fetch, offset, LIMIT)) == content[offset:]


def test_packed_parts_in_a_row_are_one() -> None:
    packed = Object(gzip.compress(b"a") + gzip.compress(b"b"))

    assert everything(streams.unpacked(packed.fetch, 0)) == b"ab"


@pytest.mark.parametrize(
    "content", [b"text", gzip.compress(b"text", mtime=0)[:-1], b"\x1f\x8b\x08"]
)
def test_what_is_no_gzip_says_so(content: bytes) -> None:
    with pytest.raises(UnreadableObjectError, match="gzip"):
        everything(streams.unpacked(Object(content).fetch, 0))


@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_damaged_object_is_unreadable_or_read(junk: bytes, place: int) -> None:
    good = gzip.compress(b"some lines\n" * 50, mtime=0)

    with suppress(UnreadableObjectError):
        everything(streams.unpacked(Object(good[:place] + junk + good[place:]).fetch, 0))


@pytest.mark.parametrize(("size", "bursts"), [(LIMIT, False), (LIMIT + 1, True)])
def test_an_object_unpacks_to_so_many_bytes(size: int, bursts: bool) -> None:
    stream = streams.unpacked(Object(gzip.compress(b"\0" * size)).fetch, 0, LIMIT)

    if bursts:
        with pytest.raises(UnreadableObjectError, match="more than 1000000 bytes"):
            everything(stream)
    else:
        assert len(everything(stream)) == LIMIT
