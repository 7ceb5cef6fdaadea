"""Whatever is due soon, and whatever was lost, goes back into the retry queue, shard by shard."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import NamedTuple, TypeVar

from shared.clock import Clock
from shared.deliveries.fanout import Wanting, first_pointers
from shared.deliveries.models import Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage, Queue
from shared.events.models import Event
from shared.model import Model
from shared.observability import fault, logger
from shared.repair.due_index import DueEntry, DueIndex
from shared.repair.event_scan import EventScan
from shared.tables import event_table

PARALLEL = 10
# Deliveries of which one read tells whether they have begun.
AT_ONCE = 100

T = TypeVar("T")
Expected = tuple[Event, AttemptMessage]


class SweepError(Exception):
    """Something could not be looked at; everything else was."""


class Swept(Model):
    """How many deliveries were queued again, and how many of them were never begun before. What
    was left undone has been due for `behind_ms` at most; 0 if nothing was."""

    requeued: int = 0
    begun: int = 0
    behind_ms: int = 0


class Looked(NamedTuple):
    """`stopped_at` is the partition of the event at which the time ended; None if it did not."""

    swept: Swept
    stopped_at: str | None = None


class Sweeper:
    """`has_time` is asked before each page; what is left over is found by whoever comes next.

    `faults` counts what broke on the way, which stops nothing beside it.
    """

    def __init__(
        self,
        wake: DueIndex,
        unseen: EventScan,
        queue: Queue,
        ask: Wanting,
        clock: Clock,
        has_time: Callable[[], bool],
    ) -> None:
        self._wake = wake
        self._unseen = unseen
        self._queue = queue
        self._ask = ask
        self._clock = clock
        self._has_time = has_time
        self.faults = 0

    def run(self, shards: Sequence[str]) -> dict[str, Swept]:
        """A shard that broke is not in it."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            swept = zip(shards, pool.map(self._in, shards), strict=True)
            return {shard: it for shard, it in swept if it is not None}

    def check(self) -> None:
        """Raises SweepError if any of it failed."""
        if self.faults:
            raise SweepError(f"{self.faults} of the entries or shards")

    def _in(self, shard: str) -> Swept | None:
        work = self._due if shard in event_table.WAKE_SHARDS else self._look
        return self.guarded(shard, partial(work, shard))

    def guarded(self, name: str, work: Callable[[], T]) -> T | None:
        """What is broken stops nothing beside it. None if it is."""
        try:
            return work()
        except Exception as error:
            self.faults += 1
            logger.error("sweep.broke", entry=name, **fault(error))
            return None

    def _due(self, shard: str) -> Swept:
        swept = Swept()
        for page in self._wake.pages(shard, self._clock()):
            if not self._has_time():
                return self._left(swept, page[0].wake_at)
            swept = total([swept, *map(self._move, page)])
        return swept

    def _left(self, swept: Swept, due_at: int) -> Swept:
        return swept.model_copy(update={"behind_ms": max(1, self._clock() - due_at)})

    def _move(self, entry: DueEntry) -> Swept:
        move = self._look_again if entry.is_event else self._requeue
        return self.guarded(entry.sk, lambda: move(entry)) or Swept()

    def _requeue(self, entry: DueEntry) -> Swept:
        now = self._clock()
        delivery = self._wake.push_back(entry, now)
        if delivery is None:
            return Swept()
        self._queue.send([_next(delivery)], (delivery.next_attempt_at or now) - now)
        return Swept(requeued=1)

    def _look_again(self, entry: DueEntry) -> Swept:
        """The event stays in the index if that is in vain once more, or takes too long."""
        looked = self._begin(self._unseen.events([entry.pk]))
        if looked.stopped_at is None:
            self._wake.forget(entry)
        return looked.swept

    def _look(self, shard: str) -> Swept:
        """Goes on from where the last run stopped; a crash on the way repeats a page."""
        swept = Swept()
        for batch in self._unseen.batches(shard):
            if not self._has_time():
                return self._left(swept, batch.due_at)
            looked = self._begin(self._unseen.events(batch.pks))
            swept = total([swept, looked.swept])
            if looked.stopped_at is not None:
                if (place := batch.place_before(looked.stopped_at)) is not None:
                    self._unseen.save(shard, place)
                return self._left(swept, batch.due_at)
            self._unseen.save(shard, batch.place)
        return swept

    def _begin(self, events: Sequence[Event]) -> Looked:
        """What should have begun by now, and has not. An event may have any number of deliveries:
        one at which the time ends is looked at once more, and those that were begun are known."""
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
            found = self._or_again([event], partial(first_pointers, event, self._ask))
            yield from ((event, pointer) for pointer in found or ())

    def _begin_lost(self, expected: Sequence[Expected]) -> int:
        known = {one.request_id: one for one in self._wake.begun([it for _, it in expected])}
        for delivery in known.values():
            if delivery.state is DeliveryState.SENDING:
                self._wake.watch(delivery)
        lost = [(event, it) for event, it in expected if it.request_id not in known]
        begun = [pointer for event, pointer in lost if self._begin_one(event, pointer)]
        self._queue.send(begun)
        return len(begun)

    def _begin_one(self, event: Event, pointer: AttemptMessage) -> bool:
        begin = partial(self._wake.begin, pointer, event, self._clock())
        return self._or_again([event], begin) or False

    def _or_again(self, events: Iterable[Event], work: Callable[[], T]) -> T | None:
        """The sweep goes on, so the events at which it could not look are put into the index."""
        some = list(events)
        done = self.guarded(some[0].key, work)
        if done is None:
            for event in some:
                self._wake.look_again(event, self._clock())
        return done


def _next(delivery: Delivery) -> AttemptMessage:
    """An attempt that was begun and has no outcome is made again."""
    was_begun = delivery.state is DeliveryState.SENDING
    return delivery.pointer(delivery.attempt) if was_begun else delivery.next_pointer


def _begun(number: int) -> Swept:
    return Swept(requeued=number, begun=number)


def total(swept: Iterable[Swept]) -> Swept:
    every = list(swept)
    return Swept(
        requeued=sum(one.requeued for one in every),
        begun=sum(one.begun for one in every),
        behind_ms=max((one.behind_ms for one in every), default=0),
    )
