"""What a dialect answers; nothing else in the code knows one from another."""

from typing import Protocol
from uuid import UUID

from shared.events.models import Event

# Waits after a failed attempt, in seconds: 1 s, 15 s, 1 m, 5 m, 15 m, 1 h, 12 h, 24 h.
# Source: ClickFunnels, "How to Work with Webhooks", retry table.
CLICKFUNNELS_SCHEDULE = (1, 15, 60, 300, 900, 3_600, 43_200, 86_400)


class Dialect(Protocol):
    name: str
    schedule: tuple[int, ...]

    def can_express(self, event: Event) -> bool: ...

    def body(self, event: Event, request_id: UUID, built_at_ms: int) -> bytes:
        """The same bytes for the same arguments."""
        ...

    def headers(self, event_type: str, request_id: UUID) -> dict[str, str]: ...

    def is_success(self, status_code: int) -> bool: ...
