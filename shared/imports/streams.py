"""Bytes of an object from a place on, whether it is packed or not, a bounded part at a time."""

import gzip
import io
import zlib
from collections.abc import Callable
from typing import Protocol

# What a request to S3 brings.
BLOCK = 4 * 1024 * 1024
# A packed object is read from its beginning by every run, so its size must have an end.
MAX_UNPACKED = 1024**3

# So many bytes from an offset on; fewer only at the end.
Fetch = Callable[[int, int], bytes]


class UnreadableError(Exception):
    """An object is not what its name says; the message is for who uploaded it."""


class Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Fetched(io.RawIOBase):
    """What `fetch` brings, as a raw stream; `io.BufferedReader` asks for a block at a time."""

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
    """A gzip stream from `offset` unpacked bytes on. Raises UnreadableError where it is damaged."""

    def __init__(self, packed: io.BufferedReader, offset: int, limit: int) -> None:
        self._stream = gzip.GzipFile(fileobj=packed)
        self._offset = offset
        self._limit = limit

    def read(self, size: int, /) -> bytes:
        try:
            self._stream.seek(self._offset)
            block = self._stream.read(min(size, self._limit - self._offset + 1))
        except (gzip.BadGzipFile, zlib.error, EOFError):
            raise UnreadableError("The object is damaged or no gzip.") from None
        self._offset += len(block)
        if self._offset > self._limit:
            raise UnreadableError(f"The object unpacks to more than {self._limit} bytes. Split it.")
        return block


def plain(fetch: Fetch, offset: int) -> Stream:
    return io.BufferedReader(Fetched(fetch, offset), BLOCK)


def unpacked(fetch: Fetch, offset: int, limit: int = MAX_UNPACKED) -> Stream:
    return Unpacked(io.BufferedReader(Fetched(fetch, 0), BLOCK), offset, limit)
