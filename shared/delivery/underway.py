"""The requests of a batch that have no answer yet, and which of them hang."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared.configs.models import WebhookConfig
from shared.delivery.queues import Pointer


class UnderWay:
    """Requests come and go in many threads; another one asks which are still here."""

    def __init__(self) -> None:
        self._requests: dict[Pointer, WebhookConfig] = {}
        self._hung: set[Pointer] = set()

    @contextmanager
    def request(self, pointer: Pointer, config: WebhookConfig) -> Iterator[None]:
        self._requests[pointer] = config
        try:
            yield
        finally:
            self._requests.pop(pointer, None)

    def hanging(self) -> dict[Pointer, WebhookConfig]:
        """All that are under way now, which are said to have hung from here on."""
        found = self._requests.copy()
        self._hung |= found.keys()
        return found

    def has_hung(self, pointer: Pointer) -> bool:
        return pointer in self._hung
