"""What makes an event the one that it is when its sender gives it no id."""

from shared import ids
from shared.events.context import Hit, Session
from shared.events.models import NewEvent, TrackingEvent


def natural_id(event: NewEvent) -> str | None:
    """The same id for the same conversion, custom event, or hit at a node; None for any other."""
    parts = _parts(event) if isinstance(event, TrackingEvent) else None
    return None if parts is None else ids.natural_event_id(event.event_type, *parts)


def _parts(event: TrackingEvent) -> tuple[str, ...] | None:
    if event.conversion is not None:
        return (event.conversion.conversion_id,)
    if event.custom_event is not None:
        return (event.custom_event.custom_event_id,)
    return _of_the_flow(event)


def _of_the_flow(event: TrackingEvent) -> tuple[str, ...] | None:
    hit, session = event.hit or Hit(), event.session or Session()
    hit_id = hit.hit_id or session.hit_id
    node_id = (event.funnel and event.funnel.node_id) or hit.node_id
    if not hit_id or not node_id:
        return None
    return hit_id, node_id, "" if event.action_number is None else str(event.action_number)
