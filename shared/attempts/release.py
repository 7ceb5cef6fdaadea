"""Release: a config's held deliveries go again, oldest first, at a bounded rate.

The job goes through the held deliveries and through those that wait for the endpoint, page by page.
A page gives each delivery a moment of its own and queues it for then; the due index repairs what a
crash leaves between the two. A delivery is released only from the state in which the page found it,
so it is released once.

A worker that read the config before it received again may hold a delivery after its page has been
done. Workers do not live longer than SETTLED_MS, so the last pass begins no sooner than that.

While the circuit breaker is open, a release ends: closing the breaker starts the release anew.
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
from shared.jobs import END, Cursor, Job, JobPage
from shared.observability import RELEASED, measured

DEFAULT_RATE = 10
# Deliveries of a page, which take a second or two.
MAX_PAGE = 500
PAGE_S = 10
PARALLEL = 10
SETTLED_MS = 60 * MS_PER_S

_PARTS = (DeliveryState.HELD, DeliveryState.WAITING)
_TRIPPED = Reason.ENDPOINT_TRIPPED


class Releaser:
    def __init__(
        self,
        configs: ConfigStore,
        health: HealthStore,
        deliveries: DeliveryStore,
        ledger: Ledger,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._configs = configs
        self._health = health
        self._deliveries = deliveries
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def page(self, job: Job) -> JobPage:
        """Release a page of deliveries."""
        config = self._receiving(job)
        if config is None or job.cursor.part == len(_PARTS):
            return self._end_of_pass(job)
        return self._do_page(job, config.rate_limit_per_second or DEFAULT_RATE)

    def _receiving(self, job: Job) -> WebhookConfig | None:
        """None if the config or its endpoint takes no deliveries now."""
        try:
            config = self._configs.find(job.workspace_id, job.config_id)
        except NotFoundError:
            return None
        tripped = self._health.find(job.workspace_id, job.config_id).opened
        return config if config.is_receiving and not tripped else None

    def _end_of_pass(self, job: Job) -> JobPage:
        settled_at = job.started_at + SETTLED_MS
        if job.pass_started_at >= settled_at:
            return END
        next_at = max(self._clock(), settled_at)
        return JobPage(Cursor(), next_at, pass_started_at=next_at)

    def _do_page(self, job: Job, rate: int) -> JobPage:
        size, part = min(rate * PAGE_S, MAX_PAGE), _PARTS[job.cursor.part]
        page = self._deliveries.in_state(
            job.workspace_id, job.config_id, part, job.cursor.after, size
        )
        wanted = [entry for entry in page if part is DeliveryState.HELD or entry.reason == _TRIPPED]
        released = self._release(job, wanted, rate)
        return JobPage(
            cursor=_beyond(job.cursor, page, size),
            next_at=self._clock() + released * MS_PER_S // rate,
            line="released",
            done=job.model_dump(include={"workspace_id", "config_id"})
            | measured({RELEASED: released}),
        )

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
        """The message of the delivery's next attempt; None if the delivery has moved on."""
        message = AttemptMessage(
            workspace_id=job.workspace_id,
            config_id=job.config_id,
            request_id=entry.request_id,
            attempt=0,
        )
        delivery = self._ledger.release(message, at, now)
        return None if delivery is None else (delivery.next_message, at)


def _beyond(cursor: Cursor, page: Sequence[Listed], size: int) -> Cursor:
    if len(page) == size:
        return Cursor(part=cursor.part, after=page[-1].place)
    return Cursor(part=cursor.part + 1)
