"""Whether an attempt may be made now: what config, endpoint and rate limit say to it."""

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
    """Not at all, as things are."""

    state: DeliveryState
    reason: Reason


class Deferred(Model):
    """Not before `at`, and no attempt is used up."""

    at: int
    reason: Reason


class Admitted(Model):
    """Now; `probe` is the lease of the probe that it is."""

    probe: str | None = None


def receiver(config: WebhookConfig | None, event: Event | None) -> WebhookConfig | Rejected:
    """The config, if it receives the event; else where the delivery goes, and why."""
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
    def __init__(self, health: HealthStore, bucket: RateLimiter, random: breaker.Random) -> None:
        self._health = health
        self._bucket = bucket
        self._random = random

    def admit(
        self, pointer: AttemptMessage, config: WebhookConfig, health: EndpointHealth, now: int
    ) -> Admitted | Deferred:
        """The rate limit first: whoever has the lease of the probe must be able to send it."""
        admission = breaker.admission(health, now)
        if admission is BreakerState.OPEN:
            return self._back(health, now)
        if breaker.must_pause(health, now) and not pointer.in_turn:
            return Deferred(at=breaker.pause_until(now, self._random), reason=Reason.ENDPOINT_HANGS)
        rate = config.rate_limit_per_second
        if rate is not None:
            at = self._bucket.take(config, rate, now, pointer.in_turn)
            if at is not None:
                return Deferred(at=at, reason=Reason.RATE_LIMITED)
        if admission is BreakerState.CLOSED:
            return Admitted()
        probe = self._health.probe(config, health, now)
        if probe is None:  # somebody else's is under way
            return self._back(breaker.probing(health, "", now), now)
        return Admitted(probe=probe)

    def withdraw(self, config: WebhookConfig, admitted: Admitted) -> None:
        """It was not made after all."""
        if admitted.probe is not None:
            self._health.give_back(config, admitted.probe)

    def _back(self, health: EndpointHealth, now: int) -> Deferred:
        at = breaker.back_at(health, now, self._random)
        return Deferred(at=at, reason=Reason.ENDPOINT_TRIPPED)
