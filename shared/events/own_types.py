"""A workspace's own event types in ConfigTable, each one item."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from botocore.exceptions import ClientError
from pydantic import Field, StringConstraints

from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, is_condition
from shared.aws.transaction import TransactionRefusedError, transact
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.events.models import EventType
from shared.events.schema_bounds import Schema
from shared.model import Model
from shared.tables import config_table

if TYPE_CHECKING:
    pass


Group = Annotated[str, StringConstraints(max_length=64)]
Definition = Annotated[
    Schema | None,
    Field(
        alias="schema",
        description="JSON Schema, draft 2020-12, of the `data` of its events.",
        examples=[{"type": "object", "required": ["sku"]}],
    ),
]


class EventTypeNew(Model):
    name: EventType
    group: Group = ""
    description: Annotated[str, StringConstraints(max_length=512)] = ""
    definition: Definition = None


class OwnType(Model):
    """`definition` is the JSON Schema of the data of its events. Times are milliseconds."""

    workspace_id: str
    name: str
    group: str
    description: str
    definition: Schema | None
    created_at: int
    updated_at: int


_COLUMNS = frozenset(OwnType.model_fields)


class EventTypeStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def save(self, own: OwnType, limit: int) -> tuple[OwnType, bool]:
        """The type as it is now, and whether it is new.

        Raises ForbiddenError if it would be more than `limit`.
        """
        try:
            transact(self._dynamodb, [self._new(own), self._count(own.workspace_id, 1, limit)])
        except TransactionRefusedError as error:
            if 0 in error.failed:
                return self._replace(own), False
            raise ForbiddenError(f"The plan limit of {limit} own event types is reached.") from None
        return own, True

    def delete(self, workspace_id: str, name: str) -> None:
        key = to_item(_key(workspace_id, name))
        condition = {"ConditionExpression": "attribute_exists(pk)"}
        gone = {"Delete": {"TableName": self._table, "Key": key, **condition}}
        try:
            transact(self._dynamodb, [gone, self._count(workspace_id, -1, None)])
        except TransactionRefusedError:
            raise _unknown(name) from None

    def find(self, workspace_id: str, name: str) -> OwnType:
        found = self._read(workspace_id, name)
        if found is None:
            raise _unknown(name)
        return found

    def find_schema(self, workspace_id: str, name: str) -> Schema | None:
        """None if the type has none, or there is no such type."""
        found = self._read(workspace_id, name)
        return None if found is None else found.definition

    def all(self, workspace_id: str) -> Iterator[OwnType]:
        """In the order of their names."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": config_table.workspace(workspace_id),
                    ":prefix": config_table.EVENT_TYPE_PREFIX,
                }
            ),
            ConsistentRead=True,
        )
        for page in pages:
            yield from (own_type_from(from_item(item)) for item in page["Items"])

    def _read(self, workspace_id: str, name: str) -> OwnType | None:
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(_key(workspace_id, name)), ConsistentRead=True
        )
        return own_type_from(from_item(answer["Item"])) if "Item" in answer else None

    def _new(self, own: OwnType) -> Any:
        condition = {"ConditionExpression": "attribute_not_exists(pk)"}
        return {"Put": {"TableName": self._table, "Item": _item(own), **condition}}

    def _replace(self, own: OwnType) -> OwnType:
        changes = _values(own, {"group", "description", "definition", "updated_at"})
        update = Update().set(changes).when("attribute_exists(pk)", {})
        key = to_item(_key(own.workspace_id, own.name))
        try:
            answer = self._dynamodb.update_item(
                TableName=self._table, Key=key, ReturnValues="ALL_NEW", **update.request()
            )
        except ClientError as error:
            if not is_condition(error):
                raise
            raise ConflictError(f"{own.name} was deleted at the same moment. Save again.") from None
        return own_type_from(from_item(answer["Attributes"]))

    def _count(self, workspace_id: str, change: int, limit: int | None) -> Any:
        """The workspace keeps the number of its types, so that no list is read to check it."""
        update = Update().add("event_type_count", change)
        if limit is not None:
            room = "attribute_not_exists(event_type_count) OR event_type_count < :when_limit"
            update.when(room, {"limit": limit})
        key = to_item({"pk": config_table.workspace(workspace_id), "sk": config_table.WORKSPACE_SK})
        return {"Update": {"TableName": self._table, "Key": key, **update.request()}}


def _key(workspace_id: str, name: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.event_type_sk(name)}


def _values(own: OwnType, names: set[str] | None = None) -> dict[str, Any]:
    """The schema is stored as text: DynamoDB would change its numbers."""
    values = own.model_dump(include=names)
    if own.definition is not None:
        values["definition"] = json.dumps(own.definition, separators=(",", ":"))
    return values


def _item(own: OwnType) -> dict[str, Any]:
    return to_item(_values(own) | _key(own.workspace_id, own.name))


def own_type_from(values: dict[str, Any]) -> OwnType:
    known = {name: values[name] for name in values.keys() & _COLUMNS}
    text = known.get("definition")
    return OwnType.model_validate(
        known | {"definition": None if text is None else json.loads(text)}
    )


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"No event type {name} of your own is known here.")
