"""The one door: whatever road an event took, here it is checked and stored."""

from typing import Any

from shared.clock import Clock
from shared.errors import ConflictError, TooLargeError
from shared.events import reading
from shared.events.models import EventId
from shared.events.schema_check import SchemaChecker
from shared.events.store import EventStore
from shared.model import Model
from shared.retention import Retention


class AcceptedEvent(Model):
    """`is_new` if this very record brought the event, now or when it was handed in before."""

    event_id: EventId
    is_new: bool


class Acceptor:
    def __init__(self, store: EventStore, checker: SchemaChecker, clock: Clock) -> None:
        self._store = store
        self._checker = checker
        self._clock = clock

    def accept(
        self, values: Any, workspace_id: str, retention: Retention, origin: str | None = None
    ) -> AcceptedEvent:
        """The event is stored now, or was before with the same body.

        `origin` names the record that brings the event, such as a message or a line of an object.
        It stands in for an id that the event does not carry, by name or by nature.
        """
        new = reading.read(values)
        self._checker.check(workspace_id, new)
        event = reading.accept(new, workspace_id, self._clock(), origin)
        size = len(event.payload.encode())
        if size > reading.MAX_EVENT_BYTES:
            raise TooLargeError(
                f"The event has {size} bytes, the limit is {reading.MAX_EVENT_BYTES}."
            )
        expires_at = retention.record_until_s(event.accepted_at)
        told = {"origin": origin, "expires_at": expires_at}
        known = self._store.add(event.model_copy(update=told))
        if known is not None and known.fingerprint != event.fingerprint:
            raise ConflictError(
                f"The event id {event.event_id} is taken by an event with another body. Send the "
                "same body to repeat it, or another id; an event that carries none is known by its "
                "conversion_id, its custom_event_id, or its hit and node."
            )
        is_new = known is None or (origin is not None and known.origin == origin)
        return AcceptedEvent(event_id=event.event_id, is_new=is_new)
