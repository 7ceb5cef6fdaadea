"""Replaying: page by page, the events of a replay become deliveries of its config.

A page gives each delivery a moment of its own and queues it for then, in the retry queue, so that
new events go first. A delivery has the same id whenever its page is done, so a page that is done
twice makes nothing twice; the due index repairs deliveries that were made and not queued.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from shared.clock import MS_PER_S, Clock
from shared.configs.models import Status, WebhookConfig
from shared.configs.store import ConfigStore
from shared.deliveries.models import Delivery, DeliveryState, Reason
from shared.deliveries.queue import Queue
from shared.endpoints.store import HealthStore
from shared.errors import NotFoundError
from shared.jobs import END, Job, JobPage
from shared.replays.deliveries import Found, ReplayDeliveries
from shared.replays.eligibility import Eligibility
from shared.replays.models import Replay, ReplayState, replay_id_of
from shared.replays.source import ReplaySource
from shared.replays.store import ReplayStore

# Events of a page, which take a second or two.
MAX_PAGE = 500
PAGE_S = 4
PARALLEL = 10
# Each reads a megabyte of the index, some 4,000 entries, in 20 ms.
COUNT_QUERIES = 50
# How long a replay waits while the circuit breaker is open before it looks again.
TRIPPED_MS = 60 * MS_PER_S


class Replayer:
    def __init__(
        self,
        replays: ReplayStore,
        configs: ConfigStore,
        health: HealthStore,
        source: ReplaySource,
        eligibility: Eligibility,
        deliveries: ReplayDeliveries,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._replays = replays
        self._configs = configs
        self._health = health
        self._source = source
        self._eligibility = eligibility
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def page(self, job: Job) -> JobPage:
        """Count events, or make a page of deliveries. The job ends if the replay does not run."""
        replay = self._running(job)
        if replay is None:
            return END
        config = self._config(replay)
        if config is None:
            return JobPage(None, also=self._replays.giving_up(replay, self._clock()))
        if not replay.is_counted:
            return self._count(job, replay)
        if self._health.find(job.workspace_id, config.id).opened:
            return JobPage(job.cursor, next_at=self._clock() + TRIPPED_MS)
        return self._do_page(job, replay, config)

    def _running(self, job: Job) -> Replay | None:
        try:
            replay = self._replays.find(job.workspace_id, replay_id_of(job))
        except NotFoundError:
            return None
        return replay if replay.state is ReplayState.RUNNING else None

    def _config(self, replay: Replay) -> WebhookConfig | None:
        """None if the config is deleted. A config that is disabled or archived gets its deliveries
        too; they are held."""
        try:
            config = self._configs.find(replay.workspace_id, replay.config_id)
        except NotFoundError:
            return None
        return None if config.status is Status.DELETED else config

    def _count(self, job: Job, replay: Replay) -> JobPage:
        number, cursor = self._source.count(replay, replay.cursor, COUNT_QUERIES)
        counting = self._replays.counting(replay, number, cursor)
        return JobPage(job.cursor, next_at=self._clock(), also=[counting])

    def _do_page(self, job: Job, replay: Replay, config: WebhookConfig) -> JobPage:
        size = min(replay.rate * PAGE_S, MAX_PAGE)
        entries, cursor = self._source.page(replay, replay.cursor, size)
        entries = [entry for entry in entries if entry.replay_id != replay.replay_id]
        queued = len(self._make(replay, self._eligibility.of(entries, config)))
        skipped, now = len(entries) - queued, self._clock()
        done = replay.model_dump(include={"workspace_id", "config_id", "replay_id"})
        done |= {"queued": queued, "skipped": skipped}
        if cursor is None:
            also = self._replays.finishing(replay, queued, skipped, now)
            return JobPage(None, also=also, line="replayed", done=done)
        return JobPage(
            job.cursor,
            next_at=now + queued * MS_PER_S // replay.rate,
            also=[self._replays.going_on(replay, queued, skipped, cursor)],
            line="replayed",
            done=done,
        )

    def _make(self, replay: Replay, found: Sequence[Found]) -> list[Delivery]:
        now = self._clock()
        moments = [now + number * MS_PER_S // replay.rate for number in range(len(found))]
        with ThreadPoolExecutor(PARALLEL) as pool:
            known = pool.map(
                lambda one, at: self._deliveries.make(replay, one, at, now), found, moments
            )
            made = [delivery for delivery in known if delivery is not None]
        waiting = [(one.message(1), one.next_attempt_at or now) for one in made if _is_waiting(one)]
        self._queue.send_at(waiting, now)
        return made


def _is_waiting(delivery: Delivery) -> bool:
    """For its first message, which may have been lost when the page was done before."""
    return delivery.state is DeliveryState.WAITING and delivery.reason is Reason.REPLAYED
