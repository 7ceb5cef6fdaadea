"""From whatever came in to an event that can be stored: read, check, fingerprint."""

import json
from typing import Any

from pydantic import ValidationError

from shared import ids
from shared.errors import InvalidError
from shared.events import legacy, personal
from shared.events.identity import natural_id
from shared.events.models import TRACKING_TYPES, Event, NewEvent, ResourceEvent, TrackingEvent
from shared.input.validation import invalid

MAX_EVENT_BYTES = 256 * 1024


def read(values: Any) -> NewEvent:
    """The typed event, or an InvalidError that names every wrong field."""
    if not isinstance(values, dict):
        raise InvalidError("An event is a JSON object.")
    if not isinstance(values.get("event_type"), str):
        raise InvalidError.at("event_type", "is required, a string such as node_execution")
    try:
        if values["event_type"] in TRACKING_TYPES:
            return TrackingEvent.model_validate(legacy.normalized(values))
        return ResourceEvent.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None


def accept(new: NewEvent, workspace_id: str, at_ms: int, event_id: str | None = None) -> Event:
    """`event_id` stands in for one that the event does not carry, by name or by nature."""
    natural = natural_id(new)
    identity = new.event_id or natural or event_id or ids.new_event_id()
    context = new.payload()
    config_ids = tuple(dict.fromkeys(new.webhook_config_ids or ()))
    return Event(
        workspace_id=workspace_id,
        key=ids.event_key(workspace_id, identity),
        event_id=identity,
        event_type=str(new.event_type),
        accepted_at=at_ms,
        occurred_at=at_ms if new.occurred_at is None else new.occurred_at,
        payload=compact(context),
        fingerprint=_fingerprint(
            new.event_type,
            # Told twice, one conversion may have two times: EventBridge gives each telling its own.
            None if identity == natural else new.occurred_at,
            config_ids,
            context,
        ),
        config_ids=config_ids,
        visitor_id=personal.visitor_of(context),
    )


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _fingerprint(
    event_type: str, occurred_at: int | None, config_ids: tuple[str, ...], context: dict[str, Any]
) -> str:
    """Equal for bodies that mean the same, whatever the order of their keys."""
    canonical = json.dumps(context, sort_keys=True, separators=(",", ":"))
    return ids.sha256_hex("\n".join([event_type, str(occurred_at), *config_ids, canonical]))
