"""Export: a workspace as pages of JSON Lines, in an order that an import can follow."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from shared.aws.items import as_model
from shared.aws.table import Query, Table
from shared.configs.categories import Category
from shared.configs.models import Status, WebhookConfig
from shared.events.models import compact_json
from shared.events.own_types import OwnType, own_type
from shared.input.paging import foreign_cursor, read_cursor, write_cursor
from shared.moving import config_lines
from shared.moving.lines import MAX_PAGE_BYTES
from shared.tables import config_table
from shared.workspaces.models import Workspace

Values = dict[str, Any]


class ExportPage(NamedTuple):
    """`cursor` leads to the next page; None on the last one."""

    lines: tuple[str, ...]
    cursor: str | None


class Exporter:
    def __init__(self, table: Table) -> None:
        self._table = table

    def page(self, workspace_id: str, limit: int, cursor: str | None) -> ExportPage:
        """Up to `limit` lines and MAX_PAGE_BYTES. Raises InvalidError for a foreign cursor."""
        taken: list[str] = []
        size, last = 0, ""
        for position, line in self._lines(workspace_id, limit, _position(workspace_id, cursor)):
            size += len(line.encode()) + 1
            if taken and (len(taken) == limit or size > MAX_PAGE_BYTES):
                return ExportPage(tuple(taken), write_cursor(_list(workspace_id), last))
            taken.append(line)
            last = position
        return ExportPage(tuple(taken), None)

    def _lines(self, workspace_id: str, limit: int, after: str) -> Iterator[tuple[str, str]]:
        """The lines after the position `after`, each with its own position."""
        has_begun = not after
        for prefix, write in _KINDS.items():
            begins_here = after.startswith(prefix) and not has_begun
            if has_begun or begins_here:
                start = after if begins_here else ""
                for values in self._items(workspace_id, prefix, limit, start):
                    if values.get("status") != Status.DELETED:
                        yield values["sk"], _text(write(values))
            has_begun = has_begun or begins_here

    def _items(self, workspace_id: str, prefix: str, limit: int, after: str) -> Iterator[Values]:
        pk = config_table.workspace(workspace_id)
        query = Query(
            "pk = :pk AND begins_with(sk, :prefix)",
            {"pk": pk, "prefix": prefix},
            consistent=True,
            limit=limit + 1,
            after={"pk": pk, "sk": after} if after else None,
        )
        return self._table.items(query)


def _position(workspace_id: str, cursor: str | None) -> str:
    """The sort key of the last line that was read; empty before the first line."""
    if cursor is None:
        return ""
    position = read_cursor(_list(workspace_id), cursor)
    if not position.startswith(tuple(_KINDS)):
        raise foreign_cursor()
    return position


def _list(workspace_id: str) -> str:
    """The name of the list that a cursor belongs to."""
    return f"{config_table.workspace(workspace_id)}#EXPORT"


def _text(values: Values) -> str:
    return compact_json(values)


def _workspace(values: Values) -> Values:
    return settings(as_model(Workspace, values))


def settings(workspace: Workspace) -> Values:
    moved = {"name", "redirect_hosts", "retention_days", "content_days"}
    slug = {"slug": workspace.slug or None}
    return {"kind": "workspace"} | workspace.model_dump(mode="json", include=moved) | slug


def _category(values: Values) -> Values:
    found = as_model(Category, values)
    return {
        "kind": "category",
        "idCategory": found.id,
        "categoryName": found.name,
        "status": found.status,
    }


def _event_type(values: Values) -> Values:
    found: OwnType = own_type(values)
    moved = found.model_dump(include={"name", "group", "description"})
    return {"kind": "event_type"} | moved | {"schema": found.definition}


def _config(values: Values) -> Values:
    return {"kind": "config"} | config_lines.written(as_model(WebhookConfig, values))


_KINDS: dict[str, Callable[[Values], Values]] = {
    config_table.WORKSPACE_SK: _workspace,
    config_table.CATEGORY_PREFIX: _category,
    config_table.EVENT_TYPE_PREFIX: _event_type,
    config_table.CONFIG_PREFIX: _config,
}
