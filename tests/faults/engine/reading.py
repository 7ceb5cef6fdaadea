"""Queries of a table or of one of its indexes."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from tests.faults.engine import conditions, updates
from tests.faults.engine.conditions import Condition
from tests.faults.engine.errors import client_error
from tests.faults.engine.tables import Bounds, Index, Place, Table
from tests.faults.engine.tokens import Tokens, Used
from tests.faults.engine.values import Item, UnsupportedError, plain
from tests.template import Json

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
}


class Query:
    def __init__(self, table: Table, request: Json) -> None:
        if unknown := request.keys() - _KNOWN:
            raise UnsupportedError(f"Query with {sorted(unknown)}")
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
        items = [item for _, item in read if keep is None or keep.holds(item, self._values)]
        return self._page(items, len(read), read[-1][1] if len(read) == limit else None)

    def _page(self, items: list[Item], read: int, last: Item | None) -> Json:
        text = self._request.get("ProjectionExpression")
        shown = [projected(item, text, self._names) for item in items]
        page: Json = {"Items": shown, "Count": len(shown), "ScannedCount": read}
        if last is not None:
            names = {*self._table.schema, *self._index.schema}
            page["LastEvaluatedKey"] = {name: last[name] for name in names}
        return page

    def _compiled(self, name: str) -> Condition | None:
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
        low = high = None
        if tokens.take("AND") and tokens.peek() not in ("BEGINS_WITH", "("):
            tokens.path()
            if tokens.take("BETWEEN"):
                low = plain(self._values[tokens.value()])
                tokens.expect("AND")
                high = plain(self._values[tokens.value()])
        forward = self._request.get("ScanIndexForward", True)
        return partition, Bounds(low, high, self._after(), forward)

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
