"""Replays in ConfigTable: each is an item that says how far it is, and a job that goes on with it.

To begin or to end a replay is one transaction over both, and over the number of replays that have
not ended.
"""

import re
from typing import Any

from shared import jobs
from shared.aws.items import IS_NEW, Update, as_model
from shared.aws.table import Query, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.jobs import Cursor, Job, JobMessage, Operation
from shared.replays.models import ACTIVE, Replay, ReplayState, stored
from shared.tables import config_table

MAX_ACTIVE = 10
# By then the index has the events that were accepted last.
FIRST_PAGE_MS = 5 * MS_PER_S
_ACTIVE_SK = "#ACTIVE"
_ID = re.compile(r"rpl_[0-9A-Za-z]{12}")
_FIRST, _LAST = "rpl_", "rpl_~"


class ReplayStore:
    def __init__(self, table: Table, retention_days: int) -> None:
        self._table = table
        self._retention_ms = retention_days * MS_PER_DAY

    def find(self, workspace_id: str, replay_id: str) -> Replay:
        """Raises NotFoundError."""
        is_id = _ID.fullmatch(replay_id) is not None
        values = self._table.get(_key(workspace_id, replay_id)) if is_id else None
        if values is None:
            raise NotFoundError(f"No replay {replay_id} is known here.")
        return as_model(Replay, values)

    def page(
        self, workspace_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Replay], str | None]:
        """Newest first, and the cursor of the next page."""
        if cursor is not None and not _ID.fullmatch(cursor):
            raise InvalidError.at("cursor", "is not one that a page of this list gave out")
        query = Query(
            "pk = :pk AND sk BETWEEN :first AND :last",
            {"pk": config_table.replays(workspace_id), "first": _FIRST, "last": _LAST},
            ascending=False,
            limit=limit,
            after=None if cursor is None else _key(workspace_id, cursor),
        )
        page = self._table.query(query)
        found = [as_model(Replay, values) for values in page.items]
        return found, None if page.last is None else found[-1].replay_id

    # ── On request ────────────────────────────────────────────────────────────────────────────────

    def start(self, replay: Replay) -> None:
        """Raises ForbiddenError if too many replays of the workspace have not ended."""
        update = Update().set(stored(replay)).when(*IS_NEW)
        count = Update().add("active", 1)
        count.when("attribute_not_exists(active) OR active < :when_limit", {"limit": MAX_ACTIVE})
        job = jobs.starting(self._table, _job(replay, replay.created_at))
        operations = [self._changing(replay, update), self._counting_active(replay, count), job]
        if self._table.transact(operations):
            raise ForbiddenError(
                f"{MAX_ACTIVE} replays have not ended yet. Wait for one, or cancel it."
            )

    def pause(self, replay: Replay) -> None:
        """A page that is being done goes out; the job ends with the message after it."""
        self._move(replay, (ReplayState.RUNNING,), ReplayState.PAUSED)

    def resume(self, replay: Replay, now: int) -> None:
        job = jobs.starting(self._table, _job(replay, now))
        self._move(replay, (ReplayState.PAUSED,), ReplayState.RUNNING, job)

    def cancel(self, replay: Replay, now: int) -> None:
        one_less = self._counting_active(replay, Update().add("active", -1))
        self._move(replay, ACTIVE, ReplayState.CANCELLED, one_less, **self._ended(replay, now))

    def _move(
        self,
        replay: Replay,
        before: tuple[ReplayState, ...],
        after: ReplayState,
        *also: Operation,
        **changes: Any,
    ) -> None:
        update = _in(before, Update().set({"state": after} | changes))
        if self._table.transact([self._changing(replay, update), *also]):
            state = self.find(replay.workspace_id, replay.replay_id).state
            raise ConflictError(f"The replay is {state}.")

    # ── By its job: operations of the transaction that saves a page ───────────────────────────────

    def counting(self, replay: Replay, number: int, cursor: Cursor | None) -> Operation:
        """`number` more events are found. `cursor` is None once all are counted."""
        changes = {"is_counted": cursor is None, "cursor": (cursor or Cursor()).model_dump()}
        return self._changing(replay, Update().set(changes).add("total", number))

    def going_on(self, replay: Replay, queued: int, skipped: int, cursor: Cursor) -> Operation:
        update = Update().set({"cursor": cursor.model_dump()})
        return self._changing(replay, update.add("queued", queued).add("skipped", skipped))

    def finishing(self, replay: Replay, queued: int, skipped: int, now: int) -> list[Operation]:
        """Refused if the replay was paused or cancelled meanwhile: its next page finds that out."""
        total = replay.queued + replay.skipped + queued + skipped
        update = Update().set({"total": total}).add("queued", queued).add("skipped", skipped)
        return self._ending(replay, ReplayState.FINISHED, update, now)

    def giving_up(self, replay: Replay, now: int) -> list[Operation]:
        return self._ending(replay, ReplayState.CANCELLED, Update(), now)

    def _ending(
        self, replay: Replay, state: ReplayState, update: Update, now: int
    ) -> list[Operation]:
        update.set({"state": state} | self._ended(replay, now))
        return [
            self._changing(replay, _in((ReplayState.RUNNING,), update)),
            self._counting_active(replay, Update().add("active", -1)),
        ]

    def _ended(self, replay: Replay, now: int) -> dict[str, int]:
        """The replay is kept for as long as deliveries that failed: the number of delivered ones
        follows from the number of the others."""
        kept_until = max(replay.created_at + self._retention_ms, now + MS_PER_DAY)
        return {"ended_at": now, "expires_at": kept_until // MS_PER_S}

    def _changing(self, replay: Replay, update: Update) -> Operation:
        return self._table.updating(_key(replay.workspace_id, replay.replay_id), update)

    def _counting_active(self, replay: Replay, update: Update) -> Operation:
        """Changes the number of replays of the workspace that have not ended."""
        return self._table.updating(_key(replay.workspace_id, _ACTIVE_SK), update)


def first_message(replay: Replay) -> JobMessage:
    """Of a replay that was just begun or resumed; it is to come after FIRST_PAGE_MS."""
    return _job(replay, replay.created_at).message


def _in(states: tuple[ReplayState, ...], update: Update) -> Update:
    """The update, if the replay is in one of the states."""
    values = {f"state{number}": state for number, state in enumerate(states)}
    names = ", ".join(f":when_{name}" for name in values)
    return update.when(f"#state IN ({names})", values)


def _job(replay: Replay, now: int) -> Job:
    workspace_id, config_id = replay.workspace_id, replay.config_id
    return jobs.replay(workspace_id, config_id, replay.replay_id, now, FIRST_PAGE_MS)


def _key(workspace_id: str, sk: str) -> dict[str, str]:
    return {"pk": config_table.replays(workspace_id), "sk": sk}
