"""One run of an import: the lines of an object become events until its end, or until time is up.

A run that dies is repeated from where it began. The events that it had accepted are known by their
origin and counted as new again, so the report comes out the same.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

from shared.aws.dead_letters import DeadLetters, dead_letter, sendable
from shared.aws.runtime import Record, message_id
from shared.clock import Clock
from shared.errors import FunnelhooksError, InvalidError, NotFoundError
from shared.events.accept import MAX_EVENT_BYTES, Acceptor
from shared.imports.bucket import ImportBucket, ObjectGoneError
from shared.imports.lines import Line, lines
from shared.imports.models import (
    MAX_REFUSED,
    FileReport,
    ImportJob,
    ImportSource,
    ImportState,
    RefusedLine,
    Tally,
)
from shared.imports.queue import ImportQueue, job_in
from shared.imports.streams import UnreadableObjectError
from shared.input.json_body import parse_json
from shared.observability import ACCEPTED, DUPLICATES, REFUSED_LINES, Metric, logger, measured
from shared.workspaces.models import Workspace

# Lines between two looks at the time.
BATCH = 100
PARALLEL = 10
MAX_MESSAGE = 500

# A refused line, or whether the event is new; None for an empty line.
Outcome = RefusedLine | bool | None


class Run(NamedTuple):
    """How far a run came, and the `reason` if it failed."""

    job: ImportJob
    state: ImportState
    reason: str | None = None


class Importer:
    def __init__(
        self,
        bucket: ImportBucket,
        queue: ImportQueue,
        acceptor: Acceptor,
        workspace_of: Callable[[str], Workspace],
        dead_letters: Callable[[], DeadLetters],
        clock: Clock,
        has_time: Callable[[], bool],
    ) -> None:
        self._bucket = bucket
        self._queue = queue
        self._acceptor = acceptor
        self._workspace_of = workspace_of
        self._dead_letters = dead_letters
        self._clock = clock
        self._has_time = has_time

    def receive(self, record: Record) -> None:
        """Do a run. If the import is not at its end, another message continues it.

        A message that is no job becomes a dead letter.
        """
        try:
            job = job_in(record["body"], self._clock())
            run = self.run(job)
        except InvalidError as error:
            self._dead_letters().put([dead_letter(record["body"], message_id(record), error)])
            return
        about: dict[str, Any] = job.source.model_dump()
        if run is None:
            logger.info("import.gone", **about)
            return
        about |= {"state": run.state, "lines": run.job.position.line}
        logger.info("import.run", **about, **measured(_added(job.tally, run.job.tally)))
        if run.state is ImportState.RUNNING:
            self._queue.send(run.job)

    def run(self, job: ImportJob) -> Run | None:
        """None if the object is gone; an object that replaced it has a notice of its own."""
        report_key = job.source.report_key
        try:
            run = self._read(job)
        except ObjectGoneError:
            return None
        if not self._bucket.has(job.source):
            return None
        self._bucket.write(report(run, self._clock()), report_key)
        return run

    def _read(self, job: ImportJob) -> Run:
        source = job.source
        try:
            workspace = self._workspace_of(source.workspace_id)
        except NotFoundError:
            reason = "The key must begin with the id of a workspace: <workspace_id>/<name>.jsonl"
            return Run(job, ImportState.FAILED, reason)
        unread = lines(
            self._bucket.open(source, job.position.offset).read, job.position, MAX_EVENT_BYTES
        )
        try:
            with ThreadPoolExecutor(PARALLEL) as pool:
                for batch in _batches(unread):
                    job = self._store(job, batch, workspace, pool)
                    if len(batch) == BATCH and not self._has_time():
                        return Run(job, ImportState.RUNNING)
        except UnreadableObjectError as error:
            return Run(job, ImportState.FAILED, str(error))
        return Run(job, ImportState.DONE)

    def _store(
        self, job: ImportJob, batch: list[Line], workspace: Workspace, pool: Executor
    ) -> ImportJob:
        outcomes = pool.map(partial(self._outcome, job.source, workspace), batch)
        position = batch[-1].after if batch else job.position
        return job.model_copy(update={"tally": counted(job.tally, outcomes), "position": position})

    def _outcome(self, source: ImportSource, workspace: Workspace, line: Line) -> Outcome:
        if line.content is None:
            message = f"The line has more than {MAX_EVENT_BYTES} bytes."
            return RefusedLine(line=line.number, code="too_large", message=message)
        if not line.content:
            return None
        try:
            values = parse_json(line.content, MAX_EVENT_BYTES)
            origin = source.line_id(line.number)
            return self._acceptor.store(values, workspace, origin).is_new
        except FunnelhooksError as error:
            message = sendable(error.message, MAX_MESSAGE)
            return RefusedLine(line=line.number, code=error.code, message=message)


def counted(tally: Tally, outcomes: Iterable[Outcome]) -> Tally:
    found = [outcome for outcome in outcomes if outcome is not None]
    refused = [outcome for outcome in found if isinstance(outcome, RefusedLine)]
    return Tally(
        accepted=tally.accepted + found.count(True),
        repeated=tally.repeated + found.count(False),
        refused=tally.refused + len(refused),
        refused_lines=(*tally.refused_lines, *refused)[:MAX_REFUSED],
    )


def _added(before: Tally, after: Tally) -> dict[Metric, int]:
    """The metrics of a run, as `ingest` counts them: a line has no log line of its own."""
    return {
        ACCEPTED: after.accepted - before.accepted,
        DUPLICATES: after.repeated - before.repeated,
        REFUSED_LINES: after.refused - before.refused,
    }


def report(run: Run, now: int) -> FileReport:
    source, tally = run.job.source, run.job.tally
    return FileReport(
        state=run.state,
        reason=run.reason,
        bucket=source.bucket,
        key=source.key,
        etag=source.etag,
        workspace_id=source.workspace_id,
        lines=run.job.position.line,
        accepted=tally.accepted,
        repeated=tally.repeated,
        refused=tally.refused,
        refused_lines=tally.refused_lines,
        started_at=run.job.started_at,
        updated_at=now,
        duration_ms=now - run.job.started_at,
    )


def _batches(unread: Iterator[Line]) -> Iterator[list[Line]]:
    """Full batches, and a last one up to the end, or up to the part that cannot be read."""
    batch: list[Line] = []
    try:
        for line in unread:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except UnreadableObjectError:
        yield batch
        raise
    yield batch
