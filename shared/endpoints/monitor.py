"""What an attempt means for its endpoint: it is counted, and may trip, recover or disable."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared.configs.models import DisabledReason, WebhookConfig
from shared.deliveries.models import Attempt, Delivery
from shared.deliveries.queue import AttemptMessage
from shared.endpoints import alerts, breaker
from shared.endpoints.breaker import EndpointHealth, Outcome, Result, Step
from shared.endpoints.store import HealthStore
from shared.events.models import Event, is_operational
from shared.observability import DISABLED, RECOVERED, TRIPPED, Metric, logger, measured

# Endpoints whose last success this worker remembers; beyond that, all are forgotten at once.
MAX_REMEMBERED = 10_000


class _Request(NamedTuple):
    config: WebhookConfig
    began_at: int


class InFlight:
    """The requests of a batch that have no response yet. Safe in many threads."""

    def __init__(self) -> None:
        self._requests: dict[AttemptMessage, _Request] = {}
        self._slow: set[AttemptMessage] = set()

    @contextmanager
    def request(self, message: AttemptMessage, config: WebhookConfig, now: int) -> Iterator[None]:
        self._requests[message] = _Request(config, now)
        try:
            yield
        finally:
            self._requests.pop(message, None)

    def slow(self, since: int) -> Iterator[tuple[AttemptMessage, WebhookConfig]]:
        """The requests that began at `since` or before, and are still in flight when yielded."""
        for message, request in self._requests.copy().items():
            if request.began_at <= since and message in self._requests:
                self._slow.add(message)
                yield message, request.config

    def was_slow(self, message: AttemptMessage) -> bool:
        return message in self._slow


class AttemptReport(NamedTuple):
    """A settled attempt. `health` is what was known of the endpoint before the attempt, `probe` the
    lease if the attempt was the probe, `was_slow` whether its request was recorded as slow."""

    config: WebhookConfig
    delivery: Delivery
    attempt: Attempt
    health: EndpointHealth
    probe: str | None
    was_slow: bool
    now: int

    @property
    def outcome(self) -> Outcome:
        attempt = self.attempt
        return breaker.outcome_of(attempt.succeeded, attempt.status_code, attempt.cause)

    def result(self, follows_success: bool) -> Result:
        """A resend without a schedule exhausts none."""
        attempt, outcome = self.attempt, self.outcome
        has_next = attempt.succeeded or attempt.next_wait_ms is not None
        return Result(
            outcome=outcome,
            is_probe=self.probe is not None,
            is_exhausted=not has_next and self.delivery.counts_from is not None,
            follows_success=follows_success,
            is_unanswered=outcome is Outcome.TROUBLED and attempt.status_code is None,
            was_slow=self.was_slow,
        )


class Monitor:
    """Lives as long as its worker.

    Successes of healthy endpoints are not written, but remembered: a failure after a success begins
    a new row, so that a few failures among many successes at the same time trip nothing.
    """

    def __init__(self, store: HealthStore) -> None:
        self._store = store
        self._succeeded: set[tuple[str, str]] = set()

    def exhaustion_notice(
        self, config: WebhookConfig, delivery: Delivery, attempt: Attempt, now: int
    ) -> dict[str, Any] | None:
        """The operation that stores the notice of a delivery whose schedule has ended.

        None if there is none to store: a resend without a schedule had its notice before.
        """
        if delivery.counts_from is None:
            return None
        notice = _notice(delivery, alerts.exhausted(config, delivery, attempt, now))
        return None if notice is None else self._store.putting(notice)

    def record_slow(self, config: WebhookConfig, now: int) -> None:
        """Record that a request has had no response for seconds."""
        self._store.record_slow(config, now)

    def report(self, report: AttemptReport) -> None:
        config, health, now = report.config, report.health, report.now
        result = report.result(self._follows_success(report))
        count = breaker.count(result, now)
        if count is not None:
            health = self._store.count(config, count, now)
        health = self._take(breaker.next_step(result, health), report, health)
        reason = breaker.why_disable(result, health, now)
        if reason is not None:
            self._disable(report, reason, health)

    def _follows_success(self, report: AttemptReport) -> bool:
        """Whether a success came after the last failure; remembers what this attempt was."""
        key = report.config.workspace_id, report.config.id
        if report.outcome is Outcome.SUCCEEDED:
            if len(self._succeeded) >= MAX_REMEMBERED:
                self._succeeded.clear()
            self._succeeded.add(key)
            return True
        try:
            self._succeeded.remove(key)
        except KeyError:
            return False
        return True

    def _take(self, step: Step, report: AttemptReport, health: EndpointHealth) -> EndpointHealth:
        """The health after the step."""
        match step, report.probe:
            case Step.FORGET, _:
                self._store.forget(report.config, report.now)
            case Step.TRIP, _:
                self._trip(report, health)
            case Step.RECOVER, str(probe):
                self._recover(report, probe)
            case Step.REOPEN, str(probe):
                reopened = self._store.reopen(report.config, report.health, probe, report.now)
                return reopened or health
        return health

    def _trip(self, report: AttemptReport, health: EndpointHealth) -> None:
        config, delivery, now = report.config, report.delivery, report.now
        notice = _notice(delivery, alerts.tripped(config, health, delivery, now))
        if self._store.trip(config, health, now, notice):
            _log("config.tripped", TRIPPED, report)

    def _recover(self, report: AttemptReport, probe: str) -> None:
        config, delivery, now = report.config, report.delivery, report.now
        notice = _notice(delivery, alerts.recovered(config, report.health, delivery, now))
        if self._store.recover(config, report.health, report.outcome, probe, now, notice):
            _log("config.recovered", RECOVERED, report)

    def _disable(
        self, report: AttemptReport, reason: DisabledReason, health: EndpointHealth
    ) -> None:
        config, delivery, now = report.config, report.delivery, report.now
        notice = _notice(delivery, alerts.disabled(config, reason, health, delivery, now))
        if self._store.disable(config, reason, now, notice):
            _log("config.disabled", DISABLED, report, reason=reason)


def _notice(delivery: Delivery, event: Event) -> Event | None:
    """None for a delivery of an operational event, or two configs keep each other busy."""
    return None if is_operational(delivery.event_id) else event


def _log(message: str, metric: Metric, report: AttemptReport, **more: Any) -> None:
    logger.warning(
        message,
        workspace_id=report.config.workspace_id,
        config_id=report.config.id,
        request_id=str(report.delivery.request_id),
        **more,
        **measured({metric: 1}),
    )
