"""Events as the API shows them."""

import json
from collections.abc import Mapping
from typing import Any

from shared.clock import Timestamp
from shared.delivery.views import DeliveryRead
from shared.events.models import Event
from shared.model import Model


class EventSummary(Model):
    event_id: str
    event_type: str
    accepted_at: Timestamp


class EventPage(Model):
    data: tuple[EventSummary, ...]
    next_cursor: str | None


class EventRead(EventSummary):
    """`payload` is what happened, as it came in."""

    occurred_at: Timestamp
    webhook_config_ids: tuple[str, ...]
    payload: dict[str, Any]
    deliveries: tuple[DeliveryRead, ...]


def summary(values: Mapping[str, Any]) -> EventSummary:
    """From the attributes that the index holds."""
    return EventSummary(
        event_id=values["event_id"],
        event_type=values["event_type"],
        accepted_at=values["created_at"],
    )


def full(event: Event, deliveries: tuple[DeliveryRead, ...]) -> EventRead:
    return EventRead(
        event_id=event.event_id,
        event_type=event.event_type,
        accepted_at=event.accepted_at,
        occurred_at=event.occurred_at,
        webhook_config_ids=event.config_ids,
        payload=json.loads(event.payload),
        deliveries=deliveries,
    )
