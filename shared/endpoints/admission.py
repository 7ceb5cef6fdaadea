"""Whether an attempt may be made now: what config, endpoint and rate limit say to it."""

from shared.configs.models import Status, WebhookConfig
from shared.deliveries.models import Reason, State
from shared.deliveries.queue import Pointer
from shared.dialects import DIALECTS
from shared.endpoints import breaker
from shared.endpoints.breaker import Admission, Health
from shared.endpoints.rate_limit import Bucket
from shared.endpoints.store import HealthStore
from shared.events.models import Event
from shared.model import Model


class Aside(Model):
    """Not at all, as things are."""

    state: State
    reason: Reason


class Later(Model):
    """Not before `at`, and no attempt is used up."""

    at: int
    reason: Reason


class Pass(Model):
    """Now; `probe` is the lease of the probe that it is."""

    probe: str | None = None


def receiver(config: WebhookConfig | None, event: Event | None) -> WebhookConfig | Aside:
    """The config, if it receives the event; else where the delivery goes, and why."""
    if event is not None and event.erased_at is not None:
        return Aside(state=State.CANCELLED, reason=Reason.ERASED)
    if config is None:
        return Aside(state=State.CANCELLED, reason=Reason.CONFIG_UNKNOWN)
    if config.status is Status.DELETED:
        return Aside(state=State.CANCELLED, reason=Reason.CONFIG_DELETED)
    if config.status is Status.ARCHIVED:
        return Aside(state=State.HELD, reason=Reason.CONFIG_ARCHIVED)
    if not config.enabled:
        return Aside(state=State.HELD, reason=Reason.CONFIG_DISABLED)
    if event is not None and not DIALECTS[config.dialect].can_express(event.event_type):
        return Aside(state=State.CANCELLED, reason=Reason.NOT_EXPRESSIBLE)
    return config


class Gate:
    def __init__(self, health: HealthStore, bucket: Bucket, random: breaker.Random) -> None:
        self._health = health
        self._bucket = bucket
        self._random = random

    def admit(
        self, pointer: Pointer, config: WebhookConfig, health: Health, now: int
    ) -> Pass | Later:
        """The rate limit first: whoever has the lease of the probe must be able to send it."""
        admission = breaker.admission(health, now)
        if admission is Admission.OPEN:
            return self._back(health, now)
        if breaker.must_pause(health, now) and not pointer.in_turn:
            return Later(at=breaker.pause_until(now, self._random), reason=Reason.ENDPOINT_HANGS)
        rate = config.rate_limit_per_second
        if rate is not None:
            at = self._bucket.take(config, rate, now, pointer.in_turn)
            if at is not None:
                return Later(at=at, reason=Reason.RATE_LIMITED)
        if admission is Admission.CLOSED:
            return Pass()
        probe = self._health.probe(config, health, now)
        if probe is None:  # somebody else's is under way
            return self._back(breaker.probing(health, "", now), now)
        return Pass(probe=probe)

    def withdraw(self, config: WebhookConfig, admitted: Pass) -> None:
        """It was not made after all."""
        if admitted.probe is not None:
            self._health.give_back(config, admitted.probe)

    def _back(self, health: Health, now: int) -> Later:
        at = breaker.back_at(health, now, self._random)
        return Later(at=at, reason=Reason.ENDPOINT_TRIPPED)
