"""The events that a replay is about, oldest first, from the logs in EventTable. One Query a page.

A source has parts: the log of the workspace, or the log of a config's deliveries, or those of its
deliveries in certain states.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from shared.aws.items import as_model
from shared.aws.table import Query, Table
from shared.deliveries.models import DeliveryState
from shared.jobs import Cursor
from shared.model import Model
from shared.replays.models import Selection
from shared.tables import event_table


class ReplayPart(NamedTuple):
    """A partition of the index `by`, and the state that an entry must have."""

    by: str
    partition: str
    state: DeliveryState | None = None


class ReplayEntry(Model):
    """`position` identifies the entry within its source; `pk` is the partition key of its event."""

    position: str
    pk: str
    event_id: str
    event_type: str
    replay_id: str | None = None


def parts_of(selection: Selection) -> tuple[ReplayPart, ...]:
    workspace_id, config_id = selection.workspace_id, selection.source_id
    if config_id is None:
        return (ReplayPart("log", event_table.event_log(workspace_id)),)
    sent = event_table.delivery_log(workspace_id, config_id)
    if not selection.states:
        return (ReplayPart("log", sent),)
    return tuple(
        ReplayPart("log", sent, state)
        if state is DeliveryState.DELIVERED  # most deliveries are, and have no index by state
        else ReplayPart("state", event_table.state_log(workspace_id, config_id, state))
        for state in selection.states
    )


class ReplaySource:
    """The indexes are a moment behind the table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def page(
        self, selection: Selection, cursor: Cursor, size: int
    ) -> tuple[list[ReplayEntry], Cursor | None]:
        """The matches among the next `size` entries, and the cursor after them; None at the end."""
        page = self._table.query(replace(_query(selection, cursor), limit=size))
        found = [_entry(cursor.part, values) for values in page.items]
        return found, _following(selection, cursor, page.last)

    def count(
        self, selection: Selection, cursor: Cursor, queries: int
    ) -> tuple[int, Cursor | None]:
        """The number of matches in the next `queries` megabytes, and the cursor after them."""
        counted, at = 0, cursor
        for _ in range(queries):
            number, last = self._table.count(_query(selection, at))
            counted, following = counted + number, _following(selection, at, last)
            if following is None:
                return counted, None
            at = following
        return counted, at


def _query(selection: Selection, cursor: Cursor) -> Query:
    part = parts_of(selection)[cursor.part]
    values: dict[str, Any] = {
        "pk": part.partition,
        "from": event_table.log_sk(selection.since, ""),
        "until": event_table.log_sk(selection.until + 1, ""),
    }
    conditions = list[str]()
    if part.state is not None:
        conditions.append("#state = :state")
        values["state"] = part.state
    if selection.event_types:
        wanted = {f"type{number}": name for number, name in enumerate(selection.event_types)}
        conditions.append(f"event_type IN ({', '.join(f':{name}' for name in wanted)})")
        values |= wanted
    return Query(
        f"{part.by}_pk = :pk AND log_sk BETWEEN :from AND :until",
        values,
        index=part.by,
        filter=" AND ".join(conditions),
        names=["state"] if part.state is not None else [],
        after=json.loads(cursor.after) if cursor.after else None,
    )


def _following(
    selection: Selection, cursor: Cursor, last: Mapping[str, Any] | None
) -> Cursor | None:
    if last is not None:
        return Cursor(part=cursor.part, after=json.dumps(last))
    is_last = cursor.part + 1 == len(parts_of(selection))
    return None if is_last else Cursor(part=cursor.part + 1)


def _entry(part: int, values: Mapping[str, Any]) -> ReplayEntry:
    return as_model(ReplayEntry, {**values, "position": f"{part}#{values['log_sk']}"})
