"""The events of a visitor, under all ids of the visitor."""

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

from shared import ids
from shared.aws.table import Query, Table
from shared.clock import MS_PER_S, Clock, now_ms
from shared.input.paging import Page, foreign_cursor, read_cursor, write_cursor
from shared.tables import event_table

PAGE = 50
# Sorts after the key of every event.
_NEWEST = "~"
_POSITION = re.compile(r"[0-9]{15}#[0-9a-f]+")


class History:
    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._table = table
        self._clock = clock

    def page(
        self, workspace_id: str, visitor_ids: Iterable[str], limit: int, cursor: str | None = None
    ) -> Page:
        """Newest first, without expired events. One Query for each id. Raises InvalidError."""
        before = _NEWEST if cursor is None else _position(workspace_id, cursor)
        logs = [self._newest(workspace_id, one, before, limit + 1) for one in visitor_ids]
        merged = heapq.merge(*logs, key=lambda item: item["log_sk"], reverse=True)
        items = tuple(islice(merged, limit + 1))
        is_last = len(items) <= limit
        last = "" if is_last else items[limit - 1]["log_sk"]
        return Page(items=items[:limit], cursor=_cursor(workspace_id, last) if last else None)

    def partitions(self, workspace_id: str, visitor_ids: Iterable[str]) -> Iterator[list[str]]:
        """The partitions of all events, page by page."""
        for visitor_id in visitor_ids:
            query = replace(_before(workspace_id, visitor_id, _NEWEST), limit=PAGE)
            for items in self._table.pages(query):
                yield [item["pk"] for item in items]

    def _newest(
        self, workspace_id: str, visitor_id: str, before: str, limit: int
    ) -> list[dict[str, Any]]:
        query = _before(workspace_id, visitor_id, before)
        found = self._table.query(replace(query, limit=limit, ascending=False)).items
        return [item for item in found if item["expires_at"] * MS_PER_S > self._clock()]


def _before(workspace_id: str, visitor_id: str, before: str) -> Query:
    key = ids.visitor_key(workspace_id, visitor_id)
    return Query(
        "visitor_pk = :pk AND log_sk < :before",
        {"pk": event_table.visitor_partition(workspace_id, key), "before": before},
        index="visitor",
    )


def _cursor(workspace_id: str, position: str) -> str:
    """A cursor is valid for each visitor of the workspace: a merge may add ids between pages."""
    return write_cursor(f"visitors {workspace_id}", position)


def _position(workspace_id: str, cursor: str) -> str:
    position = read_cursor(f"visitors {workspace_id}", cursor)
    if not _POSITION.fullmatch(position):
        raise foreign_cursor()
    return position
