"""What any socket of this process does, seen by Python itself, whichever library does it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_seen: list[Any] | None = None
_is_forbidden = False


class ForbiddenConnectionError(Exception):
    """No OSError, so that nobody takes it for a failure of the network."""


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _seen is None or event != "socket.connect":
        return
    _seen.append(arguments[1])
    if _is_forbidden:
        raise ForbiddenConnectionError(arguments[1])


# Hooks stay until the process ends; this one does nothing while nobody watches.
sys.addaudithook(_note)


@contextmanager
def watched(is_forbidden: bool = False) -> Iterator[list[Any]]:
    """Every address to which a socket connects; forbidden, it fails before anything is sent."""
    global _seen, _is_forbidden
    before, addresses = (_seen, _is_forbidden), list[Any]()
    _seen, _is_forbidden = addresses, is_forbidden
    try:
        yield addresses
    finally:
        _seen, _is_forbidden = before
