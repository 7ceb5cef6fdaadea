"""Whether an attempt may be made now: the config, the circuit breaker and the rate limit decide."""

from shared.configs.models import Status, WebhookConfig
from shared.deliveries.models import DeliveryState, Reason
from shared.deliveries.queue import AttemptMessage
from shared.dialects import DIALECTS
from shared.endpoints import breaker
from shared.endpoints.breaker import BreakerState, EndpointHealth
from shared.endpoints.rate_limit import RateLimiter
from shared.endpoints.store import HealthStore
from shared.events.models import Event
from shared.model import Model


class Rejected(Model):
    """No attempt is made: the delivery is held, cancelled or failed."""

    state: DeliveryState
    reason: Reason


class Deferred(Model):
    """No attempt before `at` (ms); the delivery keeps all its attempts."""

    at: int
    reason: Reason


class Admitted(Model):
    """The attempt may be made now. `probe` is its lease if it is the breaker's probe."""

    probe: str | None = None


def receiver(config: WebhookConfig | None, event: Event | None) -> WebhookConfig | Rejected:
    """The config if it receives the event, else why it does not. Without an event, the config
    alone decides."""
    if event is not None and event.erased_at is not None:
        return Rejected(state=DeliveryState.CANCELLED, reason=Reason.ERASED)
    if config is None:
        return Rejected(state=DeliveryState.CANCELLED, reason=Reason.CONFIG_UNKNOWN)
    if config.status is Status.DELETED:
        return Rejected(state=DeliveryState.CANCELLED, reason=Reason.CONFIG_DELETED)
    if config.status is Status.ARCHIVED:
        return Rejected(state=DeliveryState.HELD, reason=Reason.CONFIG_ARCHIVED)
    if not config.enabled:
        return Rejected(state=DeliveryState.HELD, reason=Reason.CONFIG_DISABLED)
    if event is not None and not DIALECTS[config.dialect].can_express(event.event_type):
        return Rejected(state=DeliveryState.CANCELLED, reason=Reason.NOT_EXPRESSIBLE)
    return config


class AdmissionControl:
    def __init__(self, health: HealthStore, rates: RateLimiter, random: breaker.Random) -> None:
        self._health = health
        self._rates = rates
        self._random = random

    def admit(
        self, message: AttemptMessage, config: WebhookConfig, health: EndpointHealth, now: int
    ) -> Admitted | Deferred:
        """The rate limit comes before the probe: a worker that leases the probe must send it."""
        state = breaker.state(health, now)
        if state is BreakerState.OPEN:
            return self._tripped(health, now)
        if breaker.is_paused(health, now) and not message.in_turn:
            return Deferred(
                at=breaker.paused_until(now, self._random), reason=Reason.ENDPOINT_HANGS
            )
        reserved = self._reserved_for(message, config, now)
        if reserved is not None:
            return Deferred(at=reserved, reason=Reason.RATE_LIMITED)
        if state is BreakerState.CLOSED:
            return Admitted()
        probe = self._health.lease_probe(config, health, now)
        if probe is None:  # another worker has the lease
            return self._tripped(breaker.probing(health, "", now), now)
        return Admitted(probe=probe)

    def withdraw(self, config: WebhookConfig, admitted: Admitted) -> None:
        """The admitted attempt is not made after all."""
        if admitted.probe is not None:
            self._health.return_probe(config, admitted.probe)

    def _reserved_for(self, message: AttemptMessage, config: WebhookConfig, now: int) -> int | None:
        rate = config.rate_limit_per_second
        return None if rate is None else self._rates.take(config, rate, now, message.in_turn)

    def _tripped(self, health: EndpointHealth, now: int) -> Deferred:
        at = breaker.back_at(health, now, self._random)
        return Deferred(at=at, reason=Reason.ENDPOINT_TRIPPED)
