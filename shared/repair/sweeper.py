"""One run of repair: what is due soon, and what was lost, goes back into the retry queue.

A run looks at the shards of the due index, at those of the event scan, and at overdue jobs, all
side by side: none of them waits for another. Two runs at a time repeat each other's reads, but
begin no delivery twice, because each beginning is conditional.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from shared.clock import MS_PER_S, Clock
from shared.deliveries.fanout import Wanting, first_messages
from shared.deliveries.models import Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage, Queue
from shared.errors import FaultError
from shared.events.models import Event
from shared.jobs import JobStore
from shared.model import Model
from shared.observability import BEHIND, FAULTS, fault, logger, measured
from shared.repair.due_index import DueEntry, DueIndex
from shared.repair.event_scan import EventScan
from shared.tables import event_table

# The time that must be left to begin another page of a shard, or of overdue jobs. A page takes less
# than 5 s. Jobs have more time: tenants wait for them.
SHARD_MARGIN_MS = 10 * MS_PER_S
JOBS_MARGIN_MS = 5 * MS_PER_S
# Deliveries of which one read tells whether they have begun.
AT_ONCE = 100
# Overdue jobs of a run, of a page of them, and how many are marked side by side.
MAX_JOBS = 500
JOBS_AT_ONCE = 50
PARALLEL_JOBS = 10

T = TypeVar("T")
Expected = tuple[Event, AttemptMessage]


class SweepError(FaultError):
    """Something could not be looked at; everything else was."""


class Swept(Model):
    """`requeued`: deliveries that were queued again; `begun`: how many of them are new.

    `behind_ms`: how long the oldest entry that is left has been overdue; 0 if none is left.
    """

    requeued: int = 0
    begun: int = 0
    behind_ms: int = 0


class Looked(NamedTuple):
    """`stopped_at`: the partition key of the event at which the time ended; None if it did not."""

    swept: Swept
    stopped_at: str | None = None


class Sweeper:
    """One run. A fault is counted and logged; it stops its own entry or shard, and nothing else."""

    def __init__(
        self,
        due_index: DueIndex,
        event_scan: EventScan,
        jobs: JobStore,
        queue: Queue,
        ask: Wanting,
        clock: Clock,
        remaining_ms: Callable[[], int],
    ) -> None:
        self._due_index = due_index
        self._event_scan = event_scan
        self._jobs = jobs
        self._queue = queue
        self._ask = ask
        self._clock = clock
        self._remaining_ms = remaining_ms
        self._faults = 0

    def run(self, part: int = 0, parts: int = 1) -> Swept:
        """Look at the shards of one of `parts` equal parts, and with the first at overdue jobs.

        What is left when the time ends is found by the next run. Raises SweepError at the end if
        anything failed.
        """
        shards = [*event_table.WAKE_SHARDS, *event_table.ACTIVE_SHARDS][part::parts]
        with ThreadPoolExecutor(len(shards) + 1) as pool:
            jobs = pool.submit(self._guarded, "jobs", self._requeue_jobs) if part == 0 else None
            swept = total(it for it in pool.map(self._sweep, shards) if it is not None)
            if jobs is not None:
                jobs.result()
        self._log(swept)
        if self._faults:
            raise SweepError(f"{self._faults} of the entries or shards")
        return swept

    def _log(self, swept: Swept) -> None:
        faults = {FAULTS: self._faults} if self._faults else {}
        logger.info("swept", **swept.model_dump() | measured({BEHIND: swept.behind_ms} | faults))

    def _sweep(self, shard: str) -> Swept | None:
        """None if the shard cannot be read."""
        work = self._due if shard in event_table.WAKE_SHARDS else self._scan
        return self._guarded(shard, partial(work, shard))

    def _guarded(self, name: str, work: Callable[[], T]) -> T | None:
        """The result of `work`; None if it failed."""
        try:
            return work()
        except Exception as error:
            self._faults += 1
            logger.error("sweep.broke", entry=name, **fault(error))
            return None

    def _has_time(self, margin_ms: int = SHARD_MARGIN_MS) -> bool:
        return self._remaining_ms() > margin_ms

    # ── Overdue jobs ──────────────────────────────────────────────────────────────────────────────

    def _requeue_jobs(self) -> None:
        """Queue the next page of the jobs that have been overdue for longest."""
        if not self._has_time(JOBS_MARGIN_MS):
            return
        now = self._clock()
        overdue = self._jobs.overdue(now, MAX_JOBS)
        with ThreadPoolExecutor(PARALLEL_JOBS) as pool:
            for start in range(0, len(overdue), JOBS_AT_ONCE):
                if not self._has_time(JOBS_MARGIN_MS):
                    return
                some = overdue[start : start + JOBS_AT_ONCE]
                self._queue.send([job.message for job in some])
                list(pool.map(lambda job: self._jobs.requeued(job, now), some))

    # ── A shard of the due index ──────────────────────────────────────────────────────────────────

    def _due(self, shard: str) -> Swept:
        swept = Swept()
        for page in self._due_index.pages(shard, self._clock()):
            if not self._has_time():
                return self._left(swept, page[0].wake_at)
            swept = total([swept, *map(self._move, page)])
        return swept

    def _left(self, swept: Swept, due_at: int) -> Swept:
        return swept.model_copy(update={"behind_ms": max(1, self._clock() - due_at)})

    def _move(self, entry: DueEntry) -> Swept:
        move = self._look_again if entry.is_event else self._requeue
        return self._guarded(entry.sk, lambda: move(entry)) or Swept()

    def _requeue(self, entry: DueEntry) -> Swept:
        now = self._clock()
        delivery = self._due_index.push_back(entry, now)
        if delivery is None:
            return Swept()
        self._queue.send([_next(delivery)], (delivery.next_attempt_at or now) - now)
        return Swept(requeued=1)

    def _look_again(self, entry: DueEntry) -> Swept:
        """The event stays in the index if it fails once more, or if the time ends."""
        looked = self._begin(self._event_scan.events([entry.pk]))
        if looked.stopped_at is None:
            self._due_index.forget(entry)
        return looked.swept

    # ── A shard of the event scan ─────────────────────────────────────────────────────────────────

    def _scan(self, shard: str) -> Swept:
        """Go on from the cursor that the last run saved; a crash repeats a page."""
        swept = Swept()
        for batch in self._event_scan.batches(shard):
            if not self._has_time():
                return self._left(swept, batch.due_at)
            looked = self._begin(self._event_scan.events(batch.pks))
            swept = total([swept, looked.swept])
            if looked.stopped_at is not None:
                if (cursor := batch.cursor_before(looked.stopped_at)) is not None:
                    self._event_scan.save(shard, cursor)
                return self._left(swept, batch.due_at)
            self._event_scan.save(shard, batch.cursor)
        return swept

    def _begin(self, events: Sequence[Event]) -> Looked:
        """Begin the deliveries that should have begun by now and have not.

        An event may have any number of deliveries, so the time may end within one. The next run
        looks at that event again, and finds the deliveries that exist by then.
        """
        expected, begun = self._expected(events), 0
        while some := list(islice(expected, AT_ONCE)):
            theirs = dict.fromkeys(event for event, _ in some)
            begun += self._or_again(theirs, partial(self._begin_lost, some)) or 0
            if len(some) == AT_ONCE and not self._has_time():
                last, _ = some[-1]
                return Looked(_begun(begun), event_table.partition(last.workspace_id, last.key))
        return Looked(_begun(begun))

    def _expected(self, events: Sequence[Event]) -> Iterator[Expected]:
        for event in events:
            found = self._or_again([event], partial(first_messages, event, self._ask))
            yield from ((event, message) for message in found or ())

    def _begin_lost(self, expected: Sequence[Expected]) -> int:
        """The number of deliveries that were missing, and are begun and queued now."""
        found = self._due_index.begun([message for _, message in expected])
        known = {delivery.request_id for delivery in found}
        for delivery in found:
            if delivery.state is DeliveryState.SENDING:
                self._due_index.watch(delivery)
        lost = [(event, it) for event, it in expected if it.request_id not in known]
        begun = [message for event, message in lost if self._begin_one(event, message)]
        self._queue.send(begun)
        return len(begun)

    def _begin_one(self, event: Event, message: AttemptMessage) -> bool:
        begin = partial(self._due_index.begin, message, event, self._clock())
        return self._or_again([event], begin) or False

    def _or_again(self, events: Iterable[Event], work: Callable[[], T]) -> T | None:
        """The result of `work`. If it fails, None, and the events go into the due index, so that
        the scan goes on without them."""
        some = list(events)
        done = self._guarded(some[0].key, work)
        if done is None:
            for event in some:
                self._due_index.look_again(event, self._clock())
        return done


def _next(delivery: Delivery) -> AttemptMessage:
    """An attempt that was begun and has no outcome is made again."""
    was_begun = delivery.state is DeliveryState.SENDING
    return delivery.message(delivery.attempt) if was_begun else delivery.next_message


def _begun(number: int) -> Swept:
    return Swept(requeued=number, begun=number)


def total(swept: Iterable[Swept]) -> Swept:
    every = list(swept)
    return Swept(
        requeued=sum(one.requeued for one in every),
        begun=sum(one.begun for one in every),
        behind_ms=max((one.behind_ms for one in every), default=0),
    )
