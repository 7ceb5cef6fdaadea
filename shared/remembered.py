"""What a worker has read remains known to it for a short time."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from shared.clock import MS_PER_S, Clock

# A change, such as a revoked key, is promised to take effect within 60 s.
REMEMBER_MS = 30 * MS_PER_S
MAX_REMEMBERED = 1_000

K = TypeVar("K")
V = TypeVar("V")


class _Entry(NamedTuple, Generic[V]):
    until: int
    value: V


class Remembered(Generic[K, V]):
    """Up to 1,000 values, each for 30 s; the least recently used values go first.

    It is for one thread at a time. `max_weight` bounds the sum of the weights as well; the newest
    value stays, however heavy.
    """

    def __init__(
        self, clock: Clock, weight_of: Callable[[V], int] = lambda _: 0, max_weight: int = 0
    ) -> None:
        self._clock = clock
        self._weight_of = weight_of
        self._max_weight = max_weight
        self._entries: dict[K, _Entry[V]] = {}

    def get(self, key: K, read: Callable[[], V]) -> V:
        """The value; `read` gives one that is not known. An error of `read` is not remembered."""
        now, entry = self._clock(), self._entries.pop(key, None)
        if entry is not None and now < entry.until:
            self._entries[key] = entry
            return entry.value
        value = read()
        self._entries[key] = _Entry(now + REMEMBER_MS, value)
        self._make_room()
        return value

    def find(self, key: K) -> V | None:
        """None if no value is known."""
        entry = self._entries.get(key)
        return entry.value if entry is not None and self._clock() < entry.until else None

    def forget(self, key: K) -> None:
        self._entries.pop(key, None)

    def _make_room(self) -> None:
        weight = sum(self._weight_of(entry.value) for entry in self._entries.values())
        while len(self._entries) > 1 and (
            len(self._entries) > MAX_REMEMBERED or weight > self._max_weight
        ):
            oldest = self._entries.pop(next(iter(self._entries)))
            weight -= self._weight_of(oldest.value)
