"""What a dialect is, and the helpers that dialects render with.

The rest of the code calls the methods of a dialect and never asks which dialect it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared.events.models import Event
from shared.workspaces.models import Workspace

# Waits after a failed attempt, in seconds: 1 s, 15 s, 1 m, 5 m, 15 m, 1 h, 12 h, 24 h.
# Source: ClickFunnels, "How to Work with Webhooks", retry table.
CLICKFUNNELS_SCHEDULE = (1, 15, 60, 300, 900, 3_600, 43_200, 86_400)

Identifier = str | int | None


class Rendered(NamedTuple):
    """What every attempt of a delivery sends: the body, and the headers that describe it."""

    body: bytes
    headers: Mapping[str, str]


class Dialect(Protocol):
    """How webhooks of one system look.

    `listing` names the list of the system's API that shows every config of the dialect, whichever
    API made it; None if there is no such list.
    `header_prefix` begins the names of its headers, in lower case; no config may set such a header.
    `schedule` holds the waits between attempts, in seconds.
    """

    name: str
    listing: str | None
    header_prefix: str
    schedule: tuple[int, ...]

    def can_express(self, event_type: str) -> bool:
        """Whether events of the type can be rendered."""
        ...

    def render(
        self, event: Event, workspace: Workspace, request_id: UUID, built_at_ms: int
    ) -> Rendered:
        """The body and its headers. The same arguments give the same result."""
        ...

    def signature(self, secret: str, body: bytes, now_s: int) -> dict[str, str]:
        """The signature headers of the system, made for each attempt; empty if it has none.

        The signature of Standard Webhooks is sent in addition, in every dialect.
        """
        ...

    def is_success(self, status_code: int) -> bool:
        """Whether a response with the status means that the event was received."""
        ...

    def new_secret(self) -> str: ...


class Subject(NamedTuple):
    """What an event is about."""

    kind: str
    id: Identifier


def data_of(payload: dict[str, Any]) -> dict[str, Any]:
    """The data of a resource event; of a tracking event its whole payload."""
    data: dict[str, Any] = payload.get("data", payload)
    return data


def source_of(payload: dict[str, Any]) -> str:
    """`ui`, `api` or `system`; `system` if the payload names no source."""
    return str(payload.get("source", "system"))


def subject_of(payload: dict[str, Any]) -> Subject:
    """The named subject of a resource event; of a tracking event the object that it identifies."""
    if "subject_type" in payload:
        return Subject(payload["subject_type"], payload["subject_id"])
    if "conversion" in payload:
        return Subject("Conversion", payload["conversion"]["conversion_id"])
    if "custom_event" in payload:
        return Subject("CustomEvent", payload["custom_event"]["custom_event_id"])
    return Subject("Hit", payload.get("hit", {}).get("hit_id"))


def funnel_of(payload: dict[str, Any]) -> Identifier:
    known = (payload, payload.get("funnel", {}), payload.get("hit", {}))
    found: Identifier = next((some["funnel_id"] for some in known if "funnel_id" in some), None)
    return found


def page_of(payload: dict[str, Any]) -> Identifier:
    known = (payload, payload.get("hit", {}))
    found: Identifier = next((some["page_id"] for some in known if "page_id" in some), None)
    return found
