"""The event types that a workspace defines, one item of ConfigTable each."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from shared.aws.items import EXISTS, IS_NEW, Update, as_model
from shared.aws.table import Query, Refused, Table
from shared.errors import ConflictError, ForbiddenError, NotFoundError
from shared.events import catalogue
from shared.events.models import EventType
from shared.events.schema_bounds import Schema
from shared.events.schemas import DataSchema
from shared.model import Model
from shared.tables import config_table

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

    def check(self) -> None:
        """Raises ConflictError for the name of a built-in type; InvalidError for a schema that is
        none, or too costly to check."""
        refuse_built_in(self.name)
        if self.definition is not None:
            DataSchema(self.definition)


class OwnType(Model):
    """`definition` is the JSON Schema of the data of its events. Times are milliseconds."""

    workspace_id: str
    name: str
    group: str
    description: str
    definition: Schema | None
    created_at: int
    updated_at: int


def own_type(values: Mapping[str, Any]) -> OwnType:
    """The type in the values of its item."""
    text = values.get("definition")
    definition = None if text is None else json.loads(text)
    return as_model(OwnType, {**values, "definition": definition})


class EventTypeStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def save(self, own: OwnType, limit: int) -> tuple[OwnType, bool]:
        """Add or replace a type. Returns it as it is now, and whether it is new.

        Raises ForbiddenError if the workspace has `limit` types, and ConflictError if the type is
        deleted at the same moment.
        """
        new = self._table.putting(_item(own), IS_NEW)
        refused = self._table.transact([new, self._counting(own.workspace_id, 1, limit)])
        if 0 in refused:
            return self._replace(own), False
        if refused:
            raise ForbiddenError(f"The plan limit of {limit} own event types is reached.")
        return own, True

    def delete(self, workspace_id: str, name: str) -> None:
        """Raises NotFoundError."""
        gone = self._table.deleting(_key(workspace_id, name), EXISTS)
        if self._table.transact([gone, self._counting(workspace_id, -1, None)]):
            raise _unknown(name)

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
        query = Query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {
                "pk": config_table.workspace(workspace_id),
                "prefix": config_table.EVENT_TYPE_PREFIX,
            },
            consistent=True,
        )
        return map(own_type, self._table.items(query))

    def _read(self, workspace_id: str, name: str) -> OwnType | None:
        item = self._table.get(_key(workspace_id, name))
        return None if item is None else own_type(item)

    def _replace(self, own: OwnType) -> OwnType:
        changes = _values(own, {"group", "description", "definition", "updated_at"})
        update = Update().set(changes).when(EXISTS.text, {})
        item = self._table.update(_key(own.workspace_id, own.name), update)
        if isinstance(item, Refused):
            raise ConflictError(f"{own.name} was deleted at the same moment. Save again.")
        return own_type(item)

    def _counting(self, workspace_id: str, change: int, limit: int | None) -> dict[str, Any]:
        """The workspace keeps the number of its types, so that no list is read to check it."""
        update = Update().add("event_type_count", change)
        if limit is not None:
            room = "attribute_not_exists(event_type_count) OR event_type_count < :when_limit"
            update.when(room, {"limit": limit})
        key = config_table.workspace_key(workspace_id)
        return self._table.updating(key, update)


def _key(workspace_id: str, name: str) -> dict[str, str]:
    return {"pk": config_table.workspace(workspace_id), "sk": config_table.event_type_sk(name)}


def _values(own: OwnType, names: set[str] | None = None) -> dict[str, Any]:
    """The schema is stored as text: DynamoDB would change its numbers."""
    values = own.model_dump(include=names)
    if own.definition is not None:
        values["definition"] = json.dumps(own.definition, separators=(",", ":"))
    return values


def _item(own: OwnType) -> dict[str, Any]:
    return _values(own) | _key(own.workspace_id, own.name)


def refuse_built_in(name: str) -> None:
    """Raises ConflictError if every workspace has the type."""
    if entry := catalogue.find(name):
        raise ConflictError(f"{name} is a built-in type of {entry.system}. Choose another name.")


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f"No event type {name} of your own is known here.")
