"""The logs in EventTable, by time: the events of a workspace, the deliveries of a config."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from shared import ids
from shared.aws.table import Query, StartKeyError, Table
from shared.clock import MS_PER_S, Clock, Timestamp, now_ms
from shared.input.paging import Page, Window, foreign_cursor, read_cursor, write_cursor
from shared.model import Model
from shared.tables import event_table

# A filter may skip items: after so many queries a page is returned as it is.
MAX_ROUNDS = 10


class Log(Model):
    """A partition of an index. Only items with the attributes in `equal` are shown."""

    workspace_id: str
    index: str
    partition: str
    equal: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.index} {self.partition}"

    def cursor_after(self, log_sk: str) -> str:
        return write_cursor(self.name, log_sk)


class EventSummary(Model):
    event_id: str
    event_type: str
    accepted_at: Timestamp


class EventPage(Model):
    data: tuple[EventSummary, ...]
    next_cursor: str | None


def summary(item: Mapping[str, Any]) -> EventSummary:
    """From the attributes that the index holds."""
    return EventSummary(
        event_id=item["event_id"],
        event_type=item["event_type"],
        accepted_at=item["created_at"],
    )


def events_of(workspace_id: str, event_type: str | None) -> Log:
    return Log(
        workspace_id=workspace_id,
        index="log",
        partition=event_table.event_log(workspace_id),
        equal={"event_type": event_type} if event_type else {},
    )


def deliveries_of(
    workspace_id: str, config_id: str, state: str | None, event_type: str | None
) -> Log:
    """Deliveries in a state other than `delivered` have an index of their own."""
    equal = {"event_type": event_type} if event_type else {}
    if state is None or state == "delivered":
        partition = event_table.delivery_log(workspace_id, config_id)
        by_state = {"state": state} if state else {}
        return Log(
            workspace_id=workspace_id, index="log", partition=partition, equal=equal | by_state
        )
    partition = event_table.state_log(workspace_id, config_id, state)
    return Log(workspace_id=workspace_id, index="state", partition=partition, equal=equal)


def late_events_of(workspace_id: str) -> Log:
    partition = event_table.late_log(workspace_id)
    return Log(workspace_id=workspace_id, index="state", partition=partition, equal={})


class LogReader:
    """Leaves out items that have expired and that DynamoDB has not deleted yet."""

    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._table = table
        self._clock = clock

    def page(self, log: Log, window: Window, ascending: bool = False) -> Page:
        """Newest first, unless `ascending`. Raises InvalidError for a cursor of another log."""
        if window.until < window.since:  # DynamoDB refuses such bounds
            return Page(items=(), cursor=None)
        query = replace(self._query(log, window), ascending=ascending)
        items: list[dict[str, Any]] = []
        try:
            for _ in range(MAX_ROUNDS):
                found, last = self._table.query(replace(query, limit=window.limit - len(items)))
                items += found
                if last is None or len(items) >= window.limit:
                    break
                query = replace(query, after=last)
        except StartKeyError:
            raise foreign_cursor() from None
        cursor = None if last is None else log.cursor_after(last["log_sk"])
        return Page(items=tuple(items), cursor=cursor)

    def _query(self, log: Log, window: Window) -> Query:
        values = {
            "pk": log.partition,
            "from": event_table.log_sk(window.since, ""),
            "until": event_table.log_sk(window.until + 1, ""),
            "now": self._clock() // MS_PER_S,
        }
        equal = (f"#{name} = :{name}" for name in log.equal)
        return Query(
            condition=f"{log.index}_pk = :pk AND log_sk BETWEEN :from AND :until",
            values=values | log.equal,
            index=log.index,
            filter=" AND ".join(["expires_at > :now", *equal]),
            names=tuple(log.equal),
            after=None if window.cursor is None else _start(log, window.cursor),
        )


def _start(log: Log, cursor: str) -> dict[str, str]:
    """The key after which the page begins, always in the partition of the log."""
    log_sk = read_cursor(log.name, cursor)
    unique = log_sk.partition("#")[2]
    try:
        sk = event_table.delivery_sk(UUID(unique)) if "-" in unique else event_table.EVENT_SK
        event_key = ids.event_key_of(UUID(unique)) if "-" in unique else unique
    except ValueError:
        raise foreign_cursor() from None
    pk = event_table.partition(log.workspace_id, event_key)
    return {f"{log.index}_pk": log.partition, "log_sk": log_sk, "pk": pk, "sk": sk}
