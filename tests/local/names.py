"""Names that resolve as a test says, by a `getaddrinfo` that stands in for the real one."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

Names = Callable[..., None]


def given_names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let a name resolve to other answers, one after the other; the last one stays."""
    real = socket.getaddrinfo
    answers: dict[bytes, list[list[str]]] = {}

    def lookup(host: bytes, port: int, **options: Any) -> list[Any]:
        queued = answers.get(host)
        if queued is None:
            return real(host, port, **options)
        texts = queued.pop(0) if len(queued) > 1 else queued[0]
        return [entry for text in texts for entry in real(text, port, **options)]

    def resolve(name: str, *replies: list[str]) -> None:
        answers[name.encode()] = list(replies)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return resolve
