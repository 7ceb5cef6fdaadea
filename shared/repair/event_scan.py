"""The scan of all events: accepted events that repair has not looked at yet, and how far it is.

Activity markers name the workspaces that stored events in a minute; the scan reads the log of each.
A shard reads its markers in the order in which their minutes ended, whatever their workspaces. An
event is due `repair_after_s` after the end of its marker's minute. This must be later than the last
moment at which an event of that minute is stored and stands in the log: no function that stores
events takes so long for one.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from shared.aws.table import Query, Table
from shared.clock import MS_PER_S, Clock
from shared.events.log import LogReader, events_of
from shared.events.models import Event
from shared.events.store import ActivityMarker, event_from, marker_from, marker_of
from shared.input.paging import Window, read_cursor
from shared.model import Model
from shared.observability import fault, logger
from shared.tables import config_table as config_keys
from shared.tables import event_table as keys

# Events of a page are held in memory, for every shard at a time; each may have 256 KiB.
PAGE = 10


class ScanCursor(Model):
    """How far a shard is: the sort key of a marker, and of the last entry read of its log."""

    marker: str = "0"
    log_sk: str = ""

    def is_beyond(self, marker: ActivityMarker, log_sk: str) -> bool:
        """Whether the entry of that marker's log has been read."""
        return (marker.sk, log_sk) <= (self.marker, self.log_sk)


class ScanBatch(Model):
    """One page of events: their partition keys, the cursor after each, the cursor after the page.

    `due_at` (ms) is when the oldest became due.
    """

    pks: tuple[str, ...]
    cursors: tuple[ScanCursor, ...]
    cursor: ScanCursor
    due_at: int

    def cursor_before(self, pk: str) -> ScanCursor | None:
        """The cursor after the event before this one; None if this is the first of the page."""
        number = self.pks.index(pk)
        return self.cursors[number - 1] if number else None


class EventScan:
    def __init__(
        self, config_table: Table, event_table: Table, repair_after_s: int, clock: Clock
    ) -> None:
        self._events = event_table
        self._configs = config_table
        self._repair_after_s = repair_after_s
        self._clock = clock
        self._log = LogReader(event_table, clock)

    def batches(self, shard: str) -> Iterator[ScanBatch]:
        """Pages of PAGE to 2 * PAGE - 1 events. Small logs share a page; a page has fewer events at
        the end, or once it took PAGE Queries to find them."""
        reads: list[ScanBatch] = []
        for read in self._reads(shard, self.cursor(shard)):
            reads.append(read)
            if len(reads) == PAGE or sum(len(one.pks) for one in reads) >= PAGE:
                yield _joined(reads)
                reads = []
        if reads:
            yield _joined(reads)

    def events(self, pks: Sequence[str]) -> list[Event]:
        """The events in the order of `pks`. An event that cannot be read is logged and left out,
        so that it does not stop the scan."""
        wanted = [{"pk": pk, "sk": keys.EVENT_SK} for pk in pks]
        found = self._events.get_many(wanted, consistent=False)
        by_pk = {values["pk"]: _readable(values) for values in found}
        return [event for pk in pks if (event := by_pk.get(pk)) is not None]

    def seen(self, workspace_id: str) -> Callable[[Event], bool]:
        """A function that tells whether repair has looked at an event, and need not look again.

        It holds for events that are read after this call.
        """
        cursor = self.cursor(keys.active_shard(workspace_id))

        def is_seen(event: Event) -> bool:
            marker = marker_of(workspace_id, event.accepted_at, self._repair_after_s)
            entry = keys.log_sk(event.accepted_at, event.key)
            return event.wake_at is None and cursor.is_beyond(marker, entry)

        return is_seen

    def cursor(self, shard: str) -> ScanCursor:
        item = self._configs.get(_cursor_key(shard), consistent=False) or {}
        return ScanCursor.model_validate(item.get("cursor", {}))

    def save(self, shard: str, cursor: ScanCursor) -> None:
        self._configs.put(_cursor_key(shard) | {"cursor": cursor.model_dump()})

    def _reads(self, shard: str, start: ScanCursor) -> Iterator[ScanBatch]:
        """One Query of a log each."""
        for marker in self._markers(shard, start.marker):
            after = start.log_sk if marker.sk == start.marker else ""
            if after < marker.end:
                yield from self._of_marker(marker, after)

    def _of_marker(self, marker: ActivityMarker, after: str) -> Iterator[ScanBatch]:
        log = events_of(marker.workspace_id, None)
        position = log.cursor_after(after) if after else None
        while True:
            window = Window(since=marker.since, until=marker.until - 1, limit=PAGE, cursor=position)
            page = self._log.page(log, window, ascending=True)
            position = page.cursor
            log_sk = marker.end if position is None else read_cursor(log.name, position)
            yield ScanBatch(
                pks=tuple(item["pk"] for item in page.items),
                cursors=tuple(
                    ScanCursor(marker=marker.sk, log_sk=item["log_sk"]) for item in page.items
                ),
                cursor=ScanCursor(marker=marker.sk, log_sk=log_sk),
                due_at=marker.until + self._repair_after_s * MS_PER_S,
            )
            if position is None:
                return

    def _markers(self, shard: str, start: str) -> Iterator[ActivityMarker]:
        """The markers whose minute ended long enough ago, beginning with that of `start`."""
        end = f"{self._clock() - self._repair_after_s * MS_PER_S + 1:015d}"
        if end <= start:  # the clock was set back
            return
        query = Query(
            "pk = :shard AND sk BETWEEN :start AND :end",
            {"shard": shard, "start": start, "end": end},
        )
        for item in self._events.items(query):
            yield marker_from(item["sk"])


def _joined(reads: Sequence[ScanBatch]) -> ScanBatch:
    return ScanBatch(
        pks=tuple(pk for read in reads for pk in read.pks),
        cursors=tuple(cursor for read in reads for cursor in read.cursors),
        cursor=reads[-1].cursor,
        due_at=reads[0].due_at,
    )


def _readable(values: dict[str, Any]) -> Event | None:
    try:
        return event_from(values)
    except Exception as error:
        logger.error("event.unreadable", pk=values["pk"], **fault(error))
        return None


def _cursor_key(shard: str) -> dict[str, str]:
    return {"pk": config_keys.SWEEP, "sk": shard}
