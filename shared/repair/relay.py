"""The sweep, run by run, and what a run leaves undone: its shards are passed on.

A shard that was passed on is swept by turns of the retry queue, one after the other, each in
whichever worker, until nothing of it is left. Runs pass it over for so long, unless no turn has
come for a while: no queue is to keep repair waiting.
"""

from collections.abc import Mapping
from functools import partial

from shared import jobs
from shared.clock import MS_PER_MINUTE, Clock
from shared.deliveries.queue import Queue
from shared.jobs import OVERDUE_MS, Job, JobKind, JobMessage, JobStore
from shared.metrics import BEHIND, FAULTS, measured
from shared.observability import logger
from shared.repair.sweeper import Sweeper, Swept, total
from shared.tables.event_table import ACTIVE_SHARDS, WAKE_SHARDS

KINDS = (WAKE_SHARDS, ACTIVE_SHARDS)
# Then a shard gives its lane up, to whichever is furthest behind by then.
TURNS_MS = 15 * MS_PER_MINUTE


class Relay:
    """So many shards of each kind have turns at a time: `lanes`."""

    def __init__(
        self, sweep: Sweeper, job_store: JobStore, queue: Queue, clock: Clock, lanes: int
    ) -> None:
        self._sweep = sweep
        self._jobs = job_store
        self._queue = queue
        self._clock = clock
        self._lanes = lanes

    def run(self) -> Swept:
        """All shards that nobody else sweeps; those of what is due first. Raises SweepError at the
        end if any of it failed.
        """
        now = self._clock()
        found = self._sweep.guarded("jobs", lambda: self._jobs.of(JobKind.SWEEP))
        busy = {jobs.shard_of(job) for job in found or () if _has_turns(job, now)}
        swept: dict[str, Swept] = {}
        for kind in KINDS:
            swept |= self._sweep.run([shard for shard in kind if shard not in busy])
        if found is not None:
            self._pass_on(swept, {jobs.shard_of(job) for job in found})
        every = total(swept.values())
        self._told(every)
        self._sweep.check()
        return every

    def turn(self, turn: JobMessage) -> None:
        """Go on with a shard, and queue the next turn. A turn that was taken already is nothing to
        do; if that cannot be told, or nothing be queued, the next one comes when it is overdue.
        """
        swept = self._sweep.guarded(turn.job_id, partial(self._take, turn))
        if swept is not None or self._sweep.faults:
            self._told(swept, job_id=turn.job_id)

    def _take(self, turn: JobMessage) -> Swept | None:
        """None if it was taken, or the shard broke, which leaves it to the runs."""
        now, job = self._clock(), self._jobs.find(turn)
        following = None if job is None else self._jobs.advance(job, "", now, now)
        if job is None or following is None:
            return None
        shard = jobs.shard_of(job)
        swept = self._sweep.run([shard]).get(shard)
        if swept is not None and swept.behind_ms and now < job.started_at + TURNS_MS:
            self._queue.send([following])
        else:
            self._jobs.end(job.model_copy(update={"turn": following.turn}))
        return swept

    def _pass_on(self, swept: Mapping[str, Swept], taken: set[str]) -> None:
        """Those that are furthest behind."""
        behind = {shard: it.behind_ms for shard, it in swept.items() if shard not in taken}
        for kind in KINDS:
            left = [shard for shard in kind if behind.get(shard)]
            left.sort(key=behind.__getitem__, reverse=True)
            free = max(0, self._lanes - len(taken.intersection(kind)))
            for shard in left[:free]:
                self._sweep.guarded(shard, partial(self._start, shard))

    def _start(self, shard: str) -> None:
        job = jobs.sweep(shard, self._clock())
        if self._jobs.start(job):
            self._queue.send([job.next_turn])

    def _told(self, swept: Swept | None, **about: str) -> None:
        faults = self._sweep.faults
        measures = {FAULTS: faults} if faults else {}
        known = {}
        if swept is not None:
            measures[BEHIND], known = swept.behind_ms, swept.model_dump()
        logger.info("swept", **about | known | measured(measures))


def _has_turns(job: Job, now: int) -> bool:
    """One has begun lately; the clock that says so may be ahead."""
    return abs(now - job.pass_started_at) < OVERDUE_MS
