"""Events in EventTable: accepted by one conditional write, read by id.

An activity marker is stored before the events of its time: it says that a workspace stores events
in this minute. The sweeper follows the markers to the log of each workspace, so an event needs no
index entry to be found (docs/decisions/0020-notes.md).
"""

import json
from collections.abc import Sequence
from typing import Any

from shared.aws.items import EXISTS, IS_NEW, Update, as_model, pack, unpack
from shared.aws.table import Table
from shared.clock import MS_PER_DAY, MS_PER_MINUTE, MS_PER_S, Clock, now_ms
from shared.errors import NotFoundError
from shared.events import personal
from shared.events.models import Event, compact_json
from shared.ids import event_key, visitor_key
from shared.model import Model
from shared.tables import event_table
from shared.workspaces.models import Retention

# The payload of an event whose content has expired.
NOTHING = "{}"
# The sweeper may stand still for so long. Events are kept for a day more (RetentionDays).
MARKER_KEPT_MS = 7 * MS_PER_DAY


class ActivityMarker(Model):
    """A workspace stores events from `since` up to `until`, in milliseconds."""

    workspace_id: str
    since: int
    until: int

    @property
    def sk(self) -> str:
        return event_table.marker_sk(self.since, self.until, self.workspace_id)

    @property
    def end(self) -> str:
        """Sorts in the log after every event of the marker's time."""
        return event_table.log_sk(self.until, "")


def marker_of(workspace_id: str, at_ms: int, repair_after_s: int) -> ActivityMarker:
    """The marker of a minute, or of less if lost events are looked for sooner."""
    length = min(MS_PER_MINUTE, repair_after_s * MS_PER_S)
    since = at_ms - at_ms % length
    return ActivityMarker(workspace_id=workspace_id, since=since, until=since + length)


def marker_from(sk: str) -> ActivityMarker:
    until, since, workspace_id = sk.split("#", 2)
    return ActivityMarker(workspace_id=workspace_id, since=int(since), until=int(until))


class ActivityMarkers:
    """Each worker stores a marker once. A marker that is stored twice is the same item."""

    def __init__(self, table: Table, repair_after_s: int) -> None:
        self._table = table
        self._repair_after_s = repair_after_s
        self._until = 0
        self._stored: set[str] = set()

    def mark(self, workspace_id: str, accepted_at: int) -> None:
        """Call this before the event is stored. A marker is remembered once it is in the table."""
        marker = marker_of(workspace_id, accepted_at, self._repair_after_s)
        if marker.sk in self._stored:
            return
        self._table.put(
            {
                "pk": event_table.active_shard(workspace_id),
                "sk": marker.sk,
                "expires_at": (marker.until + MARKER_KEPT_MS) // MS_PER_S,
            }
        )
        if marker.until != self._until:
            self._until, self._stored = marker.until, set()
        self._stored.add(marker.sk)


class EventStore:
    """An event that has expired cannot be read by its id, even before DynamoDB deletes it."""

    def __init__(
        self, table: Table, retention_days: int, repair_after_s: int, clock: Clock = now_ms
    ) -> None:
        self._table = table
        self._retention = Retention.of_days(retention_days)
        self._clock = clock
        self._markers = ActivityMarkers(table, repair_after_s)

    def add(self, event: Event) -> Event | None:
        """None if the event is new, else the stored event that has its id."""
        self._mark(event)
        refused = self._table.put(self._item(event), IS_NEW)
        return None if refused is None else event_from(refused.item or {})

    def putting_new(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """Operations of a transaction, which is refused if the id of one of the events is taken."""
        for event in events:
            self._mark(event)
        return [self._table.putting(self._item(event), IS_NEW) for event in events]

    def putting(self, event: Event) -> dict[str, Any]:
        """An operation of the transaction that makes the change that the event reports."""
        self._mark(event)
        return self._table.putting(self._item(event))

    def get(self, workspace_id: str, event_id: str) -> Event:
        """Raises NotFoundError."""
        pk = event_table.partition(workspace_id, event_key(workspace_id, event_id))
        item = self._table.get(_event_key(pk), consistent=False)
        event = None if item is None else event_from(item)
        if event is None or (event.expires_at or 0) * MS_PER_S <= self._clock():
            raise NotFoundError(f"No event {event_id} is known here.")
        return event

    def at(self, pk: str) -> Event | None:
        """The event of a partition, as it is at this moment."""
        item = self._table.get(_event_key(pk))
        return None if item is None else event_from(item)

    def at_all(self, pks: Sequence[str]) -> list[Event]:
        """The events of up to 100 partitions, in their order, without events that are gone."""
        items = self._table.get_many([_event_key(pk) for pk in pks])
        by_pk = {item["pk"]: event_from(item) for item in items}
        return [by_pk[pk] for pk in pks if pk in by_pk]

    def erase(self, event: Event, now: int) -> None:
        """Take the personal data out of the event, which stays in the index of its visitor."""
        payload = compact_json(personal.remains(json.loads(event.payload)))
        self._change(event, _of_its_visitor(event, _holding(payload).set({"erased_at": now})))

    def untie(self, event: Event) -> None:
        """Take the event out of the index of its visitor."""
        update = Update().set({"visitor_pk": None, "visitor_id": None})
        self._change(event, _of_its_visitor(event, update))

    def delete_content(self, event: Event, now: int) -> None:
        """Take the whole payload out of the event, and the event out of the list of late ones."""
        deleted = _holding(NOTHING).set({"state_pk": None}).once({"erased_at": now})
        self._change(event, deleted.when(EXISTS.text, {}))

    def list_late(self, event: Event) -> None:
        """List the event as late: its content is to expire, and a delivery still needs it."""
        late = Update().set({"state_pk": event_table.late_log(event.workspace_id)})
        self._change(event, late.when(EXISTS.text, {}))

    def _change(self, event: Event, update: Update) -> None:
        """Nothing happens if the event is gone by now."""
        key = _event_key(event_table.partition(event.workspace_id, event.key))
        self._table.apply(key, update)

    def _mark(self, event: Event) -> None:
        self._markers.mark(event.workspace_id, event.accepted_at)

    def _item(self, event: Event) -> dict[str, Any]:
        expires_at = event.expires_at or self._retention.record_until_s(event.accepted_at)
        return event.model_dump(exclude={"config_ids", "key", "payload"}) | {
            "payload": pack(event.payload.encode()),
            "config_ids": list(event.config_ids) or None,
            "pk": event_table.partition(event.workspace_id, event.key),
            "sk": event_table.EVENT_SK,
            "created_at": event.accepted_at,
            "log_pk": event_table.event_log(event.workspace_id),
            "log_sk": event_table.log_sk(event.accepted_at, event.key),
            "visitor_pk": _visitor_pk(event),
            "expires_at": expires_at,
        }


def event_from(item: dict[str, Any]) -> Event:
    payload, key = unpack(item["payload"]).decode(), event_table.event_key_of(item["pk"])
    return as_model(Event, {**item, "payload": payload, "key": key})


def _holding(payload: str) -> Update:
    return Update().set({"payload": pack(payload.encode())})


def _of_its_visitor(event: Event, update: Update) -> Update:
    return update.when("visitor_id = :when_visitor", {"visitor": event.visitor_id})


def _event_key(pk: str) -> dict[str, str]:
    return {"pk": pk, "sk": event_table.EVENT_SK}


def _visitor_pk(event: Event) -> str | None:
    """Only an event that names its visitor has an entry in the index of visitors."""
    if event.visitor_id is None:
        return None
    return event_table.visitor_partition(
        event.workspace_id, visitor_key(event.workspace_id, event.visitor_id)
    )
