import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.imports.lines import BLOCK, Line, Position, lines

LIMIT = 20
# Short blocks of what matters: ends, a mark at the beginning, lines around the limit.
PIECES = st.sampled_from([b"\n", b"\r\n", b"a", b"{}", b" ", b"\xff", b"x" * 19, b"x" * 70])
TEXTS = st.lists(PIECES, max_size=30).map(b"".join)


def read(text: bytes, start: Position | None = None, limit: int = LIMIT) -> list[Line]:
    start = start or Position()
    stream = io.BytesIO(text)
    stream.seek(start.offset)
    return list(lines(lambda size: stream.read(min(size, 16)), start, limit))


def contents(text: bytes) -> list[bytes | None]:
    return [line.content for line in read(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\nb", [b"a", b"b"]),
        (b"a\r\nb\r\n", [b"a", b"b"]),
        (b"\n\na", [b"", b"", b"a"]),
        (b" a \t\n  \n", [b"a", b""]),
        (b"\xef\xbb\xbfa\nb", [b"a", b"b"]),
        (b"\xef\xbb\xbf", [b""]),
        (b"a\n\xef\xbb\xbfb", [b"a", b"\xef\xbb\xbfb"]),
        (b"x" * LIMIT + b"\na", [b"x" * LIMIT, b"a"]),
        (b"x" * (LIMIT + 1) + b"\na", [None, b"a"]),
    ],
)
def test_lines_come_without_their_ends(text: bytes, expected: list[bytes | None]) -> None:
    assert contents(text) == expected


def test_a_line_that_is_too_long_is_said_once_and_passed_over_in_parts() -> None:
    found = read(b"a\n" + b"x" * 200 + b"\nb\n")

    assert [line.content for line in found if line.content != b""] == [b"a", None, b"b"]
    assert {line.number for line in found if line.content in (None, b"")} == {2}
    assert found[-1].number == 3


def test_an_endless_line_is_not_held() -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * BLOCK

    blocks = endless()
    found = lines(lambda _: next(blocks, b""), Position(), 4 * BLOCK)

    assert next(found).content is None
    assert sum(1 for _ in found) == pytest.approx(1000 / 5, abs=2)


@given(TEXTS)
def test_lines_are_those_of_the_text_by_their_numbers(text: bytes) -> None:
    said = {line.number: line.content for line in reversed(read(text))}

    for number, content in enumerate(text.split(b"\n"), 1):
        if number in said:
            assert said[number] == (None if len(content) > LIMIT else content.strip())
        else:
            assert content == b""


@given(TEXTS, st.data())
def test_another_run_goes_on_from_any_line(text: bytes, data: st.DataObject) -> None:
    whole = read(text)
    done = data.draw(st.integers(0, len(whole)))
    start = whole[done - 1].after if done else Position()

    rest = read(text, start)

    kept = [line for line in whole[:done] + rest if line.content != b""]
    assert [(line.number, line.content) for line in kept] == [
        (line.number, line.content) for line in whole if line.content != b""
    ]


@given(TEXTS)
def test_the_last_position_is_the_end(text: bytes) -> None:
    found = read(text)

    assert (found[-1].after.offset if found else 0) == len(text)
