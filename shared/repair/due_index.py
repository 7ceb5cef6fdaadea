"""The wake index: whatever should have moved by now, and how it is set moving again.

A delivery is in the index while it waits. An event is not, unless the sweep, which looks at each
once (unseen.py), could not look at it: then until it has.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from botocore.exceptions import ClientError

from shared import retention
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, batch_get, is_condition
from shared.clock import MS_PER_S
from shared.deliveries import transitions
from shared.deliveries.models import Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage
from shared.deliveries.transitions import Terms
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table

if TYPE_CHECKING:
    pass

# Between two looks at the time.
PAGE = 10


class DueEntry(Model):
    pk: str
    sk: str
    wake_at: int

    @property
    def is_event(self) -> bool:
        return self.sk == event_table.EVENT_SK


class BegunDelivery(Model):
    """As much of a delivery as tells that it is there, and whether its first attempt hangs."""

    workspace_id: str
    request_id: UUID
    state: DeliveryState
    lease_until: int | None = None


class DueIndex:
    def __init__(
        self,
        table: Table,
        retention_days: int,
        repair_after_s: int,
    ) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._repair_after_ms = repair_after_s * MS_PER_S
        self._terms = Terms(retention.of_days(retention_days), self._repair_after_ms)

    def pages(self, shard: str, until: int) -> Iterator[list[DueEntry]]:
        """What should have moved up to `until`, oldest first."""
        found = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName="wake",
            KeyConditionExpression="wake_shard = :shard AND wake_at <= :until",
            ExpressionAttributeValues=to_item({":shard": shard, ":until": until}),
            PaginationConfig={"PageSize": PAGE},
        )
        for page in found:
            if page["Items"]:
                yield [_entry(from_item(item)) for item in page["Items"]]

    def push_back(self, entry: DueEntry, now: int) -> Delivery | None:
        """The delivery, if it still waits; the index holds it on, in case it is lost again."""
        delivery = self._read(entry)
        if delivery is None:
            return None
        moves_at = max(now, delivery.next_attempt_at or now)
        update = transitions.push_back(entry.wake_at, moves_at, self._repair_after_ms)
        values = self._try({"pk": entry.pk, "sk": entry.sk}, update)
        return None if values is None else Delivery.from_item(values)

    def look_again(self, event: Event, now: int) -> None:
        """Put an event into the index, to be looked at once more."""
        wake_at = now + self._repair_after_ms
        update = Update().set({"wake_shard": event_table.wake_shard(event.key), "wake_at": wake_at})
        update.when("attribute_exists(pk)", {})
        key = {
            "pk": event_table.partition(event.workspace_id, event.key),
            "sk": event_table.EVENT_SK,
        }
        self._try(key, update)

    def forget(self, entry: DueEntry) -> None:
        """Take an event out of the index, unless it is to be looked at once more."""
        update = Update().set({"wake_shard": None, "wake_at": None})
        update.when("wake_at = :when_seen", {"seen": entry.wake_at})
        self._try({"pk": entry.pk, "sk": entry.sk}, update)

    def begun(self, pointers: Sequence[AttemptMessage]) -> list[BegunDelivery]:
        """As they were a moment ago: what has begun since is refused a second beginning."""
        columns = tuple(BegunDelivery.model_fields)
        wanted = [
            event_table.delivery_key(pointer.workspace_id, pointer.request_id)
            for pointer in pointers
        ]
        found = batch_get(self._dynamodb, {self._table: wanted}, columns, consistent=False)
        return [BegunDelivery.model_validate(values) for values in found[self._table]]

    def begin(self, pointer: AttemptMessage, event: Event, now: int) -> bool:
        """Record a delivery whose first message was lost. False if it has begun meanwhile."""
        key = event_table.delivery_key(pointer.workspace_id, pointer.request_id)
        update = transitions.begin(pointer, event, self._terms, now)
        return self._try(key, update) is not None

    def watch(self, delivery: BegunDelivery) -> None:
        """A first attempt is not in the index; one that takes this long is put there."""
        update = transitions.watch(
            delivery.request_id, delivery.lease_until or 0, self._repair_after_ms
        )
        self._try(event_table.delivery_key(delivery.workspace_id, delivery.request_id), update)

    def _read(self, entry: DueEntry) -> Delivery | None:
        found = batch_get(self._dynamodb, {self._table: [{"pk": entry.pk, "sk": entry.sk}]})
        return next((Delivery.from_item(values) for values in found[self._table]), None)

    def _try(self, key: dict[str, str], update: Update) -> dict[str, Any] | None:
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(key),
                ReturnValues="ALL_NEW",
                **update.request(),
            )
        except ClientError as error:
            if not is_condition(error):
                raise
            return None
        return from_item(answer["Attributes"])


def _entry(values: dict[str, Any]) -> DueEntry:
    return DueEntry(pk=values["pk"], sk=values["sk"], wake_at=values["wake_at"])
