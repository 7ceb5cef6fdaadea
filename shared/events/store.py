"""Events in EventTable: accepted by one conditional write, read by id and by time."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared import retention
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, batch_get, is_condition
from shared.clock import MS_PER_S, Clock, now_ms
from shared.errors import NotFoundError
from shared.events import personal
from shared.events.activity import ActivityMarkers
from shared.events.models import Event
from shared.events.packing import pack, unpack
from shared.events.reading import compact
from shared.ids import event_key, visitor_key
from shared.tables import event_table

if TYPE_CHECKING:
    pass

_COLUMNS = tuple(Event.model_fields)
# The payload of an event that is emptied.
NOTHING = "{}"


class EventStore:
    """What has expired, and DynamoDB has not deleted yet, is gone for who asks by id."""

    def __init__(
        self,
        table: Table,
        retention_days: int,
        repair_after_s: int,
        clock: Clock = now_ms,
    ) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._retention = retention.of_days(retention_days)
        self._clock = clock
        self._notes = ActivityMarkers(table, repair_after_s)

    def add(self, event: Event) -> Event | None:
        """None if the event is new, else the event that has its id already."""
        self._note(event)
        try:
            self._dynamodb.put_item(
                **self._put(event), ReturnValuesOnConditionCheckFailure="ALL_OLD"
            )
        except ClientError as error:
            if not is_condition(error):
                raise
            return event_from(from_item(error.response["Item"]))  # type: ignore[typeddict-item]
        return None

    def puts(self, events: Sequence[Event]) -> list[dict[str, Any]]:
        """The items of a transaction that adds events whose ids are not taken."""
        for event in events:
            self._note(event)
        return [{"Put": self._put(event)} for event in events]

    def get(self, workspace_id: str, event_id: str) -> Event:
        pk = event_table.partition(workspace_id, event_key(workspace_id, event_id))
        answer = self._dynamodb.get_item(TableName=self._table, Key=_event_key(pk))
        event = event_from(from_item(answer["Item"])) if "Item" in answer else None
        if event is None or (event.expires_at or 0) * MS_PER_S <= self._clock():
            raise NotFoundError(f"No event {event_id} is known here.")
        return event

    def at(self, pk: str) -> Event | None:
        """The event of a partition, as it is at this moment."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_event_key(pk), ConsistentRead=True
        )
        return event_from(from_item(answer["Item"])) if "Item" in answer else None

    def at_all(self, pks: Sequence[str]) -> list[Event]:
        """The events of up to 100 partitions, in their order; those that are gone are left out."""
        wanted = [{"pk": pk, "sk": event_table.EVENT_SK} for pk in pks]
        found = batch_get(self._dynamodb, {self._table: wanted})[self._table]
        by_pk = {values["pk"]: event_from(values) for values in found}
        return [by_pk[pk] for pk in pks if pk in by_pk]

    def erase(self, event: Event, now: int) -> None:
        """Leave what is nobody's personal data. The event stays in the index of its visitor."""
        payload = compact(personal.remains(json.loads(event.payload)))
        self._change(event, _of_its_visitor(event, _holding(payload).set({"erased_at": now})))

    def untie(self, event: Event) -> None:
        """Take the event out of the index of its visitor."""
        update = Update().set({"visitor_pk": None, "visitor_id": None})
        self._change(event, _of_its_visitor(event, update))

    def empty(self, event: Event, now: int) -> None:
        """Leave nothing of what happened. It is late no more."""
        emptied = _holding(NOTHING).set({"state_pk": None}).once({"erased_at": now})
        self._change(event, emptied.when("attribute_exists(pk)", {}))

    def list_late(self, event: Event) -> None:
        """Have it found again: it is to be emptied, and cannot be yet."""
        late = Update().set({"state_pk": event_table.late_log(event.workspace_id)})
        self._change(event, late.when("attribute_exists(pk)", {}))

    def _change(self, event: Event, update: Update) -> None:
        """Nothing is done to an event that is gone meanwhile."""
        key = _event_key(event_table.partition(event.workspace_id, event.key))
        try:
            self._dynamodb.update_item(TableName=self._table, Key=key, **update.request())
        except ClientError as error:
            if not is_condition(error):
                raise

    def noting(self, event: Event) -> dict[str, Any]:
        """An operational event as an item of the transaction that makes what it tells of so."""
        self._note(event)
        return {"Put": {"TableName": self._table, "Item": self._item(event)}}

    def _note(self, event: Event) -> None:
        """Before the event is stored: the sweep finds it by the note."""
        self._notes.note(event.workspace_id, event.accepted_at)

    def _put(self, event: Event) -> dict[str, Any]:
        return {
            "TableName": self._table,
            "Item": self._item(event),
            "ConditionExpression": "attribute_not_exists(pk)",
        }

    def _item(self, event: Event) -> dict[str, Any]:
        return to_item(
            event.model_dump(exclude={"config_ids", "key", "payload"})
            | {
                "payload": _packed(event.payload),
                "config_ids": list(event.config_ids) or None,
                "pk": event_table.partition(event.workspace_id, event.key),
                "sk": event_table.EVENT_SK,
                "created_at": event.accepted_at,
                "log_pk": event_table.event_log(event.workspace_id),
                "log_sk": event_table.log_sk(event.accepted_at, event.key),
                "visitor_pk": _visitor_pk(event),
                "expires_at": event.expires_at or self._expires_at(event),
            }
        )

    def _expires_at(self, event: Event) -> int:
        return self._retention.record_until_s(event.accepted_at)


def _holding(payload: str) -> Update:
    return Update().set({"payload": _packed(payload)})


def _of_its_visitor(event: Event, update: Update) -> Update:
    return update.when("visitor_id = :when_visitor", {"visitor": event.visitor_id})


def _event_key(pk: str) -> dict[str, Any]:
    return to_item({"pk": pk, "sk": event_table.EVENT_SK})


def _visitor_pk(event: Event) -> str | None:
    """Only events that tell whose they are have an entry in the index."""
    if event.visitor_id is None:
        return None
    return event_table.visitor_partition(
        event.workspace_id, visitor_key(event.workspace_id, event.visitor_id)
    )


def event_from(values: dict[str, Any]) -> Event:
    known = {name: values[name] for name in _COLUMNS if name in values}
    payload, key = unpack(values["payload"]).decode(), event_table.event_key_of(values["pk"])
    return Event.model_validate(known | {"payload": payload, "key": key})


def _packed(payload: str) -> bytes:
    return pack(payload.encode())
