"""Which messages a fair queue hands out first.

Source: SQS Developer Guide, "How Amazon SQS fair queues work". A group is noisy with more than a
tenth of the messages in flight, and 30 at least, or with more than a tenth of the recent processing
time. Quiet groups go first; of the noisy ones, whoever has the fewest in flight.
"""

import heapq
from collections import Counter, deque
from dataclasses import dataclass, field
from itertools import count

from shared.standalone.engine.template import Json

NOISY_SHARE = 0.1
NOISY_IN_FLIGHT = 30
# Over how long processing time counts as recent: ours to choose, the guide does not say.
RECENT_MS = 60_000


@dataclass(eq=False)
class QueuedMessage:
    number: int
    body: str
    group: str
    attributes: Json = field(default_factory=dict)
    receives: int = 0
    received_at: int = 0


class Shares:
    """What the groups of a queue take of its consumers."""

    def __init__(self) -> None:
        self._in_flight: Counter[str] = Counter()
        self._recent_ms: Counter[str] = Counter()
        self._in_all = [0, 0]
        self._processed: deque[tuple[int, str, int]] = deque()

    def began(self, group: str) -> None:
        self._in_flight[group] += 1
        self._in_all[0] += 1

    def ended(self, group: str, now: int, took_ms: int) -> None:
        self._in_flight[group] -= 1
        self._in_all[0] -= 1
        self._processed.append((now, group, took_ms))
        self._count(group, took_ms)
        while self._processed[0][0] < now - RECENT_MS:
            _, old, ms = self._processed.popleft()
            self._count(old, -ms)

    def in_flight(self, group: str) -> int:
        return self._in_flight[group]

    def is_noisy(self, group: str) -> bool:
        mine, everyones = self._in_flight[group], self._in_all[0]
        if mine >= NOISY_IN_FLIGHT and mine > NOISY_SHARE * everyones:
            return True
        return self._recent_ms[group] > NOISY_SHARE * self._in_all[1]

    def _count(self, group: str, took_ms: int) -> None:
        self._recent_ms[group] += took_ms
        self._in_all[1] += took_ms


class Ready:
    """Messages that can be received, by group, and the groups by their oldest one."""

    def __init__(self) -> None:
        self._messages: dict[str, deque[tuple[int, QueuedMessage]]] = {}
        self._groups: list[tuple[int, str]] = []
        self._numbers = count()

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, message: QueuedMessage) -> None:
        waiting = self._messages.setdefault(message.group, deque())
        waiting.append((next(self._numbers), message))
        if len(waiting) == 1:
            heapq.heappush(self._groups, (waiting[0][0], message.group))

    def take(self, limit: int, shares: Shares | None) -> list[QueuedMessage]:
        """The oldest; with `shares`, those of quiet groups before those of noisy ones."""
        taken: list[QueuedMessage] = []
        noisy: list[tuple[int, str]] = []
        while self._groups and len(taken) < limit:
            place = heapq.heappop(self._groups)
            if shares is not None and shares.is_noisy(place[1]):
                noisy.append(place)
            else:
                taken.append(self._next_of(place[1]))
        if shares is not None:
            noisy.sort(key=lambda place: shares.in_flight(place[1]))
        for place in noisy:
            heapq.heappush(self._groups, place)
        for _, group in noisy if len(taken) < limit else []:
            taken += self._all_of(group, limit - len(taken))
        return taken

    def count(self, group: str) -> int:
        return len(self._messages.get(group, ()))

    def clear(self) -> None:
        self._messages.clear()
        self._groups.clear()

    def __len__(self) -> int:
        return sum(map(len, self._messages.values()))

    def _next_of(self, group: str) -> QueuedMessage:
        """The oldest of a group that is not in `_groups` now, and is again if it has more."""
        waiting = self._messages[group]
        message = waiting.popleft()[1]
        if waiting:
            heapq.heappush(self._groups, (waiting[0][0], group))
        else:
            del self._messages[group]
        return message

    def _all_of(self, group: str, limit: int) -> list[QueuedMessage]:
        taken: list[QueuedMessage] = []
        while limit > len(taken) and group in self._messages:
            self._groups.remove((self._messages[group][0][0], group))
            heapq.heapify(self._groups)
            taken.append(self._next_of(group))
        return taken
