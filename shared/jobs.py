"""Jobs: work on many events or deliveries that is done page by page, each page in any worker.

A job is an item of ConfigTable. The worker that has done a page saves how far the job is and queues
a message for the next page. If that message is lost, repair queues another one. So a job survives
any crash. The page after the last saved cursor is done again, and its work must allow for that.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from heapq import nsmallest
from typing import Any, NamedTuple, Protocol

from shared.aws.items import Condition, Update, as_model
from shared.aws.table import ItemBusyError, Query, Table
from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock
from shared.model import Model
from shared.observability import logger
from shared.tables import config_table

# A job whose page has not been done so long after its time is overdue.
OVERDUE_MS = 60 * MS_PER_S
# SQS delays a message no longer than this. Repair queues the message of a later page.
MAX_DELAY_MS = 15 * MS_PER_MINUTE

# An operation of a transaction.
Operation = Mapping[str, Any]


class JobKind(StrEnum):
    """What a job does. The ids of stored jobs begin with these values, so they do not change."""

    RELEASE = "RELEASE"
    REPLAY = "REPLAY"
    CONTENT_EXPIRY = "EMPTYING"


class JobMessage(Model):
    """Asks for a page of a job. `turn` is the number of the page, from 0."""

    job_id: str
    turn: int

    @property
    def group(self) -> str:
        return self.job_id

    @property
    def kind(self) -> JobKind:
        return JobKind(self.job_id.partition("#")[0])


class Cursor(Model):
    """How far a pass is: in which part of the job's source, and after which entry of that part.

    `kept` is a position that the pass does not move, such as where a later part goes on.
    """

    part: int = 0
    after: str = ""
    kept: str = ""


class Job(Model):
    """A job that is not done. `config_id` is empty if the job is about the whole workspace.

    `wake_at` (ms) is when the page `turn` becomes overdue.
    """

    id: str
    workspace_id: str
    config_id: str = ""
    started_at: int
    wake_at: int
    pass_started_at: int
    cursor: Cursor = Cursor()
    turn: int = 0

    @property
    def message(self) -> JobMessage:
        """The message that asks for the next page."""
        return JobMessage(job_id=self.id, turn=self.turn)


class JobPage(NamedTuple):
    """What a page leaves: where the next one begins, and when (ms). Without a cursor the job ends.

    `pass_started_at` is set if the next page begins a pass. `also` is written in the transaction
    that saves the cursor or ends the job; if a condition of it fails, neither happens. `line` and
    `done` are the log line of the page.
    """

    cursor: Cursor | None
    next_at: int = 0
    pass_started_at: int | None = None
    also: Sequence[Operation] = ()
    line: str = ""
    done: Mapping[str, Any] = {}


END = JobPage(None)


def release(workspace_id: str, config_id: str, now: int) -> Job:
    """The job that sends a config's held deliveries; repair queues its first message.

    It is written before, or together with, the change that lets the config receive again. A config
    has one such job: another start begins it anew.
    """
    return _new(f"{JobKind.RELEASE}#{workspace_id}#{config_id}", workspace_id, config_id, now)


def replay(workspace_id: str, config_id: str, replay_id: str, now: int, wait_ms: int) -> Job:
    """The job of a replay; the replay holds the cursor."""
    job_id = f"{JobKind.REPLAY}#{workspace_id}#{replay_id}"
    return _new(job_id, workspace_id, config_id, now, wait_ms)


def content_expiry(workspace_id: str, now: int) -> Job:
    """The job that deletes contents which a workspace keeps for a shorter time than its records."""
    return _new(f"{JobKind.CONTENT_EXPIRY}#{workspace_id}", workspace_id, "", now)


def _new(job_id: str, workspace_id: str, config_id: str, now: int, wait_ms: int = 0) -> Job:
    return Job(
        id=job_id,
        workspace_id=workspace_id,
        config_id=config_id,
        started_at=now,
        wake_at=now + wait_ms,
        pass_started_at=now,
    )


def starting(table: Table, job: Job) -> dict[str, Any]:
    """An operation of a transaction; it replaces a job with the same id."""
    return table.updating(_key(job.id), Update().set(job.model_dump(exclude={"id"})))


def going_on(table: Table, job: Job) -> dict[str, Any]:
    """As `starting`, but a job with the same id goes on from its cursor, at once.

    The job counts as started anew, so a worker that read it before this cannot end it.
    """
    update = Update().set(job.model_dump(exclude={"id", "cursor", "turn"}))
    return table.updating(_key(job.id), update.once({"turn": job.turn}))


class JobStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, message: JobMessage) -> Job | None:
        """None if the job has ended, or if another worker has done the page."""
        values = self._table.get(_key(message.job_id))
        job = None if values is None else _job(values)
        return job if job is not None and job.turn == message.turn else None

    def overdue(self, now: int, limit: int) -> list[Job]:
        """The jobs that have been overdue for longest, oldest first. All jobs are read."""
        values = {"pk": config_table.JOBS, "now": now}
        found = self._table.items(Query("pk = :pk", values, filter="wake_at <= :now"))
        return nsmallest(limit, map(_job, found), key=lambda job: job.wake_at)

    def requeued(self, job: Job, now: int) -> None:
        """The message is queued again; the job is overdue only if it has not come by then.

        Nothing happens if the job has moved on, or is just doing so.
        """
        update = Update().set({"wake_at": now + OVERDUE_MS}).when(*_unchanged(job))
        try:
            self._table.apply(_key(job.id), update)
        except ItemBusyError:
            return

    def advance(self, job: Job, cursor: Cursor, page: JobPage) -> JobMessage | None:
        """Save the cursor of a page, and return the message of the next page.

        None if another worker has moved the job on, if the job was started anew, or if a condition
        of `page.also` failed.
        """
        following = JobMessage(job_id=job.id, turn=job.turn + 1)
        update = Update().set(
            {
                "cursor": cursor.model_dump(),
                "pass_started_at": page.pass_started_at or job.pass_started_at,
                "turn": following.turn,
                "wake_at": page.next_at + OVERDUE_MS,
            }
        )
        update.when(*_unchanged(job))
        refused = self._table.transact([self._table.updating(_key(job.id), update), *page.also])
        return None if refused else following

    def end(self, job: Job, also: Sequence[Operation] = ()) -> None:
        """Nothing happens if the job was started anew, or if a condition of `also` failed."""
        self._table.transact([self._table.deleting(_key(job.id), _unchanged(job)), *also])


class MessageQueue(Protocol):
    def send(self, messages: Sequence[JobMessage], delay_ms: int = 0) -> None: ...


class JobRunner:
    """Does the page that a message asks for. A kind of job is a function from a job to a page."""

    def __init__(self, store: JobStore, queue: MessageQueue, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    def run(self, message: JobMessage, do_page: Callable[[Job], JobPage]) -> None:
        """Do a page, save what it leaves, queue the message of the next one. A message whose page
        was done already does nothing."""
        job = self._store.find(message)
        if job is None:
            return
        page = do_page(job)
        if page.cursor is None:
            self._store.end(job, page.also)
        else:
            self._queue_next(self._store.advance(job, page.cursor, page), page.next_at)
        if page.line:
            logger.info(page.line, **page.done)

    def _queue_next(self, following: JobMessage | None, at: int) -> None:
        wait_ms = at - self._clock()
        if following is not None and wait_ms <= MAX_DELAY_MS:
            self._queue.send([following], wait_ms)


def _unchanged(job: Job) -> Condition:
    values = {"turn": job.turn, "started_at": job.started_at}
    return Condition("turn = :when_turn AND started_at = :when_started_at", values)


def _key(job_id: str) -> dict[str, str]:
    return {"pk": config_table.JOBS, "sk": job_id}


def _job(values: Mapping[str, Any]) -> Job:
    return as_model(Job, {**values, "id": values["sk"]})
