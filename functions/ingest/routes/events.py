"""The HTTPS addresses of `ingest`."""

from typing import Annotated, Any

from pydantic import Field

from functions.ingest import wiring
from shared.errors import InvalidError, TooLargeError
from shared.events import reading
from shared.events.models import EventId, ResourceEvent, TrackingEvent
from shared.input.json_body import parse_json
from shared.model import Model
from shared.web.operations import Api, RawBody, require_json
from shared.workspaces.models import Caller, Scope

MAX_BATCH_BYTES = 4 * 1024 * 1024

api = Api(bearer=wiring.gate, funnelytics=wiring.funnelytics_gate, action=wiring.action_gate)


class EventAccepted(Model):
    event_id: EventId


class EventResults(Model):
    """One for each event, in the order of the batch."""

    results: list[wiring.EventResult]


class EventBatch(Model):
    events: Annotated[list[TrackingEvent | ResourceEvent], Field(min_length=1, max_length=100)]


@api.post(
    "/v1/events",
    Scope.EVENTS_WRITE,
    status=202,
    errors=(409, 410),
    omit_none=True,
    accepts=TrackingEvent | ResourceEvent | EventBatch,
    reads=("Idempotency-Key",),
)
def accept_events(caller: Caller, body: RawBody) -> EventAccepted | EventResults:
    """Accept one event, or up to 100, each answered by itself.

    One of a batch at which we failed has the code `internal`: send that one again.

    The header Idempotency-Key is another way to give one event its event_id. Without either, a
    conversion is known by its conversion_id, a custom event by its custom_event_id, and what
    happens in the flow by its hit and node.
    """
    require_json(body.headers.get("content-type", "application/json"))
    idempotency_key = body.headers.get("idempotency-key")
    values = _parse(body.content)
    if isinstance(values, dict) and "events" in values:
        _refuse_others(values, idempotency_key)
        events = wiring.checked_batch(values["events"])
        wiring.rate().take(caller.workspace, len(events) - 1)  # the gate has taken the first
        return EventResults(results=wiring.accept_batch(events, caller.workspace))
    identified = _identified(values, idempotency_key)
    return EventAccepted(event_id=wiring.accept(identified, caller.workspace))


def _parse(body: bytes) -> Any:
    values = parse_json(body, MAX_BATCH_BYTES)
    is_batch = isinstance(values, dict) and "events" in values
    if not is_batch and len(body) > reading.MAX_EVENT_BYTES:
        raise TooLargeError(
            f"The event has {len(body)} bytes, the limit is {reading.MAX_EVENT_BYTES}."
        )
    return values


def _refuse_others(values: dict[str, Any], idempotency_key: str | None) -> None:
    if idempotency_key is not None:
        raise InvalidError("Idempotency-Key is for one event; in a batch, give each its event_id.")
    for name in values.keys() - {"events"}:
        raise InvalidError.at(name, "is not a known field beside events")


def _identified(values: Any, idempotency_key: str | None) -> Any:
    if idempotency_key is None or not isinstance(values, dict):
        return values
    if values.get("event_id", idempotency_key) != idempotency_key:
        raise InvalidError.at(
            "event_id", "differs from the header Idempotency-Key; send one of them"
        )
    return values | {"event_id": idempotency_key}
