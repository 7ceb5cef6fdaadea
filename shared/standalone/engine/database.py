"""What DynamoDB does with a request: each operation is one step, and fails or is made whole."""

from collections.abc import Callable, Mapping
from typing import Any

from shared.standalone.engine import conditions, updates
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.reading import QueryRequest, projected
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json
from shared.standalone.engine.tokens import Used
from shared.standalone.engine.values import Item, UnsupportedError, Wire, normal, normal_item

Request = dict[str, Any]

OLD = "ReturnValuesOnConditionCheckFailure"

OnChange = Callable[[StoredTable, Item | None, Item | None], None]


class Database:
    """`on_change` is told the old and the new image of every item that a write has changed."""

    def __init__(
        self, tables: Mapping[str, StoredTable], now: Callable[[], int], on_change: OnChange
    ) -> None:
        self.tables = tables
        self.lag_ms: Callable[[], int] = lambda: 0
        self._now = now
        self._on_change = on_change

    def put_item(
        self, *, TableName: str, Item: Item, ReturnValues: str = "NONE", **request: Any
    ) -> Json:
        table, item = self.tables[TableName], normal_item(Item)
        old = self._checked("PutItem", table, item, request)
        self._write(table, old, item)
        return _returned(ReturnValues, old, item, ())

    def delete_item(
        self, *, TableName: str, Key: Item, ReturnValues: str = "NONE", **request: Any
    ) -> Json:
        table = self.tables[TableName]
        old = self._checked("DeleteItem", table, Key, request)
        self._write(table, old, None)
        return _returned(ReturnValues, old, None, ())

    def update_item(
        self,
        *,
        TableName: str,
        Key: Item,
        UpdateExpression: str,
        ReturnValues: str = "NONE",
        **request: Any,
    ) -> Json:
        table = self.tables[TableName]
        update = updates.update(UpdateExpression, request.get("ExpressionAttributeNames", {}))
        old = self._checked("UpdateItem", table, Key, request, update.used)
        new = _updated(update, old or normal_item(Key), request)
        self._write(table, old, new)
        return _returned(ReturnValues, old, new, update.touched)

    def get_item(
        self,
        *,
        TableName: str,
        Key: Item,
        ConsistentRead: bool = False,
        ProjectionExpression: str | None = None,
        ExpressionAttributeNames: Mapping[str, str] | None = None,
    ) -> Json:
        item = self.tables[TableName].get(Key)
        if item is None:
            return {}
        return {"Item": projected(item, ProjectionExpression, ExpressionAttributeNames or {})}

    def batch_get_item(self, *, RequestItems: Mapping[str, Json]) -> Json:
        if sum(len(wanted["Keys"]) for wanted in RequestItems.values()) > 100:
            raise client_error("BatchGetItem", "ValidationException", "Too many items requested")
        found = {name: self._read_all(name, **wanted) for name, wanted in RequestItems.items()}
        return {"Responses": found, "UnprocessedKeys": {}}

    def _read_all(self, table: str, *, Keys: list[Item], **options: Any) -> list[Item]:
        read = (self.get_item(TableName=table, Key=key, **options) for key in Keys)
        return [answer["Item"] for answer in read if answer]

    def query(self, **request: Any) -> Json:
        return QueryRequest(self.tables[request.pop("TableName")], request).answer(self._now())

    def partition(self, **request: Any) -> list[Item]:
        """All items, as the table has them, of the partition that a Query is about."""
        table = self.tables[request.pop("TableName")]
        return [table.items[key] for key in QueryRequest(table, request).partition()]

    def _checked(
        self,
        operation: str,
        table: StoredTable,
        key: Item,
        request: Request,
        used: Used | None = None,
    ) -> Item | None:
        """The item as it is; raises what DynamoDB answers if the request's condition fails."""
        _refuse_unknown(operation, request)
        names = request.get("ExpressionAttributeNames", {})
        values = request.get("ExpressionAttributeValues", {})
        text, old = request.get("ConditionExpression"), table.get(key)
        condition = None if text is None else conditions.compiled(text, names)
        _refuse_unused(operation, request, [condition.used if condition else None, used])
        if condition is not None and not condition.holds(old or {}, values):
            shown = {"Item": old} if request.get(OLD) == "ALL_OLD" and old is not None else {}
            raise client_error(operation, "ConditionalCheckFailedException", more=shown)
        return old

    def _write(self, table: StoredTable, old: Item | None, new: Item | None) -> None:
        if new != old:
            table.write(old, new, self._now(), self.lag_ms())
            self._on_change(table, old, new)


_KNOWN = {
    "ConditionExpression",
    "ExpressionAttributeNames",
    "ExpressionAttributeValues",
    OLD,
}


def _updated(update: updates.UpdateExpression, old: Item, request: Request) -> Item:
    try:
        new = update.apply(old, request.get("ExpressionAttributeValues", {}))
    except updates.InvalidUpdateError as error:
        raise client_error("UpdateItem", "ValidationException", str(error)) from None
    for name in update.touched:
        if name in new:
            new[name] = normal(new[name])
    return new


def _returned(wanted: str, old: Item | None, new: Item | None, touched: tuple[str, ...]) -> Json:
    image: Mapping[str, Wire] | None = {"ALL_NEW": new, "ALL_OLD": old, "UPDATED_NEW": new}.get(
        wanted
    )
    if wanted not in ("NONE", "ALL_NEW", "ALL_OLD", "UPDATED_NEW"):
        raise UnsupportedError(f"ReturnValues={wanted}")
    if image is None:
        return {}
    if wanted == "UPDATED_NEW":
        image = {name: image[name] for name in touched if name in image}
    return {"Attributes": image}


def _refuse_unknown(operation: str, request: Request) -> None:
    if unknown := request.keys() - _KNOWN:
        raise UnsupportedError(f"{operation} with {sorted(unknown)}")


def _united(used: list[Used]) -> Used:
    names = set().union(*(one.names for one in used))
    return Used(names, set().union(*(one.values for one in used)))


def _refuse_unused(operation: str, request: Request, used: list[Used | None]) -> None:
    found = [one for one in used if one is not None]
    names, values = found[0] if len(found) == 1 else _united(found)
    given_names = request.get("ExpressionAttributeNames", {}).keys()
    given_values = request.get("ExpressionAttributeValues", {}).keys()
    if names != given_names or values != given_values:
        raise client_error(
            operation,
            "ValidationException",
            f"names {sorted(names ^ given_names)}, values {sorted(values ^ given_values)}: "
            "given and not used, or used and not given",
        )
