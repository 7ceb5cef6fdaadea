"""Replaying: page by page, the events of a replay become deliveries of its config.

A page gives each delivery a moment of its own and queues it for then, in the retry lane, so that
what has just happened goes first. Its deliveries have the same ids whenever it is done, so a page
that is done twice makes nothing twice; the wake index repairs what is made and was not queued.
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
from shared.jobs import Job, JobMessage
from shared.observability import logger
from shared.replays.deliveries import Found, ReplayDeliveries
from shared.replays.eligibility import Eligibility
from shared.replays.models import Replay
from shared.replays.source import ReplaySource
from shared.replays.steps import Done, Steps

# What a page may hold takes a second or two.
MAX_PAGE = 500
PAGE_S = 4
PARALLEL = 10
# A megabyte of the index each, some 4,000 entries, in 20 ms.
COUNT_QUERIES = 50
# How long it waits while the endpoint is tripped before it looks again.
TRIPPED_MS = 60 * MS_PER_S


class Replayer:
    def __init__(
        self,
        steps: Steps,
        configs: ConfigStore,
        health: HealthStore,
        source: ReplaySource,
        eligibility: Eligibility,
        deliveries: ReplayDeliveries,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._steps = steps
        self._configs = configs
        self._health = health
        self._source = source
        self._eligibility = eligibility
        self._deliveries = deliveries
        self._queue = queue
        self._clock = clock

    def turn(self, turn: JobMessage) -> None:
        """Do a page, and queue the next turn. A turn that was done already is nothing to do."""
        begun = self._steps.begin(turn)
        if begun is None:
            return
        job, replay = begun
        config = self._config(replay)
        if config is None:
            self._steps.give_up(job, replay, self._clock())
        elif not replay.is_counted:
            self._count(job, replay)
        elif self._health.find(job.workspace_id, config.id).opened:
            next_at = self._clock() + TRIPPED_MS
            self._queue_turn(self._steps.wait(job, next_at), next_at)
        else:
            self._do_page(job, replay, config)

    def _config(self, replay: Replay) -> WebhookConfig | None:
        """One that is disabled or archived gets its deliveries too; they are held for it."""
        try:
            config = self._configs.find(replay.workspace_id, replay.config_id)
        except NotFoundError:
            return None
        return None if config.status is Status.DELETED else config

    def _count(self, job: Job, replay: Replay) -> None:
        number, place = self._source.count(replay, replay.place, COUNT_QUERIES)
        now = self._clock()
        self._queue_turn(self._steps.count(job, replay, number, place, now), now)

    def _do_page(self, job: Job, replay: Replay, config: WebhookConfig) -> None:
        size = min(replay.rate * PAGE_S, MAX_PAGE)
        entries, place = self._source.page(replay, replay.place, size)
        entries = [entry for entry in entries if entry.replay_id != replay.replay_id]
        made = self._make(replay, self._eligibility.of(entries, config))
        done = Done(queued=len(made), skipped=len(entries) - len(made))
        now = self._clock()
        next_at = now + len(made) * MS_PER_S // replay.rate
        if place is None:
            self._steps.finish(job, replay, done, now)
        else:
            self._queue_turn(self._steps.go_on(job, replay, done, place, next_at), next_at)
        logger.info(
            "replayed",
            **replay.model_dump(include={"workspace_id", "config_id", "replay_id"}),
            **done.model_dump(),
        )

    def _make(self, replay: Replay, found: Sequence[Found]) -> list[Delivery]:
        now = self._clock()
        moments = [now + number * MS_PER_S // replay.rate for number in range(len(found))]
        with ThreadPoolExecutor(PARALLEL) as pool:
            known = pool.map(
                lambda one, at: self._deliveries.make(replay, one, at, now), found, moments
            )
            made = [delivery for delivery in known if delivery is not None]
        waiting = [(one.pointer(1), one.next_attempt_at or now) for one in made if _is_waiting(one)]
        self._queue.send_at(waiting, now)
        return made

    def _queue_turn(self, turn: JobMessage | None, at: int) -> None:
        if turn is not None:
            self._queue.send([turn], at - self._clock())


def _is_waiting(delivery: Delivery) -> bool:
    """For its first message, which may have been lost when the page was done before."""
    return delivery.state is DeliveryState.WAITING and delivery.reason is Reason.REPLAYED
