"""The due index: deliveries and events that should have moved by now, and how they move again.

A delivery is in the index while it waits. An event is in the index only if the scan of all events
(event_scan.py) could not look at it, and until it has been looked at.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from shared.aws.items import Update, as_model
from shared.aws.table import Query, Refused, Table
from shared.clock import MS_PER_S
from shared.deliveries import transitions
from shared.deliveries.models import Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage
from shared.deliveries.transitions import Terms
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table
from shared.workspaces.models import Retention

# Entries that are read at once; the sweeper looks at the time between two pages.
PAGE = 10


class DueEntry(Model):
    """An item of the index, by its key in the table. `wake_at` (ms) is when it became due."""

    pk: str
    sk: str
    wake_at: int

    @property
    def is_event(self) -> bool:
        return self.sk == event_table.EVENT_SK


class BegunDelivery(Model):
    """The attributes that tell whether a delivery exists and whether its first attempt hangs."""

    workspace_id: str
    request_id: UUID
    state: DeliveryState
    lease_until: int | None = None


class DueIndex:
    def __init__(self, table: Table, retention_days: int, repair_after_s: int) -> None:
        self._table = table
        self._repair_after_ms = repair_after_s * MS_PER_S
        self._terms = Terms(Retention.of_days(retention_days), self._repair_after_ms)

    def pages(self, shard: str, until: int) -> Iterator[list[DueEntry]]:
        """Entries that became due up to `until` (ms), oldest first."""
        query = Query(
            "wake_shard = :shard AND wake_at <= :until",
            {"shard": shard, "until": until},
            index="wake",
            limit=PAGE,
        )
        for page in self._table.pages(query):
            if page:
                yield [_entry(values) for values in page]

    def push_back(self, entry: DueEntry, now: int) -> Delivery | None:
        """Give the delivery a later due time, so that it is found again if its message is lost.

        None if the delivery has moved since `entry` was read.
        """
        delivery = self._read(entry)
        if delivery is None:
            return None
        moves_at = max(now, delivery.next_attempt_at or now)
        update = transitions.push_back(entry.wake_at, moves_at, self._repair_after_ms)
        values = self._table.update(_key(entry), update)
        return None if isinstance(values, Refused) else as_model(Delivery, values)

    def look_again(self, event: Event, now: int) -> None:
        """Put an event into the index, so that a later run looks at it."""
        wake_at = now + self._repair_after_ms
        update = Update().set({"wake_shard": event_table.wake_shard(event.key), "wake_at": wake_at})
        update.when("attribute_exists(pk)", {})
        pk = event_table.partition(event.workspace_id, event.key)
        self._table.apply({"pk": pk, "sk": event_table.EVENT_SK}, update)

    def forget(self, entry: DueEntry) -> None:
        """Take an event out of the index, unless it was put there again."""
        update = Update().set({"wake_shard": None, "wake_at": None})
        update.when("wake_at = :when_seen", {"seen": entry.wake_at})
        self._table.apply(_key(entry), update)

    def begun(self, messages: Sequence[AttemptMessage]) -> list[BegunDelivery]:
        """The deliveries that exist already. They may be a moment old: `begin` refuses to begin
        a delivery that has begun since."""
        columns = tuple(BegunDelivery.model_fields)
        wanted = [event_table.delivery_key(one.workspace_id, one.request_id) for one in messages]
        found = self._table.get_many(wanted, columns, consistent=False)
        return [BegunDelivery.model_validate(values) for values in found]

    def begin(self, message: AttemptMessage, event: Event, now: int) -> bool:
        """Record a delivery whose first message was lost. False if it has begun meanwhile."""
        key = event_table.delivery_key(message.workspace_id, message.request_id)
        update = transitions.begin(message, event, self._terms, now)
        return self._table.apply(key, update) is None

    def watch(self, delivery: BegunDelivery) -> None:
        """Put a delivery into the index whose first attempt is under way.

        First attempts are not indexed. If this one never ends, repair finds it once its lease has
        run out.
        """
        lease_until = delivery.lease_until or 0
        update = transitions.watch(delivery.request_id, lease_until, self._repair_after_ms)
        key = event_table.delivery_key(delivery.workspace_id, delivery.request_id)
        self._table.apply(key, update)

    def _read(self, entry: DueEntry) -> Delivery | None:
        found = self._table.get_many([_key(entry)])
        return as_model(Delivery, found[0]) if found else None


def _key(entry: DueEntry) -> dict[str, str]:
    return {"pk": entry.pk, "sk": entry.sk}


def _entry(values: dict[str, Any]) -> DueEntry:
    return DueEntry(pk=values["pk"], sk=values["sk"], wake_at=values["wake_at"])
