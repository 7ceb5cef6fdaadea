"""Jobs: work on many events or deliveries that goes on page by page, each in whichever worker.

A job is one item. Who has done a page saves how far it came and queues a message for the next turn;
the sweep queues a turn whose message was lost. So a job survives any crash, and what a crash
repeats, it repeats from the last page saved: the work of a page must bear that.
"""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_S
from shared.model import Model
from shared.tables import config_table

if TYPE_CHECKING:
    pass

# A turn that has not come so long after it should have is queued again.
OVERDUE_MS = 60 * MS_PER_S


class JobKind(StrEnum):
    """What a job does; its id begins with it."""

    RELEASE = "RELEASE"
    REPLAY = "REPLAY"
    EMPTYING = "EMPTYING"


class JobMessage(Model):
    """The message that asks for a page. `turn` counts the pages of a job."""

    job_id: str
    turn: int

    @property
    def group(self) -> str:
        return self.job_id

    @property
    def kind(self) -> JobKind:
        return JobKind(self.job_id.partition("#")[0])


class Job(Model):
    """`place` is how far it came, in its own words; `wake_at` when its next turn is overdue.

    `config_id` is empty if it is about the whole workspace.
    """

    id: str
    workspace_id: str
    config_id: str = ""
    started_at: int
    wake_at: int
    pass_started_at: int
    place: str = ""
    turn: int = 0

    @property
    def next_turn(self) -> JobMessage:
        return JobMessage(job_id=self.id, turn=self.turn)


_COLUMNS = frozenset(Job.model_fields)
_MOVED_ON = {"ConditionalCheckFailedException", "TransactionConflictException"}


def release(workspace_id: str, config_id: str, now: int) -> Job:
    """The job that sets a config's held deliveries going again; the sweep gives it its first turn.

    It is written before, or with, what makes the config receive. A config has one: another start
    begins it anew.
    """
    return _starting(f"{JobKind.RELEASE}#{workspace_id}#{config_id}", workspace_id, config_id, now)


def replay(workspace_id: str, config_id: str, replay_id: str, now: int, wait_ms: int) -> Job:
    """The job that goes on with a replay, which holds how far it came."""
    job_id = f"{JobKind.REPLAY}#{workspace_id}#{replay_id}"
    return _starting(job_id, workspace_id, config_id, now, wait_ms)


def emptying(workspace_id: str, now: int) -> Job:
    """The job that takes out what a workspace keeps for a shorter time than its records."""
    return _starting(f"{JobKind.EMPTYING}#{workspace_id}", workspace_id, "", now)


def _starting(job_id: str, workspace_id: str, config_id: str, now: int, wait_ms: int = 0) -> Job:
    return Job(
        id=job_id,
        workspace_id=workspace_id,
        config_id=config_id,
        started_at=now,
        wake_at=now + wait_ms,
        pass_started_at=now,
    )


def starting(table: str, job: Job) -> dict[str, Any]:
    """An item of a transaction; it takes the place of a job with the same id."""
    return {"Update": {"TableName": table, "Key": _key(job.id), **_beginning(job).request()}}


def going_on(table: str, job: Job) -> dict[str, Any]:
    """As `starting`, but a job with the same id goes on from where it is, at once.

    It counts as begun anew, so no turn that read what stood there before this can end it.
    """
    update = Update().set(job.model_dump(exclude={"id", "place", "turn"})).once({"turn": job.turn})
    return {"Update": {"TableName": table, "Key": _key(job.id), **update.request()}}


class JobStore:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def find(self, turn: JobMessage) -> Job | None:
        """None if the job is done, or beyond this turn."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=_key(turn.job_id), ConsistentRead=True
        )
        job = _job(from_item(answer["Item"])) if "Item" in answer else None
        return job if job is not None and job.turn == turn.turn else None

    def overdue(self, now: int, limit: int) -> list[Job]:
        """Those that have been so for longest. It reads all jobs, to find them."""
        due = {"KeyConditionExpression": "pk = :pk", "FilterExpression": "wake_at <= :now"}
        jobs = self._query({":now": now}, **due)
        return nsmallest(limit, jobs, key=lambda job: job.wake_at)

    def requeued(self, job: Job, now: int) -> None:
        """Its turn is under way again, and overdue only when it has not come by then.

        Nothing happens if it has moved on, or is just doing so.
        """
        update = Update().set({"wake_at": now + OVERDUE_MS}).when(*_unchanged(job))
        try:
            self._dynamodb.update_item(TableName=self._table, Key=_key(job.id), **update.request())
        except ClientError as error:
            if error.response["Error"]["Code"] not in _MOVED_ON:
                raise

    def advance(
        self,
        job: Job,
        place: str,
        pass_started_at: int,
        next_at: int,
        also: Sequence[dict[str, Any]] = (),
    ) -> JobMessage | None:
        """The next turn; None if somebody else has moved on, or begun the job anew.

        `also` are items of the same transaction, whose conditions count too.
        """
        update = Update().set(
            {
                "place": place or None,
                "pass_started_at": pass_started_at,
                "turn": job.turn + 1,
                "wake_at": next_at + OVERDUE_MS,
            }
        )
        update.when(*_unchanged(job))
        item = {"TableName": self._table, "Key": _key(job.id), **update.request()}
        if not self._try([{"Update": item}, *also]):
            return None
        return JobMessage(job_id=job.id, turn=job.turn + 1)

    def end(self, job: Job, also: Sequence[dict[str, Any]] = ()) -> bool:
        """False if somebody has begun it anew meanwhile; `also` as in `advance`."""
        condition, values = _unchanged(job)
        item = {
            "TableName": self._table,
            "Key": _key(job.id),
            "ConditionExpression": condition,
            "ExpressionAttributeValues": to_item(
                {f":when_{name}": value for name, value in values.items()}
            ),
        }
        return self._try([{"Delete": item}, *also])

    def _query(self, values: dict[str, Any], **conditions: Any) -> Iterator[Job]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            ExpressionAttributeValues=to_item({":pk": config_table.JOBS} | values),
            **conditions,
        )
        return (_job(from_item(item)) for page in pages for item in page["Items"])

    def _try(self, items: Sequence[dict[str, Any]]) -> bool:
        try:
            transact(self._dynamodb, items)
        except TransactionRefusedError:
            return False
        return True


def _beginning(job: Job) -> Update:
    return Update().set(job.model_dump(exclude={"id"}) | {"place": job.place or None})


def _unchanged(job: Job) -> tuple[str, dict[str, Any]]:
    condition = "turn = :when_turn AND started_at = :when_started_at"
    return condition, {"turn": job.turn, "started_at": job.started_at}


def _key(job_id: str) -> dict[str, Any]:
    return to_item({"pk": config_table.JOBS, "sk": job_id})


def _job(values: dict[str, Any]) -> Job:
    known = {name: values[name] for name in values.keys() & _COLUMNS}
    return Job.model_validate(known | {"id": values["sk"]})
