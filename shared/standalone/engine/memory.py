"""A DynamoDB table: items by their key, and sparse indexes beside them that may lag behind."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

from shared.standalone.engine.sizes import size
from shared.standalone.engine.values import Item, Wire, plain
from shared.standalone.template import Json

Key = tuple[Any, Any]
Place = tuple[Any, Key]  # the range key of an index, then the key of the item


class Schema(NamedTuple):
    hash: str
    range: str


class Bounds(NamedTuple):
    """What of a partition is read: of its range keys, and after which place."""

    low: Any = None
    high: Any = None
    after: Place | None = None
    forward: bool = True


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
        if item is not None and self._is_in(item):
            self._enter(key, item)

    def _is_in(self, item: Item) -> bool:
        return self.schema.hash in item and self.schema.range in item

    def _enter(self, key: Key, item: Item) -> None:
        partition, order = plain(item[self.schema.hash]), plain(item[self.schema.range])
        self._entries[key] = (partition, order, self._shown(item))
        insort(self._partitions.setdefault(partition, []), (order, key))

    def _forget(self, key: Key) -> None:
        self._sizes.pop(key, None)
        known = self._entries.pop(key, None)
        if known is None:
            return
        partition, order, _ = known
        entries = self._partitions[partition]
        del entries[bisect_left(entries, (order, key))]

    def _shown(self, item: Item) -> Item:
        if self.projected is None:
            return item
        return {name: value for name, value in item.items() if name in self.projected}


class MemoryTable:
    def __init__(self, name: str, properties: Json) -> None:
        self.name = name
        self.schema = _schema(properties["KeySchema"])
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

    def store(self, item: Item, now: int, lag_ms: int = 0) -> None:
        self._change(self.key_of(item), item, now, lag_ms)

    def remove(self, key: Item, now: int, lag_ms: int = 0) -> None:
        self._change(self.key_of(key), None, now, lag_ms)

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
        gone = [i for i in self.items.values() if _expires(i) < before_s]
        for item in gone:
            self.remove(item, now)
        return len(gone)

    def _index(self, properties: Json) -> MemoryIndex:
        schema = _schema(properties["KeySchema"])
        projection = properties["Projection"]
        if projection["ProjectionType"] == "ALL":
            return MemoryIndex(schema, None)
        shown = {*self.schema, *schema, *projection.get("NonKeyAttributes", [])}
        return MemoryIndex(schema, frozenset(shown))


def _order(place: Place) -> Any:
    return place[0]


def _schema(keys: list[dict[str, str]]) -> Schema:
    by_type = {key["KeyType"]: key["AttributeName"] for key in keys}
    return Schema(by_type["HASH"], by_type["RANGE"])


def _expires(item: Item) -> int:
    value: Wire = item.get("expires_at", {"N": str(1 << 60)})
    return int(value["N"])
