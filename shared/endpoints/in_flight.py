"""The requests of a batch that have no answer yet, and which of them hang."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from shared.configs.models import WebhookConfig
from shared.deliveries.queue import AttemptMessage


class _Request(NamedTuple):
    config: WebhookConfig
    began_at: int


class InFlight:
    """Requests come and go in many threads; another one asks which are still here."""

    def __init__(self) -> None:
        self._requests: dict[AttemptMessage, _Request] = {}
        self._hung: set[AttemptMessage] = set()

    @contextmanager
    def request(self, pointer: AttemptMessage, config: WebhookConfig, now: int) -> Iterator[None]:
        self._requests[pointer] = _Request(config, now)
        try:
            yield
        finally:
            self._requests.pop(pointer, None)

    def hanging(self, since: int) -> Iterator[tuple[AttemptMessage, WebhookConfig]]:
        """Those that are under way when they are asked for, and have been `since` then."""
        for pointer, request in self._requests.copy().items():
            if request.began_at <= since and pointer in self._requests:
                self._hung.add(pointer)
                yield pointer, request.config

    def has_hung(self, pointer: AttemptMessage) -> bool:
        return pointer in self._hung
