"""What a table of DynamoDB and its indexes are to the engine, wherever they hold their items."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from shared.standalone.engine.template import Json
from shared.standalone.engine.values import Item, plain

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


class Index(Protocol):
    """Entries by partition, and in a partition by the range key, then by the key of the item."""

    schema: Schema

    def catch_up(self, now: int) -> None:
        """Show what has changed up to `now` (ms)."""
        ...

    def read(self, partition: Any, bounds: Bounds) -> Iterator[tuple[Place, Item]]: ...

    def size(self, place: Place) -> int:
        """The bytes of an entry that was read."""
        ...


class StoredTable(Protocol):
    name: str
    schema: Schema

    @property
    def primary(self) -> Index: ...

    @property
    def indexes(self) -> Mapping[str, Index]: ...

    @property
    def items(self) -> Mapping[Key, Item]: ...

    def key_of(self, item: Item) -> Key: ...

    def get(self, key: Item) -> Item | None: ...

    def write(self, old: Item | None, new: Item | None, now: int, lag_ms: int = 0) -> None:
        """`new` in place of `old`; None for no item. An index may show it `lag_ms` later."""
        ...


def schema_of(keys: list[dict[str, str]]) -> Schema:
    by_type = {key["KeyType"]: key["AttributeName"] for key in keys}
    return Schema(by_type["HASH"], by_type["RANGE"])


def place_in(schema: Schema, item: Item) -> tuple[Any, Any] | None:
    """The partition and the range key; None if the item lacks one, and so is not in the index."""
    if schema.hash not in item or schema.range not in item:
        return None
    return plain(item[schema.hash]), plain(item[schema.range])


def projected_names(table: Schema, properties: Json) -> frozenset[str] | None:
    """The attributes that an index of the template shows; None for all."""
    projection = properties["Projection"]
    if projection["ProjectionType"] == "ALL":
        return None
    own = schema_of(properties["KeySchema"])
    return frozenset({*table, *own, *projection.get("NonKeyAttributes", [])})


def shown(item: Item, names: frozenset[str] | None) -> Item:
    return item if names is None else {name: item[name] for name in item if name in names}


def expires_s(item: Item) -> int | None:
    """When the time to live of an item ends (Unix time in seconds)."""
    value = item.get("expires_at")
    return None if value is None else int(value["N"])
