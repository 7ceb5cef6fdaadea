"""Events as the API shows them."""

from collections.abc import Mapping
from typing import Any

from shared.clock import Timestamp
from shared.model import Model


class EventSummary(Model):
    event_id: str
    event_type: str
    accepted_at: Timestamp


class EventPage(Model):
    data: tuple[EventSummary, ...]
    next_cursor: str | None


def summary(values: Mapping[str, Any]) -> EventSummary:
    """From the attributes that the index holds."""
    return EventSummary(
        event_id=values["event_id"],
        event_type=values["event_type"],
        accepted_at=values["created_at"],
    )
