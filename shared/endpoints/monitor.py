"""What the outcome of an attempt means for its endpoint: counted, tripped, recovered, disabled."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from shared import metrics
from shared.configs.models import DisabledReason, WebhookConfig
from shared.deliveries.models import Attempt, Delivery
from shared.deliveries.queue import AttemptMessage
from shared.endpoints import alerts, breaker
from shared.endpoints.breaker import EndpointHealth, Outcome
from shared.endpoints.store import HealthStore
from shared.events import operational
from shared.events.models import Event
from shared.metrics import Metric, measured
from shared.observability import logger

# Configs whose last success this worker remembers; more are forgotten at once.
MAX_REMEMBERED = 10_000


class _Request(NamedTuple):
    config: WebhookConfig
    began_at: int


class InFlight:
    """Requests come and go in many threads; another one asks which are still here."""

    def __init__(self) -> None:
        self._requests: dict[AttemptMessage, _Request] = {}
        self._hung: set[AttemptMessage] = set()

    @contextmanager
    def request(self, pointer: AttemptMessage, config: WebhookConfig, now: int) -> Iterator[None]:
        self._requests[pointer] = _Request(config, now)
        try:
            yield
        finally:
            self._requests.pop(pointer, None)

    def hanging(self, since: int) -> Iterator[tuple[AttemptMessage, WebhookConfig]]:
        """Those that are under way when they are asked for, and have been `since` then."""
        for pointer, request in self._requests.copy().items():
            if request.began_at <= since and pointer in self._requests:
                self._hung.add(pointer)
                yield pointer, request.config

    def has_hung(self, pointer: AttemptMessage) -> bool:
        return pointer in self._hung


class AttemptReport(NamedTuple):
    """A settled attempt. `health` is what was known of the endpoint before it, `probe` the lease
    if it went out as the probe, `hung` whether its request was said to hang."""

    config: WebhookConfig
    delivery: Delivery
    attempt: Attempt
    health: EndpointHealth
    probe: str | None
    hung: bool
    now: int

    @property
    def outcome(self) -> Outcome:
        attempt = self.attempt
        return breaker.outcome_of(attempt.succeeded, attempt.status_code, attempt.cause)

    @property
    def was_in_vain(self) -> bool:
        """There was no answer, and it was the endpoint's turn to give one."""
        return self.outcome is Outcome.TROUBLED and self.attempt.status_code is None

    @property
    def is_the_end(self) -> bool:
        """The schedule of the delivery is spent. A resend without one has no end to count."""
        follows = self.attempt.succeeded or self.attempt.next_wait_ms is not None
        return not follows and self.delivery.counts_from is not None


class Monitor:
    """Lives as long as its worker.

    Successes of healthy endpoints are not written, but remembered: a failure after one begins a new
    row, so that a few failures among many successes of the same moment trip nothing.
    """

    def __init__(self, store: HealthStore) -> None:
        self._store = store
        self._succeeded: set[tuple[str, str]] = set()

    def telling_of_the_end(
        self, config: WebhookConfig, delivery: Delivery, attempt: Attempt, now: int
    ) -> dict[str, Any] | None:
        """The item that is written along with the end of a delivery whose schedule is spent.

        That of a resend without one was told when its schedule was.
        """
        if delivery.counts_from is None:
            return None
        told = _told(delivery, alerts.exhausted(config, delivery, attempt, now))
        return None if told is None else self._store.noting(told)

    def hangs(self, config: WebhookConfig, now: int) -> None:
        """A request to it has had no answer for seconds."""
        self._store.hangs(config, now)

    def report(self, report: AttemptReport) -> None:
        if report.outcome is Outcome.SUCCEEDED:
            self._after_success(report)
        else:
            self._after_failure(report)

    def _after_success(self, report: AttemptReport) -> None:
        if len(self._succeeded) >= MAX_REMEMBERED:
            self._succeeded.clear()
        self._succeeded.add(_key(report))
        if report.probe is not None:
            self._recover(report, report.probe)
        elif (report.hung or not report.health.is_blank) and not report.health.opened:
            self._store.clear(report.config, report.now)

    def _after_failure(self, report: AttemptReport) -> None:
        outcome, now = report.outcome, report.now
        if outcome is Outcome.GONE:
            self._disable(report, DisabledReason.ENDPOINT_GONE, report.health)
            return
        health = self._store.failed(
            report.config,
            outcome,
            report.is_the_end,
            now,
            anew=self._is_anew(report),
            hangs=report.was_in_vain,
        )
        if report.probe is not None and outcome is Outcome.REFUSED:
            self._recover(report, report.probe)
        elif report.probe is not None:
            health = self._store.reopen(report.config, report.health, report.probe, now) or health
        elif breaker.must_trip(health):
            self._trip(report, health)
        if breaker.must_disable(health, now):
            self._disable(report, DisabledReason.ENDPOINT_FAILING, health)

    def _is_anew(self, report: AttemptReport) -> bool:
        try:
            self._succeeded.remove(_key(report))
        except KeyError:
            return False
        return True

    def _trip(self, report: AttemptReport, health: EndpointHealth) -> None:
        told = _told(
            report.delivery, alerts.tripped(report.config, health, report.delivery, report.now)
        )
        if self._store.trip(report.config, health, report.now, told):
            _log("config.tripped", metrics.TRIPPED, report)

    def _recover(self, report: AttemptReport, probe: str) -> None:
        config, health, now = report.config, report.health, report.now
        told = _told(report.delivery, alerts.recovered(config, health, report.delivery, now))
        if self._store.recover(config, health, report.outcome, probe, now, told):
            _log("config.recovered", metrics.RECOVERED, report)

    def _disable(
        self, report: AttemptReport, reason: DisabledReason, health: EndpointHealth
    ) -> None:
        config, now = report.config, report.now
        told = _told(report.delivery, alerts.disabled(config, reason, health, report.delivery, now))
        if self._store.disable(config, reason, now, told):
            _log("config.disabled", metrics.DISABLED, report, reason=reason)


def _told(delivery: Delivery, event: Event) -> Event | None:
    """Deliveries of operational events make none, or two configs could keep each other busy."""
    return None if operational.is_operational(delivery.event_id) else event


def _key(report: AttemptReport) -> tuple[str, str]:
    return report.config.workspace_id, report.config.id


def _log(message: str, metric: Metric, report: AttemptReport, **more: Any) -> None:
    logger.warning(
        message,
        workspace_id=report.config.workspace_id,
        config_id=report.config.id,
        request_id=str(report.delivery.request_id),
        **more,
        **measured({metric: 1}),
    )
