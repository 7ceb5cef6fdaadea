"""The lines of a stream, each with the position after it, from which another run can continue."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from shared.model import Model

BLOCK = 64 * 1024
_BOM = b"\xef\xbb\xbf"

Read = Callable[[int], bytes]


class Position(Model):
    """The bytes and lines that have been read; `inside` means that the last line has no end yet."""

    offset: int = 0
    line: int = 0
    inside: bool = False


class Line(NamedTuple):
    """`content` is without the line end; None if the line is too long, then empty for its rest."""

    number: int
    content: bytes | None
    after: Position


def lines(read: Read, start: Position, limit: int) -> Iterator[Line]:
    """Holds at most `limit` bytes and a block in memory, and yields at least as often."""
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
