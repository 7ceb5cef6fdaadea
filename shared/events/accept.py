"""Accepting an event, in this order: read it, check it, identify it, store it.

Every event comes through here, whether it was sent over HTTPS, by another AWS service or in a file.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from pydantic import ValidationError

from shared import ids
from shared.clock import Clock
from shared.errors import ConflictError, FunnelhooksError, InvalidError, Problem, TooLargeError
from shared.events import legacy
from shared.events.context import Hit, Session
from shared.events.models import (
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    TRACKING_TYPES,
    Event,
    EventId,
    NewEvent,
    ResourceEvent,
    TrackingEvent,
    payload_text,
)
from shared.events.store import EventStore
from shared.input.validation import invalid
from shared.model import Model
from shared.observability import event_accepted, event_failed, request_refused
from shared.workspaces.models import Retention

PARALLEL = 10
# Where an event names its visitor: the most reliable place first.
_VISITOR_OBJECTS = ("visitor", "hit", "session")
_FAULT = (
    "This is a fault of ours and was logged. Send this event again; it may then be there twice, "
    "unless it is known by an id."
)

# Raises InvalidError if the event of a workspace breaks the schema of its type.
CheckSchema = Callable[[str, NewEvent], None]


class AcceptedEvent(Model):
    """`is_new` is false if another request, message or line had stored the event before."""

    event_id: EventId
    is_new: bool


class EventResult(Model):
    """What became of an event of a batch: its id, or why it was refused."""

    event_id: EventId | None = None
    error: Problem | None = None


def read(values: Any) -> NewEvent:
    """The typed event. Raises InvalidError that names every wrong field."""
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


def identify(new: NewEvent, workspace_id: str, at_ms: int, default_id: str | None = None) -> Event:
    """The event with its id, its fingerprint and its visitor.

    The id is the `event_id` of the event, else its natural id, else `default_id`, else a new one.
    """
    natural = natural_id(new)
    event_id = new.event_id or natural or default_id or ids.new_event_id()
    context = new.payload()
    config_ids = tuple(dict.fromkeys(new.webhook_config_ids or ()))
    # EventBridge gives each report of one conversion another time.
    identifying_time = None if event_id == natural else new.occurred_at
    return Event(
        workspace_id=workspace_id,
        key=ids.event_key(workspace_id, event_id),
        event_id=event_id,
        event_type=str(new.event_type),
        accepted_at=at_ms,
        occurred_at=at_ms if new.occurred_at is None else new.occurred_at,
        payload=payload_text(context),
        fingerprint=_fingerprint(new.event_type, identifying_time, config_ids, context),
        config_ids=config_ids,
        visitor_id=visitor_of(context),
    )


def natural_id(event: NewEvent) -> str | None:
    """The same id for the same conversion, custom event, or hit at a node; None for any other."""
    parts = _natural_parts(event) if isinstance(event, TrackingEvent) else None
    return None if parts is None else ids.natural_event_id(event.event_type, *parts)


def checked_batch(batch: Any) -> list[Any]:
    """The events of a batch, which are not read yet. Raises InvalidError."""
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH_EVENTS:
        raise InvalidError.at("events", f"must be an array of 1 to {MAX_BATCH_EVENTS} events")
    return batch


class Acceptor:
    def __init__(self, store: EventStore, check: CheckSchema, clock: Clock) -> None:
        self._store = store
        self._check = check
        self._clock = clock

    def accept(
        self, values: Any, workspace_id: str, retention: Retention, origin: str | None = None
    ) -> EventId:
        """`store`, with a line in the log."""
        accepted = self.store(values, workspace_id, retention, origin)
        event_accepted(workspace_id, accepted.event_id, accepted.is_new, origin)
        return accepted.event_id

    def accept_batch(
        self,
        batch: list[Any],
        workspace_id: str,
        retention: Retention,
        origin: str | None = None,
    ) -> list[EventResult]:
        """A result for each event, in the order of the batch.

        `origin` is the record that brings the batch: the origin of each event ends in its number.
        A record comes again with the same ids if an exception of ours is raised; without an origin,
        such an event has an error as its result.
        """
        origins = [origin and f"{origin}-{number}" for number in range(len(batch))]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(partial(self._result, workspace_id, retention), batch, origins))

    def store(
        self, values: Any, workspace_id: str, retention: Retention, origin: str | None = None
    ) -> AcceptedEvent:
        """Store the event, unless it is stored already with the same body.

        `origin` names the record that brings the event, such as a message or a line of a file. It
        becomes the id of an event that has neither an id nor a natural id. Raises InvalidError,
        TooLargeError, and ConflictError if the id is taken by an event with another body.
        """
        new = read(values)
        self._check(workspace_id, new)
        event = identify(new, workspace_id, self._clock(), origin)
        _check_size(event)
        expires_at = retention.record_until_s(event.accepted_at)
        known = self._store.add(
            event.model_copy(update={"origin": origin, "expires_at": expires_at})
        )
        if known is not None and known.fingerprint != event.fingerprint:
            raise ConflictError(
                f"The event id {event.event_id} is taken by an event with another body. Send the "
                "same body to repeat it, or another id; an event that carries none is known by its "
                "conversion_id, its custom_event_id, or its hit and node."
            )
        is_new = known is None or (origin is not None and known.origin == origin)
        return AcceptedEvent(event_id=event.event_id, is_new=is_new)

    def _result(
        self, workspace_id: str, retention: Retention, values: Any, origin: str | None
    ) -> EventResult:
        try:
            return EventResult(event_id=self.accept(values, workspace_id, retention, origin))
        except FunnelhooksError as error:
            request_refused(error)
            return EventResult(error=Problem.of(error))
        except Exception as error:
            if origin is not None:
                raise
            event_failed(workspace_id, error)
            return EventResult(error=Problem.fault(_FAULT))


def _natural_parts(event: TrackingEvent) -> tuple[str, ...] | None:
    if event.conversion is not None:
        return (event.conversion.conversion_id,)
    if event.custom_event is not None:
        return (event.custom_event.custom_event_id,)
    hit, session = event.hit or Hit(), event.session or Session()
    hit_id = hit.hit_id or session.hit_id
    node_id = (event.funnel and event.funnel.node_id) or hit.node_id
    if not hit_id or not node_id:
        return None
    return hit_id, node_id, "" if event.action_number is None else str(event.action_number)


def _fingerprint(
    event_type: str, occurred_at: int | None, config_ids: tuple[str, ...], context: dict[str, Any]
) -> str:
    """Equal for bodies that mean the same, whatever the order of their keys."""
    canonical = json.dumps(context, sort_keys=True, separators=(",", ":"))
    return ids.sha256_hex("\n".join([event_type, str(occurred_at), *config_ids, canonical]))


def visitor_of(context: dict[str, Any]) -> str | None:
    found = (context.get(name, {}).get("visitor_id") for name in _VISITOR_OBJECTS)
    return next((visitor_id for visitor_id in found if visitor_id), None)


def _check_size(event: Event) -> None:
    size = len(event.payload.encode())
    if size > MAX_EVENT_BYTES:
        raise TooLargeError(f"The event has {size} bytes, the limit is {MAX_EVENT_BYTES}.")
