"""Lines of a stream, one at a time, and the place after each, from which another run can go on."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.model import Model

BLOCK = 64 * 1024
_BOM = b"\xef\xbb\xbf"

Read = Callable[[int], bytes]


class Position(Model):
    """So many bytes and lines have been read; `inside` a line, its end is still to come."""

    offset: int = 0
    line: int = 0
    inside: bool = False


class Line(NamedTuple):
    """`content` comes without its end, and as None if it is too long; the rest of it is empty."""

    number: int
    content: bytes | None
    after: Position


def lines(read: Read, start: Position, limit: int) -> Iterator[Line]:
    """Holds `limit` bytes and a block at most, and yields at least once in so many bytes."""
    held, at = b"", start
    while block := read(BLOCK):
        *ended, held = (held + block).split(b"\n")
        for content in ended:
            line = _line(content, at, limit, has_end=True)
            at = line.after
            yield line
        if len(held) > limit:
            line = _line(held, at, limit, has_end=False)
            held, at = b"", line.after
            yield line
    if held:
        yield _line(held, at, limit, has_end=False)


def _line(content: bytes, at: Position, limit: int, has_end: bool) -> Line:
    number = at.line if at.inside else at.line + 1
    offset = at.offset + len(content) + has_end
    after = Position(offset=offset, line=number, inside=not has_end)
    if at.inside:
        return Line(number, b"", after)
    return Line(number, _plain(content, number) if len(content) <= limit else None, after)


def _plain(content: bytes, number: int) -> bytes:
    return (content.removeprefix(_BOM) if number == 1 else content).strip()
