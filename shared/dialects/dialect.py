"""What a dialect answers; nothing else in the code knows one from another."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol
from uuid import UUID

from shared.events.models import Event
from shared.workspaces.models import Workspace

# Waits after a failed attempt, in seconds: 1 s, 15 s, 1 m, 5 m, 15 m, 1 h, 12 h, 24 h.
# Source: ClickFunnels, "How to Work with Webhooks", retry table.
CLICKFUNNELS_SCHEDULE = (1, 15, 60, 300, 900, 3_600, 43_200, 86_400)


class Rendered(NamedTuple):
    """What every attempt of a delivery sends: bytes, and headers that tell what they are."""

    body: bytes
    headers: Mapping[str, str]


class Dialect(Protocol):
    """How one system's webhooks are spoken.

    `listing` is the list of that system's API in which every config of the dialect stands, whoever
    made it.
    `header_prefix` begins the names of its headers, in lower case; no config sets such a header.
    `signature` is what the system itself calls its signature; that of Standard Webhooks is sent in
    every dialect.
    """

    name: str
    listing: str | None
    header_prefix: str
    schedule: tuple[int, ...]

    def can_express(self, event_type: str) -> bool: ...

    def render(
        self, event: Event, workspace: Workspace, request_id: UUID, built_at_ms: int
    ) -> Rendered:
        """The same for the same arguments."""
        ...

    def signature(self, secret: str, body: bytes, now_s: int) -> dict[str, str]:
        """Headers that are made anew for each attempt."""
        ...

    def is_success(self, status_code: int) -> bool: ...

    def new_secret(self) -> str: ...
