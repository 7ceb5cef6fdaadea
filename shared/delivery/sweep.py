"""Every minute: whatever is due soon, and whatever was lost, goes back into the retry queue."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from shared.clock import Clock
from shared.delivery.fanout import Wanting, first_pointers
from shared.delivery.models import Delivery, State
from shared.delivery.queues import Pointer, Queue
from shared.delivery.wake import Entry, WakeIndex
from shared.events import keys
from shared.events.models import Event
from shared.model import Model
from shared.observability import fault, logger

PARALLEL = 10


class SweepError(Exception):
    """Something could not be looked at; everything else was."""


class Swept(Model):
    """How many deliveries were queued again, and how many of them were never begun before."""

    requeued: int
    begun: int


class Sweep:
    """`has_time` is asked before each page; what is left over is found by the next run."""

    def __init__(
        self,
        wake: WakeIndex,
        queue: Queue,
        ask: Wanting,
        clock: Clock,
        has_time: Callable[[], bool],
    ) -> None:
        self._wake = wake
        self._queue = queue
        self._ask = ask
        self._clock = clock
        self._has_time = has_time
        self._faults = 0

    def run(self) -> Swept:
        """Raises SweepError at the end if any of it failed."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            requeued = sum(pool.map(self._deliveries_of, keys.DELIVERY_SHARDS))
            begun = sum(pool.map(self._events_of, keys.EVENT_SHARDS))
        if self._faults:
            raise SweepError(f"{self._faults} of the entries or shards")
        return Swept(requeued=requeued + begun, begun=begun)

    def _deliveries_of(self, shard: str) -> int:
        return self._guarded(shard, lambda: self._deliveries(shard)) or 0

    def _events_of(self, shard: str) -> int:
        return self._guarded(shard, lambda: self._events(shard)) or 0

    def _guarded(self, name: str, work: Callable[[], int]) -> int | None:
        """What is broken stops nothing beside it. None if it is."""
        try:
            return work()
        except Exception as error:
            self._faults += 1
            logger.error("sweep.broke", entry=name, **fault(error))
            return None

    def _deliveries(self, shard: str) -> int:
        requeued = 0
        for page in self._wake.pages(shard, 0, self._clock()):
            if not self._has_time():
                break
            requeued += sum(self._requeue(entry) for entry in page)
        return requeued

    def _requeue(self, entry: Entry) -> int:
        return self._guarded(entry.sk, lambda: self._requeue_it(entry)) or 0

    def _requeue_it(self, entry: Entry) -> bool:
        now = self._clock()
        delivery = self._wake.push_back(entry, now)
        if delivery is None:
            return False
        self._queue.send([_next(delivery)], (delivery.next_attempt_at or now) - now)
        return True

    def _events(self, shard: str) -> int:
        """Reads on from where the last run stopped; a crash on the way repeats what it had done."""
        start = self._wake.read_to(shard)
        begun, last = 0, start
        for page in self._wake.pages(shard, start, self._clock()):
            if last > start:  # this page may begin within the millisecond that ended the last one
                self._wake.save_read_to(shard, last - 1)
            if not self._has_time():
                return begun
            begun += sum(self._begin(event) for event in self._wake.events(page))
            last = page[-1].wake_at
        if last > start:
            self._wake.save_read_to(shard, last)
        return begun

    def _begin(self, event: Event) -> int:
        """The cursor goes on, so what could not be looked at is placed before it again."""
        begun = self._guarded(event.key, lambda: self._begin_lost(event))
        if begun is None:
            self._wake.look_again(event, self._clock())
        return begun or 0

    def _begin_lost(self, event: Event) -> int:
        expected = first_pointers(event, self._ask)
        known = {delivery.request_id: delivery for delivery in self._wake.begun(expected)}
        for delivery in known.values():
            if delivery.state is State.SENDING:
                self._wake.watch(delivery)
        lost = [pointer for pointer in expected if pointer.request_id not in known]
        now = self._clock()
        begun = [pointer for pointer in lost if self._wake.begin(pointer, event, now)]
        self._queue.send(begun)
        return len(begun)


def _next(delivery: Delivery) -> Pointer:
    """An attempt that was begun and has no outcome is made again."""
    was_begun = delivery.state is State.SENDING
    return delivery.pointer(delivery.attempt) if was_begun else delivery.next_pointer
