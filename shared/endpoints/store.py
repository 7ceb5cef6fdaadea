"""The health of endpoints in ConfigTable, and what follows when it changes.

One item for a config, read along with it, and written only while something is wrong. A change that
its owner should know of is told by an event in the same transaction. All writes are conditional, so
of many workers that see the same thing one acts on it.
"""

from typing import Any

from shared import ids, jobs
from shared.aws.items import Update
from shared.aws.table import Key, Refused, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs.models import DisabledReason, WebhookConfig
from shared.configs.store import config_key, health_key
from shared.endpoints import breaker
from shared.endpoints.breaker import EndpointHealth, Outcome
from shared.events.models import Event
from shared.events.store import EventStore

# So long after its last failure an endpoint that nobody asked again counts as well.
FORGET_MS = 30 * MS_PER_DAY

_CLEARED: dict[str, None] = dict.fromkeys(EndpointHealth.model_fields)
_HOLDER = "probe = :when_probe"


class HealthStore:
    def __init__(self, table: Table, events: EventStore) -> None:
        self._table = table
        self._events = events

    def find(self, workspace_id: str, config_id: str) -> EndpointHealth:
        item = self._table.get(health_key(workspace_id, config_id))
        return EndpointHealth.from_item(item or {})

    def probe(self, config: WebhookConfig, known: EndpointHealth, now: int) -> str | None:
        """The lease of the one probe that may go out now; None if another worker has it."""
        wanted = breaker.probing(known, ids.new_lease(), now)
        update = _changing(known, wanted).when(
            "opened = :when_opened AND open_until <= :when_now"
            " AND (attribute_not_exists(probe_until) OR probe_until <= :when_now)",
            {"opened": known.opened, "now": now},
        )
        return None if self._write(config, update) is None else wanted.probe

    def give_back(self, config: WebhookConfig, probe: str) -> None:
        """The lease of a probe that did not go out."""
        update = Update().set({"probe": None, "probe_until": None})
        self._write(config, update.when(_HOLDER, {"probe": probe}))

    def failed(
        self,
        config: WebhookConfig,
        outcome: Outcome,
        exhausted: bool,
        now: int,
        anew: bool,
        hangs: bool,
    ) -> EndpointHealth:
        """As breaker.failed, but counted by the table, where many count at once. `hangs` is whether
        the requests that hang may do so on: one that was answered speaks for them."""
        update = Update().once({"failing_since": now}).set(_expiry(now))
        if not hangs:
            update.set({"hanging": None, "hanging_until": None})
        if outcome is Outcome.TROUBLED and not anew:
            update.add("failures", 1)
        elif anew or outcome is Outcome.REFUSED:
            update.set({"failures": 1 if outcome is Outcome.TROUBLED else None})
        if exhausted:
            update.add("exhausted", 1)
        return self._write(config, update) or EndpointHealth()

    def hangs(self, config: WebhookConfig, now: int) -> None:
        """One more request has no answer; one of long ago does not count with it."""
        until = {"hanging_until": now + breaker.HANGING_MS} | _expiry(now)
        more = Update().set(until).add("hanging", 1).when("hanging_until > :when_now", {"now": now})
        if self._write(config, more) is None:
            self._write(config, Update().set(until | {"hanging": 1}))

    def reopen(
        self, config: WebhookConfig, known: EndpointHealth, probe: str, now: int
    ) -> EndpointHealth | None:
        """After a probe that failed. None if its lease was lost."""
        held = breaker.probing(known, probe, now)
        update = _changing(held, breaker.opened(held, now)).set(_expiry(now))
        return self._write(config, update.when(_HOLDER, {"probe": probe}))

    def trip(
        self, config: WebhookConfig, health: EndpointHealth, now: int, told: Event | None
    ) -> bool:
        update = _changing(health, breaker.opened(health, now)).when(
            "attribute_not_exists(opened) AND failures >= :when_enough",
            {"enough": breaker.TRIP_AFTER},
        )
        return self._transact([self._of_health(config, update), *self._noted(told)])

    def recover(
        self,
        config: WebhookConfig,
        known: EndpointHealth,
        outcome: Outcome,
        probe: str,
        now: int,
        told: Event | None,
    ) -> bool:
        """After a probe that was answered. What waits for the endpoint need not wait longer."""
        held = breaker.probing(known, probe, now)
        recovered = EndpointHealth() if outcome is Outcome.SUCCEEDED else breaker.closed(held)
        update = _changing(held, recovered).when(_HOLDER, {"probe": probe})
        release = jobs.release(config.workspace_id, config.id, now)
        return self._transact(
            [
                self._of_health(config, update),
                jobs.starting(self._table.name, release),
                *self._noted(told),
            ]
        )

    def clear(self, config: WebhookConfig, now: int) -> bool:
        """After a success; one that began before the breaker opened leaves it open."""
        update = Update().set(_CLEARED | _expiry(now))
        return self._write(config, update.when("attribute_not_exists(opened)", {})) is not None

    def disable(
        self,
        config: WebhookConfig,
        reason: DisabledReason,
        now: int,
        told: Event | None,
    ) -> bool:
        """False if the config was saved since it was read: what failed may have been mended."""
        changes = {"enabled": False, "disabled_reason": reason, "disabled_at": now}
        update = Update().set(changes | {"updated_at": now}).add("version", 1)
        update.when("version = :when_version", {"version": config.version})
        cleared = Update().set(_CLEARED | _expiry(now))
        if reason is DisabledReason.ENDPOINT_FAILING:
            enough = {"enough": breaker.GIVE_UP_AFTER}
            cleared.when("exhausted >= :when_enough OR opened >= :when_enough", enough)
        return self._transact(
            [
                self._table.updating(config_key(config.workspace_id, config.id), update),
                self._of_health(config, cleared),
                *self._noted(told),
            ]
        )

    def noting(self, told: Event) -> dict[str, Any]:
        return self._events.putting(told)

    def _of_health(self, config: WebhookConfig, update: Update) -> dict[str, Any]:
        return self._table.updating(_key(config), update)

    def _noted(self, told: Event | None) -> list[dict[str, Any]]:
        return [] if told is None else [self._events.putting(told)]

    def _transact(self, operations: list[dict[str, Any]]) -> bool:
        return not self._table.transact(operations)

    def _write(self, config: WebhookConfig, update: Update) -> EndpointHealth | None:
        """None if the condition did not hold."""
        written = self._table.update(_key(config), update)
        return None if isinstance(written, Refused) else EndpointHealth.from_item(written)


def _key(config: WebhookConfig) -> Key:
    return health_key(config.workspace_id, config.id)


def _changing(old: EndpointHealth, new: EndpointHealth) -> Update:
    """Only what differs, so that what others count meanwhile stays; blank is not stored."""
    blank = EndpointHealth().model_dump()
    before, after = old.model_dump(), new.model_dump()
    changed = {name: value for name, value in after.items() if value != before[name]}
    return Update().set(
        {name: None if value == blank[name] else value for name, value in changed.items()}
    )


def _expiry(now: int) -> dict[str, int]:
    return {"expires_at": (now + FORGET_MS) // MS_PER_S}
