"""Releasing what is held: a config's deliveries go again, oldest first, at a bounded rate.

It goes through what is held and what waits for the endpoint, page by page. A page gives each
delivery a moment of its own and queues it for then; the wake index repairs what a crash leaves
between the two. A delivery is released only from where the page found it, so it is released once.

A worker that read the config before it received again may hold a delivery after its page has gone
by. Workers do not live longer than SETTLED_MS, so the last pass begins no sooner than that.

While the breaker is open it does nothing: whatever closes the breaker begins a release anew.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from shared.clock import MS_PER_S, Clock
from shared.configs.models import WebhookConfig
from shared.configs.store import ConfigStore
from shared.deliveries.ledger import Ledger
from shared.deliveries.models import DeliveryState, Reason
from shared.deliveries.queue import AttemptMessage, Queue
from shared.deliveries.store import DeliveryStore, Listed
from shared.endpoints.store import HealthStore
from shared.errors import NotFoundError
from shared.jobs import Job, JobMessage, JobStore
from shared.metrics import RELEASED, measured
from shared.model import Model
from shared.observability import logger

DEFAULT_RATE = 10
# What a page may hold takes a second or two.
MAX_PAGE = 500
PAGE_S = 10
PARALLEL = 10
SETTLED_MS = 60 * MS_PER_S

_PARTS = (DeliveryState.HELD, DeliveryState.WAITING)
_TRIPPED = Reason.ENDPOINT_TRIPPED


class ReleaseCursor(Model):
    """How far a pass has come: in which part, and after what in it."""

    part: int = 0
    after: str = ""

    @classmethod
    def read(cls, text: str) -> "ReleaseCursor":
        return cls.model_validate_json(text) if text else cls()

    def beyond(self, page: Sequence[Listed], size: int) -> "ReleaseCursor":
        if len(page) == size:
            return ReleaseCursor(part=self.part, after=page[-1].place)
        return ReleaseCursor(part=self.part + 1)


class Releaser:
    def __init__(
        self,
        jobs: JobStore,
        configs: ConfigStore,
        health: HealthStore,
        deliveries: DeliveryStore,
        ledger: Ledger,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._configs = configs
        self._health = health
        self._deliveries = deliveries
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def turn(self, turn: JobMessage) -> None:
        """Do a page, and queue the next turn. A turn that was done already is nothing to do."""
        job = self._jobs.find(turn)
        if job is None:
            return
        config, place = self._receiving(job), ReleaseCursor.read(job.place)
        if config is None or place.part == len(_PARTS):
            self._end_pass(job)
        else:
            self._do_page(job, place, config.rate_limit_per_second or DEFAULT_RATE)

    def _receiving(self, job: Job) -> WebhookConfig | None:
        try:
            config = self._configs.find(job.workspace_id, job.config_id)
        except NotFoundError:
            return None
        tripped = self._health.find(job.workspace_id, job.config_id).opened
        return config if config.is_receiving and not tripped else None

    def _do_page(self, job: Job, place: ReleaseCursor, rate: int) -> None:
        size, part = min(rate * PAGE_S, MAX_PAGE), _PARTS[place.part]
        page = self._deliveries.in_state(job.workspace_id, job.config_id, part, place.after, size)
        wanted = [entry for entry in page if part is DeliveryState.HELD or entry.reason == _TRIPPED]
        released = self._release(job, wanted, rate)
        next_at = self._clock() + released * MS_PER_S // rate
        self._go_on(job, place.beyond(page, size), job.pass_started_at, next_at)
        about = job.model_dump(include={"workspace_id", "config_id"})
        logger.info("released", **about, **measured({RELEASED: released}))

    def _end_pass(self, job: Job) -> None:
        settled_at = job.started_at + SETTLED_MS
        if job.pass_started_at >= settled_at:
            self._jobs.end(job)
        else:
            next_at = max(self._clock(), settled_at)
            self._go_on(job, ReleaseCursor(), next_at, next_at)

    def _go_on(self, job: Job, place: ReleaseCursor, pass_started_at: int, next_at: int) -> None:
        turn = self._jobs.advance(job, place.model_dump_json(), pass_started_at, next_at)
        if turn is not None:
            self._queue.send([turn], next_at - self._clock())

    def _release(self, job: Job, entries: Sequence[Listed], rate: int) -> int:
        now = self._clock()
        moments = [now + number * MS_PER_S // rate for number in range(len(entries))]
        with ThreadPoolExecutor(PARALLEL) as pool:
            found = pool.map(lambda entry, at: self._let_go(job, entry, at, now), entries, moments)
            released = [pair for pair in found if pair is not None]
        self._queue.send_at(released, now)
        return len(released)

    def _let_go(
        self, job: Job, entry: Listed, at: int, now: int
    ) -> tuple[AttemptMessage, int] | None:
        pointer = AttemptMessage(
            workspace_id=job.workspace_id,
            config_id=job.config_id,
            request_id=entry.request_id,
            attempt=0,
        )
        delivery = self._ledger.release(pointer, at, now)
        return None if delivery is None else (delivery.next_pointer, at)
