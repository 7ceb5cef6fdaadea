"""The sweep, run by run, and what a run leaves undone: its shards are passed on.

A shard that was passed on is swept by turns of the retry queue, one after the other, each in
whichever worker, until nothing of it is left. Runs pass it over for so long, unless its turn is
overdue: no queue is to keep repair waiting.
"""

from collections.abc import Mapping

from shared.clock import Clock
from shared.configs import jobs
from shared.configs.jobs import JobStore, Kind, Turn
from shared.delivery.queues import Queue
from shared.delivery.sweep import SHARDS, Sweep, Swept, total
from shared.metrics import BEHIND, measured
from shared.observability import logger


class Relay:
    """So many shards have turns at a time: `lanes`."""

    def __init__(
        self, sweep: Sweep, job_store: JobStore, queue: Queue, clock: Clock, lanes: int
    ) -> None:
        self._sweep = sweep
        self._jobs = job_store
        self._queue = queue
        self._clock = clock
        self._lanes = lanes

    def run(self) -> Swept:
        """All shards that nobody else sweeps. Raises SweepError at the end if any of it failed."""
        found, now = self._sweep.guarded("jobs", lambda: self._jobs.of(Kind.SWEEP)), self._clock()
        passed_on = {job.id for job in found or () if job.wake_at > now}
        swept = self._sweep.run([one for one in SHARDS if jobs.sweep_id(one) not in passed_on])
        if found is not None:
            self._pass_on(swept, self._lanes - len(found))
        return self._told(total(swept.values()))

    def turn(self, turn: Turn) -> None:
        """Go on with a shard, and queue the next turn. A turn that was taken already is nothing to
        do. Raises SweepError at the end if any of it failed.
        """
        job = self._jobs.find(turn)
        if job is None:
            return
        swept = total(self._sweep.run([jobs.shard_of(job)]).values())
        now = self._clock()
        if not swept.behind_ms:
            self._jobs.end(job)
        elif (following := self._jobs.advance(job, "", now, now)) is not None:
            self._queue.send([following])
        self._told(swept, job_id=job.id)

    def _told(self, swept: Swept, **about: str) -> Swept:
        fields = about | swept.model_dump() | measured({BEHIND: swept.behind_ms})
        logger.info("swept", **fields)
        self._sweep.check()
        return swept

    def _pass_on(self, swept: Mapping[str, Swept], lanes: int) -> None:
        """Those that are furthest behind."""
        left = [shard for shard in swept if swept[shard].behind_ms]
        left.sort(key=lambda shard: swept[shard].behind_ms, reverse=True)
        for shard in left[: max(0, lanes)]:
            job = jobs.sweep(shard, self._clock())
            if self._jobs.start(job):
                self._queue.send([job.next_turn])
