"""What reading and writing an item costs.

Sources: "Item sizes and formats", "Read and write operations", "Global secondary indexes: write
capacity units" in the Amazon DynamoDB developer guide.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from shared.standalone.engine.sizes import size

WRITE_UNIT = 1024
READ_UNIT = 4096

Item = Mapping[str, Any]


def write_units(before: Item | None, after: Item | None) -> int:
    """Of one write to a table; a refused or empty one costs a unit."""
    return max(1, *(_ceiling(size(item), WRITE_UNIT) for item in (before or {}, after or {})))


def read_units(sizes: Iterable[int], consistent: bool = True) -> float:
    """Of items that are read together, as by a Query. Nothing found costs as much as little."""
    whole = max(1, _ceiling(sum(sizes), READ_UNIT))
    return whole if consistent else whole / 2


class Index:
    """A secondary index, by its declaration in the template."""

    def __init__(self, declared: Mapping[str, Any], table_keys: Iterable[str]) -> None:
        self.name: str = declared["IndexName"]
        self._keys = {entry["AttributeName"] for entry in declared["KeySchema"]}
        projected = declared["Projection"].get("NonKeyAttributes", ())
        self._all = declared["Projection"]["ProjectionType"] == "ALL"
        self._columns = self._keys | set(table_keys) | set(projected)

    def entry(self, item: Item | None) -> Item | None:
        """What the index holds of an item; None for one that lacks a key of the index."""
        if item is None or not self._keys <= item.keys():
            return None
        return {name: item[name] for name in item if self._all or name in self._columns}

    def write_units(self, before: Item | None, after: Item | None) -> int:
        old, new = self.entry(before), self.entry(after)
        if old == new:
            return 0
        if old is None or new is None or self._place(old) == self._place(new):
            return write_units(old, new)
        return write_units(old, None) + write_units(None, new)  # moved: out, and in again

    def _place(self, entry: Item) -> dict[str, Any]:
        return {name: entry[name] for name in self._keys}


def _ceiling(amount: int, unit: int) -> int:
    return -(-amount // unit)
