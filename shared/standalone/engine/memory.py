"""Tables in memory: items by their key, and sparse indexes beside them that may lag behind."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from shared.standalone.engine.sizes import size
from shared.standalone.engine.tables import (
    Bounds,
    Key,
    Place,
    Schema,
    expires_s,
    place_in,
    projected_names,
    schema_of,
    shown,
)
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import Item, plain


class MemoryIndex:
    """Keys of items by partition and in the order of the range key.

    `pending` are changes that a reader of the index does not see yet.
    """

    def __init__(self, schema: Schema, projected: frozenset[str] | None) -> None:
        self.schema = schema
        self.projected = projected
        self._partitions: dict[Any, list[Place]] = {}
        self._entries: dict[Key, tuple[Any, Any, Item]] = {}
        self._sizes: dict[Key, int] = {}
        self._pending: deque[tuple[int, Key, Item | None]] = deque()

    def change(self, due: int, now: int, key: Key, item: Item | None) -> None:
        if due <= now and not self._pending:
            self._apply(key, item)
        else:
            self._pending.append((due, key, item))

    def catch_up(self, now: int) -> None:
        while self._pending and self._pending[0][0] <= now:
            _, key, item = self._pending.popleft()
            self._apply(key, item)

    def read(self, partition: Any, bounds: Bounds) -> Iterator[tuple[Place, Item]]:
        """The entries of a partition within the bounds, each with its place."""
        places = self._partitions.get(partition, [])
        first = 0 if bounds.low is None else bisect_left(places, bounds.low, key=_order)
        last = len(places)
        if bounds.high is not None:
            last = bisect_right(places, bounds.high, key=_order)
        if bounds.after is not None and bounds.forward:
            first = max(first, bisect_right(places, bounds.after))
        elif bounds.after is not None:
            last = min(last, bisect_left(places, bounds.after))
        numbers = range(first, last) if bounds.forward else range(last - 1, first - 1, -1)
        for number in numbers:
            yield places[number], self._entries[places[number][1]][2]

    def size(self, place: Place) -> int:
        """Of the entry at this place, in bytes."""
        key = place[1]
        if key not in self._sizes:
            self._sizes[key] = size(self._entries[key][2])
        return self._sizes[key]

    def _apply(self, key: Key, item: Item | None) -> None:
        self._forget(key)
        where = None if item is None else place_in(self.schema, item)
        if item is not None and where is not None:
            partition, order = where
            self._entries[key] = (partition, order, shown(item, self.projected))
            insort(self._partitions.setdefault(partition, []), (order, key))

    def _forget(self, key: Key) -> None:
        self._sizes.pop(key, None)
        known = self._entries.pop(key, None)
        if known is None:
            return
        partition, order, _ = known
        entries = self._partitions[partition]
        del entries[bisect_left(entries, (order, key))]


class MemoryTable:
    def __init__(self, name: str, properties: Json) -> None:
        self.name = name
        self.schema = schema_of(properties["KeySchema"])
        self.items: dict[Key, Item] = {}
        self.primary = MemoryIndex(self.schema, None)
        self.indexes = {
            index["IndexName"]: self._index(index)
            for index in properties.get("GlobalSecondaryIndexes", [])
        }

    def key_of(self, item: Item) -> Key:
        return plain(item[self.schema.hash]), plain(item[self.schema.range])

    def get(self, key: Item) -> Item | None:
        return self.items.get(self.key_of(key))

    def write(self, old: Item | None, new: Item | None, now: int, lag_ms: int = 0) -> None:
        if (item := new or old) is not None:
            self._change(self.key_of(item), new, now, lag_ms)

    def _change(self, key: Key, item: Item | None, now: int, lag_ms: int) -> None:
        if item is None:
            self.items.pop(key, None)
        else:
            self.items[key] = item
        self.primary.change(now, now, key, item)
        for index in self.indexes.values():
            index.change(now + lag_ms, now, key, item)

    def expire(self, before_s: int, now: int) -> int:
        """Remove what the time to live has run out for, as DynamoDB does some time later."""
        gone = [item for item in self.items.values() if (expires_s(item) or before_s) < before_s]
        for item in gone:
            self.write(item, None, now)
        return len(gone)

    def _index(self, properties: Json) -> MemoryIndex:
        schema = schema_of(properties["KeySchema"])
        return MemoryIndex(schema, projected_names(self.schema, properties))


def memory_tables(declared: Mapping[str, Json]) -> dict[str, MemoryTable]:
    """Empty tables by name, as the template declares them."""
    return {name: MemoryTable(name, properties) for name, properties in declared.items()}


def _order(place: Place) -> Any:
    return place[0]
