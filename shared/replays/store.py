"""Replays in ConfigTable: each is an item that says how far it came, and a job that goes on.

What begins or ends a replay is one transaction over both, and over the number of those that have
not ended.
"""

import re
from typing import TYPE_CHECKING, Any

from shared import jobs
from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.errors import ConflictError, ForbiddenError, InvalidError, NotFoundError
from shared.jobs import Job, JobMessage
from shared.replays.models import ACTIVE, Replay, ReplayState, replay_from, stored
from shared.tables import config_table

if TYPE_CHECKING:
    pass

MAX_ACTIVE = 10
# By then the index has what was accepted last.
FIRST_TURN_MS = 5 * MS_PER_S
_ACTIVE_SK = "#ACTIVE"
_ID = re.compile(r"rpl_[0-9A-Za-z]{12}")
_FIRST, _LAST = "rpl_", "rpl_~"


class ReplayStore:
    def __init__(self, table: Table, retention_days: int) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._retention_ms = retention_days * MS_PER_DAY

    def find(self, workspace_id: str, replay_id: str) -> Replay:
        if not _ID.fullmatch(replay_id):
            raise _unknown(replay_id)
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(workspace_id, replay_id), ConsistentRead=True
        )
        if "Item" not in answer:
            raise _unknown(replay_id)
        return replay_from(from_item(answer["Item"]))

    def page(
        self, workspace_id: str, limit: int, cursor: str | None
    ) -> tuple[list[Replay], str | None]:
        """Newest first, and the cursor of the next page."""
        if cursor is not None and not _ID.fullmatch(cursor):
            raise InvalidError.at("cursor", "is not one that a page of this list gave out")
        values = {":pk": config_table.replays(workspace_id), ":first": _FIRST, ":last": _LAST}
        start: Any = {"ExclusiveStartKey": _key(workspace_id, cursor)} if cursor else {}
        answer = self._dynamodb.query(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(values),
            ScanIndexForward=False,
            Limit=limit,
            **start,
        )
        found = [replay_from(from_item(item)) for item in answer["Items"]]
        return found, found[-1].replay_id if "LastEvaluatedKey" in answer else None

    def start(self, replay: Replay) -> None:
        update = Update().set(stored(replay)).when("attribute_not_exists(pk)", {})
        count = Update().add("active", 1)
        count.when("attribute_not_exists(active) OR active < :when_limit", {"limit": MAX_ACTIVE})
        job = jobs.starting(self._table, _job(replay, replay.created_at))
        try:
            transact(
                self._dynamodb,
                [item(self._table, replay, update), active(self._table, replay, count), job],
            )
        except TransactionRefusedError:
            raise ForbiddenError(
                f"{MAX_ACTIVE} replays have not ended yet. Wait for one, or cancel it."
            ) from None

    def pause(self, replay: Replay) -> None:
        """The page that is just being done goes out; its job ends with the turn after it."""
        self._change(replay, (ReplayState.RUNNING,), ReplayState.PAUSED)

    def resume(self, replay: Replay, now: int) -> None:
        job = jobs.starting(self._table, _job(replay, now))
        self._change(replay, (ReplayState.PAUSED,), ReplayState.RUNNING, job)

    def cancel(self, replay: Replay, now: int) -> None:
        self._change(
            replay,
            ACTIVE,
            ReplayState.CANCELLED,
            active(self._table, replay, Update().add("active", -1)),
            **ended(replay, now, self._retention_ms),
        )

    def _change(
        self,
        replay: Replay,
        before: tuple[ReplayState, ...],
        after: ReplayState,
        *also: dict[str, Any],
        **changes: Any,
    ) -> None:
        update = Update().set({"state": after} | changes).when(*is_in(*before))
        try:
            transact(self._dynamodb, [item(self._table, replay, update), *also])
        except TransactionRefusedError:
            state = self.find(replay.workspace_id, replay.replay_id).state
            raise ConflictError(f"The replay is {state}.") from None


def first_turn(replay: Replay) -> JobMessage:
    """Of a replay that was just begun or resumed; it comes after FIRST_TURN_MS."""
    return _job(replay, replay.created_at).next_turn


def item(table: str, replay: Replay, update: Update) -> dict[str, Any]:
    """Of a transaction."""
    key = _key(replay.workspace_id, replay.replay_id)
    return {"Update": {"TableName": table, "Key": key, **update.request()}}


def active(table: str, replay: Replay, update: Update) -> dict[str, Any]:
    """The number of replays of the workspace that have not ended, as an item of a transaction."""
    key = _key(replay.workspace_id, _ACTIVE_SK)
    return {"Update": {"TableName": table, "Key": key, **update.request()}}


def ended(replay: Replay, now: int, retention_ms: int) -> dict[str, int]:
    """Deliveries that failed outlive the replay: what is delivered is counted by what is not."""
    kept_until = max(replay.created_at + retention_ms, now + MS_PER_DAY)
    return {"ended_at": now, "expires_at": kept_until // MS_PER_S}


def is_in(*states: ReplayState) -> tuple[str, dict[str, Any]]:
    """The condition that a replay is in one of the states, with its values."""
    values = {f"state{number}": state for number, state in enumerate(states)}
    return f"#state IN ({', '.join(f':when_{name}' for name in values)})", values


def _job(replay: Replay, now: int) -> Job:
    workspace_id, config_id = replay.workspace_id, replay.config_id
    return jobs.replay(workspace_id, config_id, replay.replay_id, now, FIRST_TURN_MS)


def _key(workspace_id: str, sk: str) -> Any:
    return to_item({"pk": config_table.replays(workspace_id), "sk": sk})


def _unknown(replay_id: str) -> NotFoundError:
    return NotFoundError(f"No replay {replay_id} is known here.")
