"""Erases a visitor: first the entries that lead to the visitor, then one event after the other.

Each event is visited twice. The first round erases its payload, the second its deliveries: a worker
may have read the event just before the first. Only then does the event leave the index, so another
call finds everything that a crash, or the end of the time, has left.
"""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import NamedTuple

from shared.clock import MS_PER_S, Clock
from shared.errors import ContentionError, NotFoundError
from shared.events.store import EventStore
from shared.model import Model
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.privacy.visitor_entries import VisitorEntries
from shared.visitors.history import History
from shared.visitors.store import VisitorStore

# An HTTP API waits much longer for its function.
BUDGET_MS = 8 * MS_PER_S
# Enough for a worker that has read an event to claim its delivery, and for the index to follow.
PAUSE_S = 1.0
PARALLEL = 10
ROUNDS = 10


class ErasureReport(Model):
    """The work of one call. Call again unless it is `complete`."""

    visitor_id: str
    identities: int
    events: int
    deliveries: int
    cancelled: int
    complete: bool


class ErasureBegun(NamedTuple):
    """`identities` is their number if the visitor was known until now; None for a visitor who
    `was_erased` before or is known only by events."""

    ids: frozenset[str]
    identities: int | None
    was_erased: bool = False

    @property
    def is_fresh(self) -> bool:
        return self.identities is not None


class ErasureProgress(NamedTuple):
    """`left` are the events that need another round, `moved` the events that made progress."""

    events: int = 0
    deliveries: int = 0
    cancelled: int = 0
    left: int = 0
    moved: int = 0


class VisitorErasure:
    def __init__(
        self,
        visitors: VisitorStore,
        entries: VisitorEntries,
        history: History,
        events: EventStore,
        deliveries: DeliveryErasure,
        clock: Clock,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._visitors = visitors
        self._entries = entries
        self._history = history
        self._events = events
        self._deliveries = deliveries
        self._clock = clock
        self._pause = pause

    def run(self, workspace_id: str, visitor_id: str) -> ErasureReport:
        """Raises NotFoundError for an unknown id, and ContentionError."""
        until = self._clock() + BUDGET_MS
        begun = self._begin(workspace_id, visitor_id)
        done, is_complete = self._rounds(workspace_id, begun, until)
        is_known = begun.is_fresh or begun.was_erased
        if not is_known and done == ErasureProgress():
            raise NotFoundError(f"No visitor {visitor_id} is known here.")
        if is_complete:
            self._entries.end(workspace_id, begun.ids, self._clock())
        return ErasureReport(
            visitor_id=visitor_id,
            identities=begun.identities or 0,
            events=done.events,
            deliveries=done.deliveries,
            cancelled=done.cancelled,
            complete=is_complete,
        )

    def _begin(self, workspace_id: str, visitor_id: str) -> ErasureBegun:
        for _ in range(ROUNDS):
            now = self._clock()
            entry = self._visitors.find(workspace_id, visitor_id, now)
            ids = entry.erasing | {visitor_id}
            if entry.visitor is None:
                return ErasureBegun(ids, None, entry.is_erased)
            if self._entries.begin(entry, entry.visitor, now):
                return ErasureBegun(ids | entry.visitor.ids, len(entry.visitor.identities))
        raise ContentionError

    def _rounds(
        self, workspace_id: str, begun: ErasureBegun, until: int
    ) -> tuple[ErasureProgress, bool]:
        total = ErasureProgress()
        for number in count():
            seen = self._round(workspace_id, begun.ids, until)
            total = _sum([total, seen])
            if seen.left == 0 and (number > 0 or not begun.is_fresh):
                return total, True
            if (seen.left and not seen.moved) or self._clock() >= until:
                return total, False
            self._pause(PAUSE_S)
        raise AssertionError

    def _round(self, workspace_id: str, ids: Iterable[str], until: int) -> ErasureProgress:
        found = ErasureProgress()
        with ThreadPoolExecutor(PARALLEL) as pool:
            for page in self._history.partitions(workspace_id, sorted(ids)):
                found = _sum([found, *pool.map(self._event, page)])
                if self._clock() >= until:
                    return found._replace(left=found.left + 1)
        return found

    def _event(self, pk: str) -> ErasureProgress:
        event = self._events.at(pk)
        if event is None or event.visitor_id is None:  # the index is older than the table
            return ErasureProgress()
        if event.erased_at is None:
            self._events.erase(event, self._clock())
            return ErasureProgress(left=1, moved=1)
        erased = self._deliveries.erase(event, self._clock())
        if not erased.is_complete:
            return ErasureProgress(cancelled=erased.cancelled, left=1)
        self._events.untie(event)
        return ErasureProgress(1, erased.deliveries, erased.cancelled, left=0, moved=1)


def _sum(some: Iterable[ErasureProgress]) -> ErasureProgress:
    return ErasureProgress(*(sum(numbers) for numbers in zip(*some, strict=True)))
