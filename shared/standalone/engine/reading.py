"""Queries of a table or of one of its indexes."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import accumulate, islice
from typing import Any

from shared.standalone.engine import conditions, updates
from shared.standalone.engine.conditions import ConditionExpression
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.sizes import size_at_most
from shared.standalone.engine.tables import Bounds, Index, Key, Place, StoredTable
from shared.standalone.engine.template import Json
from shared.standalone.engine.tokens import Tokens, Used
from shared.standalone.engine.values import Item, UnsupportedError, plain

_KNOWN = {
    "IndexName",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    "ExclusiveStartKey",
    "Limit",
    "ScanIndexForward",
    "ConsistentRead",
    "Select",
}
# What a page holds, before the filter.
PAGE_BYTES = 1024 * 1024
# No character of UTF-8 has this byte.
_AFTER_ANY_TEXT = b"\xff"
_FROM = frozenset({"=", ">", ">="})
_UP_TO = frozenset({"=", "<", "<="})


class QueryRequest:
    def __init__(self, table: StoredTable, request: Json) -> None:
        if unknown := request.keys() - _KNOWN:
            raise UnsupportedError(f"Query with {sorted(unknown)}")
        if request.get("Select", "COUNT") != "COUNT":
            raise UnsupportedError(f"Query with Select={request['Select']}")
        self._table = table
        self._request = request
        self._names: dict[str, str] = request.get("ExpressionAttributeNames", {})
        self._values: Item = request.get("ExpressionAttributeValues", {})
        self._index: Index = table.primary
        if "IndexName" in request:
            self._index = table.indexes[request["IndexName"]]
            if request.get("ConsistentRead"):
                raise client_error("Query", "ValidationException", "Not on a secondary index")

    def answer(self, now: int) -> Json:
        """A page: `Limit` counts what was read, before the filter."""
        self._index.catch_up(now)
        keep, limit = self._compiled("FilterExpression"), self._request.get("Limit", 1_000_000)
        read = list(islice(self._matching(), limit))
        fitting = self._fitting(read)
        items = [item for _, item in fitting if keep is None or keep.holds(item, self._values)]
        is_cut = len(fitting) < len(read) or len(read) == limit
        return self._page(items, len(fitting), fitting[-1][1] if is_cut else None)

    def partition(self) -> list[Key]:
        """The keys of the items that it is about, whatever it wants of them."""
        partition, _ = self._where(self._request["KeyConditionExpression"])
        return [key for (_, key), _ in self._index.read(partition, Bounds())]

    def _fitting(self, read: list[tuple[Place, Item]]) -> list[tuple[Place, Item]]:
        """What of this fits into a page."""
        if size_at_most([item for _, item in read]) <= PAGE_BYTES:
            return read
        sizes = accumulate(self._index.size(place) for place, _ in read)
        return read[: bisect_right(list(sizes), PAGE_BYTES)]

    def _page(self, items: list[Item], read: int, last: Item | None) -> Json:
        page: Json = {"Count": len(items), "ScannedCount": read}
        if self._request.get("Select") != "COUNT":
            text = self._request.get("ProjectionExpression")
            page["Items"] = [projected(item, text, self._names) for item in items]
        if last is not None:
            names = {*self._table.schema, *self._index.schema}
            page["LastEvaluatedKey"] = {name: last[name] for name in names}
        return page

    def _compiled(self, name: str) -> ConditionExpression | None:
        text = self._request.get(name)
        return None if text is None else conditions.compiled(text, self._names)

    def _matching(self) -> Iterator[tuple[Place, Item]]:
        text = self._request["KeyConditionExpression"]
        partition, bounds = self._where(text)
        wanted = conditions.compiled(text, self._names)
        for place, item in self._index.read(partition, bounds):
            if wanted.holds(item, self._values):
                yield place, item

    def _where(self, text: str) -> tuple[Any, Bounds]:
        """The partition, and the bounds of the range key as far as they help to find it fast."""
        tokens = Tokens(text, self._names, Used(set(), set()))
        if tokens.path() != (self._index.schema.hash,) or not tokens.take("="):
            raise UnsupportedError(f"{text!r} does not begin with the partition key")
        partition = plain(self._values[tokens.value()])
        low, high = self._range(tokens) if tokens.take("AND") else (None, None)
        forward = self._request.get("ScanIndexForward", True)
        return partition, Bounds(low, high, self._after(), forward)

    def _range(self, tokens: Tokens) -> tuple[Any, Any]:
        """The least and the greatest range key that may match; None for no limit."""
        if tokens.take("BEGINS_WITH"):
            tokens.expect("(")
            tokens.path()
            tokens.expect(",")
            prefix = plain(self._values[tokens.value()])
            return prefix, prefix + _AFTER_ANY_TEXT
        tokens.path()
        if tokens.take("BETWEEN"):
            low = plain(self._values[tokens.value()])
            tokens.expect("AND")
            return low, plain(self._values[tokens.value()])
        sign, limit = tokens.next(), plain(self._values[tokens.value()])
        if sign not in _FROM | _UP_TO:
            raise UnsupportedError(f"a range key with {sign!r}")
        return (limit if sign in _FROM else None), (limit if sign in _UP_TO else None)

    def _after(self) -> Place | None:
        start = self._request.get("ExclusiveStartKey")
        if start is None:
            return None
        if start.keys() != {*self._table.schema, *self._index.schema}:
            raise client_error(
                "Query", "ValidationException", "The provided starting key is invalid"
            )
        return plain(start[self._index.schema.range]), self._table.key_of(start)


def projected(item: Item, expression: str | None, names: Mapping[str, str]) -> Item:
    return item if expression is None else updates.projection(expression, names).of(item)
