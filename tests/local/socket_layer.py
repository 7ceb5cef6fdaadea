"""What any socket of this process does, seen by Python itself, whichever library does it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WATCHED = {"socket.connect", "socket.sendto", "socket.sendmsg"}
_seen: list[Any] | None = None
_is_forbidden = False


class ForbiddenConnectionError(Exception):
    """No OSError, so that nobody takes it for a failure of the network."""


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or event not in _WATCHED:
        return
    _seen.append(arguments[1])
    if _is_forbidden:
        raise ForbiddenConnectionError(arguments[1])


# Hooks stay until the process ends; this one does nothing while nobody watches.
sys.addaudithook(_note)


@contextmanager
def watched(is_forbidden: bool = False) -> Iterator[list[Any]]:
    """Every address to which a socket connects or sends; forbidden, it fails before it is asked."""
    global _seen, _is_forbidden
    _seen, _is_forbidden = [], is_forbidden
    try:
        yield _seen
    finally:
        _seen, _is_forbidden = None, False
