"""Accepted events at which the sweep has not looked yet, slot by slot, and how far it has come.

In a shard all slots that ended up to a moment are read before any that ended later, whoever's they
are. What is stored is due `repair_after_s` after the end of its slot, which must be later than the
last moment at which an event of that slot is stored and stands in the log: no function that stores
events takes so long for one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared.aws.items import from_item, to_item
from shared.aws.table import Table, batch_get
from shared.clock import MS_PER_S, Clock
from shared.events.log import LogReader, events_of
from shared.events.models import Event
from shared.events.store import ActivityMarker, event_from, marker_from, marker_of
from shared.input.paging import Window, read_cursor
from shared.model import Model
from shared.observability import fault, logger
from shared.tables import config_table as config_keys
from shared.tables import event_table as keys

if TYPE_CHECKING:
    pass

# Events of a page are held in memory, for every shard at a time; each may have 256 KiB.
PAGE = 10


class ScanCursor(Model):
    """In which slot of a shard, by its key, and after which entry of the log."""

    slot: str = "0"
    log_sk: str = ""

    def is_beyond(self, slot: ActivityMarker, log_sk: str) -> bool:
        return (slot.sk, log_sk) <= (self.slot, self.log_sk)


class ScanBatch(Model):
    """Events by their partitions, the place behind each of them, and that behind the batch. The
    first are due since `due_at`."""

    pks: tuple[str, ...]
    places: tuple[ScanCursor, ...]
    place: ScanCursor
    due_at: int

    def place_before(self, pk: str) -> ScanCursor | None:
        """None if it is the first."""
        number = self.pks.index(pk)
        return self.places[number - 1] if number else None


class EventScan:
    def __init__(
        self,
        config_table: Table,
        event_table: Table,
        repair_after_s: int,
        clock: Clock,
    ) -> None:
        self._dynamodb = event_table.client
        self._events = event_table.name
        self._configs = config_table.name
        self._repair_after_s = repair_after_s
        self._clock = clock
        self._log = LogReader(event_table, clock)

    def batches(self, shard: str) -> Iterator[ScanBatch]:
        """A page of events each, less than twice as many, and fewer at the end, or if it takes a
        page of Queries to find them: those of small slots go together."""
        reads: list[ScanBatch] = []
        for read in self._reads(shard, self.place(shard)):
            reads.append(read)
            if len(reads) == PAGE or sum(len(one.pks) for one in reads) >= PAGE:
                yield _joined(reads)
                reads = []
        if reads:
            yield _joined(reads)

    def events(self, pks: Sequence[str]) -> list[Event]:
        """Those that can be read, in their order: none may keep the place from those behind it."""
        wanted = [{"pk": pk, "sk": keys.EVENT_SK} for pk in pks]
        found = batch_get(self._dynamodb, {self._events: wanted}, consistent=False)
        by_pk = {values["pk"]: _readable(values) for values in found[self._events]}
        return [event for pk in pks if (event := by_pk.get(pk)) is not None]

    def seen(self, workspace_id: str) -> Callable[[Event], bool]:
        """Whether the sweep has been at an event that is read after this call."""
        place = self.place(keys.active_shard(workspace_id))

        def is_seen(event: Event) -> bool:
            slot = marker_of(workspace_id, event.accepted_at, self._repair_after_s)
            entry = keys.log_sk(event.accepted_at, event.key)
            return event.wake_at is None and place.is_beyond(slot, entry)

        return is_seen

    def place(self, shard: str) -> ScanCursor:
        answer = self._dynamodb.get_item(TableName=self._configs, Key=_cursor_key(shard))
        return ScanCursor.model_validate(from_item(answer.get("Item", {})).get("place", {}))

    def save(self, shard: str, place: ScanCursor) -> None:
        item = _cursor_key(shard) | to_item({"place": place.model_dump()})
        self._dynamodb.put_item(TableName=self._configs, Item=item)

    def _reads(self, shard: str, start: ScanCursor) -> Iterator[ScanBatch]:
        """One Query of the log each."""
        for slot in self._slots(shard, start.slot):
            after = start.log_sk if slot.sk == start.slot else ""
            if after < slot.end:
                yield from self._of_slot(slot, after)

    def _of_slot(self, slot: ActivityMarker, after: str) -> Iterator[ScanBatch]:
        log = events_of(slot.workspace_id, None)
        cursor = log.cursor_after(after) if after else None
        while True:
            window = Window(since=slot.since, until=slot.until - 1, limit=PAGE, cursor=cursor)
            page = self._log.page(log, window, ascending=True)
            cursor = page.cursor
            log_sk = slot.end if cursor is None else read_cursor(log.name, cursor)
            yield ScanBatch(
                pks=tuple(item["pk"] for item in page.items),
                places=tuple(
                    ScanCursor(slot=slot.sk, log_sk=item["log_sk"]) for item in page.items
                ),
                place=ScanCursor(slot=slot.sk, log_sk=log_sk),
                due_at=slot.until + self._repair_after_s * MS_PER_S,
            )
            if cursor is None:
                return

    def _slots(self, shard: str, start: str) -> Iterator[ActivityMarker]:
        """Those that ended long enough ago, beginning with the one of `start`."""
        end = f"{self._clock() - self._repair_after_s * MS_PER_S + 1:015d}"
        if end <= start:  # the clock was set back
            return
        found = self._dynamodb.get_paginator("query").paginate(
            TableName=self._events,
            KeyConditionExpression="pk = :shard AND sk BETWEEN :start AND :end",
            ExpressionAttributeValues=to_item({":shard": shard, ":start": start, ":end": end}),
        )
        for page in found:
            for item in page["Items"]:
                yield marker_from(from_item(item)["sk"])


def _joined(reads: Sequence[ScanBatch]) -> ScanBatch:
    return ScanBatch(
        pks=tuple(pk for read in reads for pk in read.pks),
        places=tuple(place for read in reads for place in read.places),
        place=reads[-1].place,
        due_at=reads[0].due_at,
    )


def _readable(values: dict[str, Any]) -> Event | None:
    try:
        return event_from(values)
    except Exception as error:
        logger.error("event.unreadable", pk=values["pk"], **fault(error))
        return None


def _cursor_key(shard: str) -> dict[str, Any]:
    return to_item({"pk": config_keys.SWEEP, "sk": shard})
