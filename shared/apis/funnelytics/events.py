"""The events of an action: a custom event, or a conversion for each purchase."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from shared.apis.funnelytics.rules import COMMERCE_ACTION, InboundAction, Purchase
from shared.events.models import NewEvent, TrackingEvent, TriggerType
from shared.model import Model


class Arrival(Model):
    """The visitor, the id and the time of an incoming action."""

    visitor_id: str
    event_id: str
    at_ms: int


def events(action: InboundAction, arrival: Arrival) -> list[NewEvent]:
    if action.name != COMMERCE_ACTION:
        return [_custom_event(action, arrival)]
    return [
        _conversion(action, purchase, conversion_id, _numbered(arrival, number))
        for number, (purchase, conversion_id) in enumerate(_identified(action.purchases), 1)
    ]


def _numbered(arrival: Arrival, number: int) -> Arrival:
    return arrival.model_copy(update={"event_id": f"{arrival.event_id}-{number}"})


def _identified(purchases: tuple[Purchase, ...]) -> Iterator[tuple[Purchase, str]]:
    """A conversion is an SKU of an order; a repeated SKU gets a number."""
    seen = Counter[str]()
    for purchase in purchases:
        name = f"{purchase.order}:{purchase.sku}"
        seen[name] += 1
        yield purchase, name if seen[name] == 1 else f"{name}:{seen[name]}"


def _custom_event(action: InboundAction, arrival: Arrival) -> NewEvent:
    custom_event = {
        "custom_event_id": arrival.event_id,
        "timestamp": _happened_at(action, arrival),
        "event_data1": action.name,
        "pii_email": action.email,
    }
    kind = TriggerType.CUSTOM_EVENT_TRIGGERED
    return _event(action, arrival, kind, custom_event=custom_event)


def _conversion(
    action: InboundAction, purchase: Purchase, conversion_id: str, arrival: Arrival
) -> NewEvent:
    conversion = {
        "conversion_id": conversion_id,
        "transaction": purchase.order,
        "revenue": purchase.revenue,
        "conversion_timestamp": _happened_at(action, arrival),
        "event_data1": purchase.sku,
        "event_data2": purchase.label,
        "pii_email": action.email,
        "passthrough_params": purchase.extras | {"currency": purchase.currency},
    }
    return _event(action, arrival, TriggerType.CONVERSION_TRIGGERED, conversion=conversion)


def _event(
    action: InboundAction, arrival: Arrival, event_type: TriggerType, **extension: dict[str, Any]
) -> NewEvent:
    return TrackingEvent.model_validate(
        {
            "event_type": event_type,
            "event_id": arrival.event_id,
            "occurred_at": action.date_time,
            "visitor": {"visitor_id": arrival.visitor_id},
            "tracking_fields": action.attributes or None,
            **extension,
        }
    )


def _happened_at(action: InboundAction, arrival: Arrival) -> int:
    return arrival.at_ms if action.date_time is None else action.date_time
