"""Events as the API shows them. Times are RFC 3339 UTC with milliseconds."""

import json
from typing import Any

from shared.clock import rfc3339
from shared.delivery.views import DeliveryRead
from shared.events.models import Event
from shared.model import Model


class EventSummary(Model):
    event_id: str
    event_type: str
    accepted_at: str


class EventPage(Model):
    data: tuple[EventSummary, ...]
    next_cursor: str | None


class EventRead(EventSummary):
    """`payload` is what happened, as it came in."""

    occurred_at: str
    webhook_config_ids: tuple[str, ...]
    payload: dict[str, Any]
    deliveries: tuple[DeliveryRead, ...]


def summary(values: dict[str, Any]) -> EventSummary:
    """From the attributes that the index holds."""
    return EventSummary(
        event_id=values["event_id"],
        event_type=values["event_type"],
        accepted_at=rfc3339(values["created_at"]),
    )


def full(event: Event, deliveries: tuple[DeliveryRead, ...]) -> EventRead:
    return EventRead(
        event_id=event.event_id,
        event_type=event.event_type,
        accepted_at=rfc3339(event.accepted_at),
        occurred_at=rfc3339(event.occurred_at),
        webhook_config_ids=event.config_ids,
        payload=json.loads(event.payload),
        deliveries=deliveries,
    )
