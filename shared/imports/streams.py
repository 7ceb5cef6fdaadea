"""The bytes of an object from an offset on, packed or not, one bounded block at a time."""

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Protocol

# The size of one request to S3.
BLOCK = 4 * 1024 * 1024
# Every run reads a packed object from its beginning, so its size has a limit.
MAX_UNPACKED = 1024**3

# (offset, size) to bytes; fewer than `size` only at the end of the object.
Fetch = Callable[[int, int], bytes]


class UnreadableObjectError(Exception):
    """The object does not have the format of its name. The message is for its owner."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Fetched(io.RawIOBase):
    """The bytes of `fetch` as a raw stream; `io.BufferedReader` reads it by blocks."""

    def __init__(self, fetch: Fetch, offset: int) -> None:
        super().__init__()
        self._fetch = fetch
        self._offset = offset
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview[int]") -> int:  # type: ignore[override]
        block = b"" if self._is_at_end else self._fetch(self._offset, len(buffer))
        buffer[: len(block)] = block
        self._offset += len(block)
        self._is_at_end = len(block) < len(buffer)
        return len(block)


class Unpacked:
    """A gzip stream from `offset` unpacked bytes on.

    Raises UnreadableObjectError if it is damaged.
    """

    def __init__(self, packed: io.BufferedReader, offset: int, limit: int) -> None:
        self._stream = gzip.GzipFile(fileobj=packed)
        self._offset = offset
        self._limit = limit

    def read(self, size: int, /) -> bytes:
        try:
            self._stream.seek(self._offset)
            block = self._stream.read(min(size, self._limit - self._offset + 1))
        except (gzip.BadGzipFile, zlib.error, EOFError):
            raise UnreadableObjectError("The object is damaged or no gzip.") from None
        self._offset += len(block)
        if self._offset > self._limit:
            raise UnreadableObjectError(
                f"The object unpacks to more than {self._limit} bytes. Split it."
            )
        return block


def plain(fetch: Fetch, offset: int) -> Stream:
    return io.BufferedReader(Fetched(fetch, offset), BLOCK)


def unpacked(fetch: Fetch, offset: int, limit: int = MAX_UNPACKED) -> Stream:
    return Unpacked(io.BufferedReader(Fetched(fetch, 0), BLOCK), offset, limit)
