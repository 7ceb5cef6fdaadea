"""The steps of a replay's job: each saves what a page did, and where the next one begins."""

from typing import TYPE_CHECKING

from shared.aws.items import Update
from shared.aws.table import Table
from shared.clock import MS_PER_DAY
from shared.errors import NotFoundError
from shared.jobs import Job, JobMessage, JobStore
from shared.model import Model
from shared.replays.models import Replay, ReplayCursor, ReplayState, place_of, replay_id_of
from shared.replays.store import ReplayStore, active, ended, is_in, item

if TYPE_CHECKING:
    pass


class Done(Model):
    """Of the entries of a page."""

    queued: int = 0
    skipped: int = 0


class Steps:
    def __init__(self, table: Table, retention_days: int) -> None:
        self._jobs = JobStore(table)
        self._replays = ReplayStore(table, retention_days)
        self._table = table.name
        self._retention_ms = retention_days * MS_PER_DAY

    def begin(self, turn: JobMessage) -> tuple[Job, Replay] | None:
        """None if there is nothing to do. The job of a replay that does not go on ends here."""
        job = self._jobs.find(turn)
        if job is None:
            return None
        try:
            replay = self._replays.find(job.workspace_id, replay_id_of(job))
        except NotFoundError:
            replay = None
        if replay is None or replay.state is not ReplayState.RUNNING:
            self._jobs.end(job)
            return None
        return job, replay

    def wait(self, job: Job, next_at: int) -> JobMessage | None:
        return self._jobs.advance(job, "", job.pass_started_at, next_at)

    def count(
        self, job: Job, replay: Replay, number: int, place: ReplayCursor | None, now: int
    ) -> JobMessage | None:
        """`place` is where the counting goes on; None if all is counted."""
        changes = {"is_counted": place is None} | place_of(place or ReplayCursor())
        update = Update().set(changes).add("total", number)
        also = [item(self._table, replay, update)]
        return self._jobs.advance(job, "", job.pass_started_at, now, also)

    def go_on(
        self, job: Job, replay: Replay, done: Done, place: ReplayCursor, next_at: int
    ) -> JobMessage | None:
        update = _add(Update().set(place_of(place)), done)
        also = [item(self._table, replay, update)]
        return self._jobs.advance(job, "", job.pass_started_at, next_at, also)

    def finish(self, job: Job, replay: Replay, done: Done, now: int) -> None:
        """Nothing happens if it was paused or cancelled meanwhile: its next turn finds that out."""
        total = replay.queued + replay.skipped + done.queued + done.skipped
        self._end(
            job, replay, _add(Update().set({"total": total}), done), ReplayState.FINISHED, now
        )

    def give_up(self, job: Job, replay: Replay, now: int) -> None:
        self._end(job, replay, Update(), ReplayState.CANCELLED, now)

    def _end(self, job: Job, replay: Replay, update: Update, state: ReplayState, now: int) -> None:
        update.set({"state": state} | ended(replay, now, self._retention_ms))
        update.when(*is_in(ReplayState.RUNNING))
        one_less = active(self._table, replay, Update().add("active", -1))
        self._jobs.end(job, [item(self._table, replay, update), one_less])


def _add(update: Update, done: Done) -> Update:
    return update.add("queued", done.queued).add("skipped", done.skipped)
