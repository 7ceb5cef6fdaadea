"""A workspace as pages of JSON Lines, in the order in which they can be imported."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from shared.aws.items import from_item, to_item
from shared.aws.table import Table
from shared.configs.categories import Category, category_from
from shared.configs.models import Status
from shared.configs.store import config_from
from shared.events.own_types import OwnType
from shared.input.paging import foreign_cursor, read_cursor, write_cursor
from shared.moving import configs
from shared.tables import config_table
from shared.workspaces.models import Workspace
from shared.workspaces.store import workspace_from

# A page can be imported as it is.
MAX_PAGE_BYTES = 1024 * 1024

Values = dict[str, Any]


class ExportPage(NamedTuple):
    lines: tuple[str, ...]
    cursor: str | None


class Exporter:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def page(self, workspace_id: str, limit: int, cursor: str | None) -> ExportPage:
        taken: list[str] = []
        size, last = 0, ""
        for place, line in self._lines(workspace_id, limit, _place(workspace_id, cursor)):
            size += len(line.encode()) + 1
            if taken and (len(taken) == limit or size > MAX_PAGE_BYTES):
                return ExportPage(tuple(taken), write_cursor(_list(workspace_id), last))
            taken.append(line)
            last = place
        return ExportPage(tuple(taken), None)

    def _lines(self, workspace_id: str, limit: int, after: str) -> Iterator[tuple[str, str]]:
        """Each with its place. Those up to the place `after` are left out."""
        begun = not after
        for prefix, write in _KINDS.items():
            here = after.startswith(prefix) and not begun
            if begun or here:
                for values in self._items(workspace_id, prefix, limit, after if here else ""):
                    if values.get("status") != Status.DELETED:
                        yield values["sk"], _text(write(values))
            begun = begun or here

    def _items(self, workspace_id: str, prefix: str, limit: int, after: str) -> Iterator[Values]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": to_item(
                {":pk": config_table.workspace(workspace_id), ":prefix": prefix}
            ),
            "ConsistentRead": True,
            "Limit": limit + 1,
        }
        if after:
            request["ExclusiveStartKey"] = to_item(
                {"pk": config_table.workspace(workspace_id), "sk": after}
            )
        while True:
            answer = self._dynamodb.query(**request)
            yield from map(from_item, answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def _place(workspace_id: str, cursor: str | None) -> str:
    if cursor is None:
        return ""
    place = read_cursor(_list(workspace_id), cursor)
    if not place.startswith(tuple(_KINDS)):
        raise foreign_cursor()
    return place


def _list(workspace_id: str) -> str:
    """What a cursor belongs to."""
    return f"{config_table.workspace(workspace_id)}#EXPORT"


def _text(values: Values) -> str:
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)


def _workspace(values: Values) -> Values:
    return settings(workspace_from(values))


def settings(workspace: Workspace) -> Values:
    moved = {"name", "redirect_hosts", "retention_days", "content_days"}
    slug = {"slug": workspace.slug or None}
    return {"kind": "workspace"} | workspace.model_dump(mode="json", include=moved) | slug


def _category(values: Values) -> Values:
    found: Category = category_from(values)
    return {
        "kind": "category",
        "idCategory": found.id,
        "categoryName": found.name,
        "status": found.status,
    }


def _event_type(values: Values) -> Values:
    found: OwnType = OwnType.from_item(values)
    moved = found.model_dump(include={"name", "group", "description"})
    return {"kind": "event_type"} | moved | {"schema": found.definition}


def _config(values: Values) -> Values:
    return {"kind": "config"} | configs.written(config_from(values))


_KINDS: dict[str, Callable[[Values], Values]] = {
    config_table.WORKSPACE_SK: _workspace,
    config_table.CATEGORY_PREFIX: _category,
    config_table.EVENT_TYPE_PREFIX: _event_type,
    config_table.CONFIG_PREFIX: _config,
}
