"""One run of an import: lines become events until the object ends or the time does.

A run that dies is made again from where it began. What it had accepted is known by its origin and
counted as before, so the report comes out the same.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from shared.aws.dead_letters import sendable
from shared.clock import Clock
from shared.errors import FunnelhooksError, NotFoundError
from shared.events.accept import Acceptor
from shared.events.reading import MAX_EVENT_BYTES
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
from shared.imports.streams import UnreadableError
from shared.input.json_body import parse_json
from shared.retention import Retention

# Lines between two looks at the time.
BATCH = 100
PARALLEL = 10
MAX_MESSAGE = 500

# Refused, or whether the event is new; None for a line without anything.
Outcome = RefusedLine | bool | None


class Run(NamedTuple):
    """How far a run came."""

    job: ImportJob
    state: ImportState
    reason: str | None = None


class Importer:
    def __init__(
        self,
        bucket: ImportBucket,
        door: Acceptor,
        retention_of: Callable[[str], Retention],
        clock: Clock,
        has_time: Callable[[], bool],
    ) -> None:
        self._bucket = bucket
        self._door = door
        self._retention_of = retention_of
        self._clock = clock
        self._has_time = has_time

    def run(self, job: ImportJob) -> Run | None:
        """None if the object is there no more; what took its place is announced by itself."""
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
            retention = self._retention_of(source.workspace_id)
        except NotFoundError:
            reason = "The key must begin with the id of a workspace: <workspace_id>/<name>.jsonl"
            return Run(job, ImportState.FAILED, reason)
        unread = lines(
            self._bucket.open(source, job.position.offset).read, job.position, MAX_EVENT_BYTES
        )
        try:
            with ThreadPoolExecutor(PARALLEL) as pool:
                for batch in _batches(unread):
                    job = self._accept(job, batch, retention, pool)
                    if len(batch) == BATCH and not self._has_time():
                        return Run(job, ImportState.RUNNING)
        except UnreadableError as error:
            return Run(job, ImportState.FAILED, str(error))
        return Run(job, ImportState.DONE)

    def _accept(
        self, job: ImportJob, batch: list[Line], retention: Retention, pool: Executor
    ) -> ImportJob:
        outcomes = pool.map(partial(self._outcome, job.source, retention), batch)
        position = batch[-1].after if batch else job.position
        return job.model_copy(update={"tally": counted(job.tally, outcomes), "position": position})

    def _outcome(self, source: ImportSource, retention: Retention, line: Line) -> Outcome:
        if line.content is None:
            message = f"The line has more than {MAX_EVENT_BYTES} bytes."
            return RefusedLine(line=line.number, code="too_large", message=message)
        if not line.content:
            return None
        try:
            values = parse_json(line.content, MAX_EVENT_BYTES)
            origin = source.line_id(line.number)
            return self._door.accept(values, source.workspace_id, retention, origin).is_new
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
    """Full ones, and what there is at the end or before the place that cannot be read."""
    batch: list[Line] = []
    try:
        for line in unread:
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
    except UnreadableError:
        yield batch
        raise
    yield batch
