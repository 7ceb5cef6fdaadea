"""The HTTPS addresses of `ingest`."""

from typing import Annotated, Any

from pydantic import Field

from functions.ingest import wiring
from shared.errors import InvalidError, TooLargeError
from shared.events.accept import (
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    EventResult,
    checked_batch,
)
from shared.events.models import EventId, ResourceEvent, TrackingEvent
from shared.input.json_body import parse_json
from shared.model import Model
from shared.web.operations import Api, RawBody, require_json
from shared.workspaces.models import Caller, Scope

api = Api(
    bearer=wiring.authenticator,
    funnelytics=wiring.funnelytics_authenticator,
    action=wiring.action_authenticator,
)


class EventAccepted(Model):
    event_id: EventId


class EventResults(Model):
    """A result for each event, in the order of the batch."""

    results: list[EventResult]


class EventBatch(Model):
    events: Annotated[
        list[TrackingEvent | ResourceEvent], Field(min_length=1, max_length=MAX_BATCH_EVENTS)
    ]


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
    """Accept one event, or a batch of up to 100 with a result for each.

    If the result of an event has the code `internal`, we failed: send this event again.

    The header Idempotency-Key can give a single event its event_id. An event that has no id is
    known by its conversion_id or its custom_event_id, or by its hit and node.
    """
    require_json(body.headers.get("content-type", "application/json"))
    idempotency_key = body.headers.get("idempotency-key")
    values = _parse(body.content)
    if isinstance(values, dict) and "events" in values:
        _refuse_others(values, idempotency_key)
        events = checked_batch(values["events"])
        # The authenticator has counted the first event.
        wiring.rate().take(caller.workspace, len(events) - 1)
        results = wiring.acceptor().accept_batch(events, caller.workspace)
        return EventResults(results=results)
    identified = _identified(values, idempotency_key)
    return EventAccepted(event_id=wiring.acceptor().accept(identified, caller.workspace))


def _parse(body: bytes) -> Any:
    values = parse_json(body, MAX_BATCH_BYTES)
    is_batch = isinstance(values, dict) and "events" in values
    if not is_batch and len(body) > MAX_EVENT_BYTES:
        raise TooLargeError(f"The event has {len(body)} bytes, the limit is {MAX_EVENT_BYTES}.")
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
