"""Accepting an event, in this order: read it, check it, identify it, store it.

Every event comes through here, whether it was sent over HTTPS, by another AWS service or in a file.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeGuard

from pydantic import ValidationError

from shared import ids
from shared.clock import Clock
from shared.errors import ConflictError, FunnelhooksError, InvalidError, Problem, TooLargeError
from shared.events import catalogue, legacy
from shared.events.models import (
    TRACKING_TYPES,
    Event,
    EventId,
    NewEvent,
    ResourceEvent,
    TrackingEvent,
    compact_json,
)
from shared.events.store import EventStore
from shared.input.validation import invalid
from shared.model import Model
from shared.observability import event_accepted, event_failed, request_refused
from shared.workspaces.models import Workspace

# For an event as JSON, and for its payload. SQS takes messages of this size.
MAX_EVENT_BYTES = 256 * 1024
# For a batch in one HTTPS request.
MAX_BATCH_BYTES = 4 * 1024 * 1024
MAX_BATCH_EVENTS = 100
PARALLEL = 10
# Where an event names its visitor: the most reliable place first.
_VISITOR_OBJECTS = ("visitor", "hit", "session")
_FAULT = (
    "This is a fault of ours and was logged. Send this event again; it may then be there twice, "
    "unless it is known by an id."
)

# Raises InvalidError if the event of a workspace breaks the schema of its type.
CheckSchema = Callable[[str, ResourceEvent], None]


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
    context = new.payload()
    natural = ids.natural_event_id(new.event_type, context)
    event_id = new.event_id or natural or default_id or ids.new_event_id()
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
        payload=compact_json(context),
        fingerprint=_fingerprint(new.event_type, identifying_time, config_ids, context),
        config_ids=config_ids,
        visitor_id=visitor_of(context),
    )


def is_of_own_type(new: NewEvent) -> TypeGuard[ResourceEvent]:
    """Whether the type of the event may be one that the workspace has registered."""
    return isinstance(new, ResourceEvent) and catalogue.find(new.event_type) is None


def checked_batch(batch: Any) -> list[Any]:
    """The events of a batch, which are not read yet. Raises InvalidError."""
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH_EVENTS:
        raise InvalidError.at("events", f"must be an array of 1 to {MAX_BATCH_EVENTS} events")
    return batch


class Acceptor:
    """`retention_days` is how long the stack keeps what a workspace does not limit."""

    def __init__(
        self, store: EventStore, check: CheckSchema, clock: Clock, retention_days: int
    ) -> None:
        self._store = store
        self._check = check
        self._clock = clock
        self._retention_days = retention_days

    def accept(self, values: Any, workspace: Workspace, origin: str | None = None) -> EventId:
        """`store`, with a line in the log."""
        accepted = self.store(values, workspace, origin)
        event_accepted(workspace.workspace_id, accepted.event_id, accepted.is_new, origin)
        return accepted.event_id

    def accept_batch(
        self, batch: list[Any], workspace: Workspace, origin: str | None = None
    ) -> list[EventResult]:
        """A result for each event, in the order of the batch.

        `origin` is the record that brings the batch: the origin of each event ends in its number.
        A record comes again with the same ids if an exception of ours is raised; without an origin,
        such an event has an error as its result.
        """
        origins = [origin and f"{origin}-{number}" for number in range(len(batch))]
        with ThreadPoolExecutor(PARALLEL) as pool:
            return list(pool.map(partial(self._result, workspace), batch, origins))

    def store(self, values: Any, workspace: Workspace, origin: str | None = None) -> AcceptedEvent:
        """Store the event, unless it is stored already with the same body.

        `origin` names the record that brings the event, such as a message or a line of a file. It
        becomes the id of an event that has neither an id nor a natural id. Raises InvalidError,
        TooLargeError, and ConflictError if the id is taken by an event with another body.
        """
        new = read(values)
        if is_of_own_type(new):
            self._check(workspace.workspace_id, new)
        event = identify(new, workspace.workspace_id, self._clock(), origin)
        _check_size(event)
        retention = workspace.retention(self._retention_days)
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

    def _result(self, workspace: Workspace, values: Any, origin: str | None) -> EventResult:
        try:
            return EventResult(event_id=self.accept(values, workspace, origin))
        except FunnelhooksError as error:
            request_refused(error)
            return EventResult(error=Problem.of(error))
        except Exception as error:
            if origin is not None:
                raise
            event_failed(workspace.workspace_id, error)
            return EventResult(error=Problem.fault(_FAULT))


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
