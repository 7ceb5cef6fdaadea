"""The health of endpoints in ConfigTable, written only while something is wrong.

There is one item for each config, and attempts read it together with the config. A notice to the
config's owner is stored as an event in the same transaction as the change. All changes of state are
conditional, so one of many workers that see the same result acts on it.
"""

from typing import Any

from shared import ids, jobs
from shared.aws.items import Update, as_model
from shared.aws.table import Key, Refused, Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.configs.models import DisabledReason, WebhookConfig
from shared.endpoints import breaker
from shared.endpoints.breaker import Count, EndpointHealth, Outcome
from shared.events.models import Event
from shared.events.store import EventStore
from shared.tables.config_table import config_key, health_key

# The item expires so long after the last failure.
FORGET_MS = 30 * MS_PER_DAY

_CLEARED: dict[str, Any] = dict.fromkeys(EndpointHealth.model_fields)
_HOLDER = "probe = :when_probe"


class HealthStore:
    def __init__(self, table: Table, events: EventStore) -> None:
        self._table = table
        self._events = events

    def find(self, workspace_id: str, config_id: str) -> EndpointHealth:
        item = self._table.get(health_key(workspace_id, config_id))
        return as_model(EndpointHealth, item or {})

    def lease_probe(self, config: WebhookConfig, known: EndpointHealth, now: int) -> str | None:
        """The lease of the one probe that may be sent now; None if another worker has it."""
        wanted = breaker.probing(known, ids.new_lease(), now)
        update = _changing(known, wanted).when(
            "opened = :when_opened AND open_until <= :when_now"
            " AND (attribute_not_exists(probe_until) OR probe_until <= :when_now)",
            {"opened": known.opened, "now": now},
        )
        return None if self._write(config, update) is None else wanted.probe

    def return_probe(self, config: WebhookConfig, probe: str) -> None:
        """End the lease of a probe that was not sent."""
        update = Update().set({"probe": None, "probe_until": None})
        self._write(config, update.when(_HOLDER, {"probe": probe}))

    def count(self, config: WebhookConfig, count: Count, now: int) -> EndpointHealth:
        """The health after the count. The table adds, because many workers count at once."""
        update = Update().once(count.once).set(count.set | _expiry(now))
        for name, number in count.add.items():
            update.add(name, number)
        return self._write(config, update) or EndpointHealth()

    def record_slow(self, config: WebhookConfig, now: int) -> None:
        """Count one more request without a response, or begin at 1 if the last ones are old."""
        until = {"hanging_until": now + breaker.SLOW_MS} | _expiry(now)
        more = Update().set(until).add("hanging", 1).when("hanging_until > :when_now", {"now": now})
        if self._write(config, more) is None:
            self._write(config, Update().set(until | {"hanging": 1}))

    def reopen(
        self, config: WebhookConfig, known: EndpointHealth, probe: str, now: int
    ) -> EndpointHealth | None:
        """Open again after a probe that failed. None if the lease was lost."""
        held = breaker.probing(known, probe, now)
        update = _changing(held, breaker.opened(held, now)).set(_expiry(now))
        return self._write(config, update.when(_HOLDER, {"probe": probe}))

    def trip(
        self, config: WebhookConfig, health: EndpointHealth, now: int, notice: Event | None
    ) -> bool:
        """False if another worker opened the breaker, or a success came in between."""
        update = _changing(health, breaker.opened(health, now)).when(
            "attribute_not_exists(opened) AND failures >= :when_enough",
            {"enough": breaker.TRIP_AFTER},
        )
        return self._transact([self._table.updating(_key(config), update)], notice)

    def recover(
        self,
        config: WebhookConfig,
        known: EndpointHealth,
        outcome: Outcome,
        probe: str,
        now: int,
        notice: Event | None,
    ) -> bool:
        """Close after a probe that was answered, and release the deliveries that wait.

        False if the lease was lost.
        """
        held = breaker.probing(known, probe, now)
        recovered = EndpointHealth() if outcome is Outcome.SUCCEEDED else breaker.closed(held)
        update = _changing(held, recovered).when(_HOLDER, {"probe": probe})
        release = jobs.release(config.workspace_id, config.id, now)
        operations = [
            self._table.updating(_key(config), update),
            jobs.starting(self._table, release),
        ]
        return self._transact(operations, notice)

    def forget(self, config: WebhookConfig, now: int) -> bool:
        """Clear the health after a success. False if the breaker is open: it stays open."""
        update = Update().set(_CLEARED | _expiry(now))
        return self._write(config, update.when("attribute_not_exists(opened)", {})) is not None

    def disable(
        self, config: WebhookConfig, reason: DisabledReason, now: int, notice: Event | None
    ) -> bool:
        """False if the config was saved after it was read: the cause may be removed."""
        changes = {"enabled": False, "disabled_reason": reason, "disabled_at": now}
        update = Update().set(changes | {"updated_at": now}).add("version", 1)
        update.when("version = :when_version", {"version": config.version})
        cleared = Update().set(_CLEARED | _expiry(now))
        if reason is DisabledReason.ENDPOINT_FAILING:
            enough = {"enough": breaker.GIVE_UP_AFTER}
            cleared.when("exhausted >= :when_enough OR opened >= :when_enough", enough)
        operations = [
            self._table.updating(config_key(config.workspace_id, config.id), update),
            self._table.updating(_key(config), cleared),
        ]
        return self._transact(operations, notice)

    def putting(self, notice: Event) -> dict[str, Any]:
        """The notice as an operation of a transaction."""
        return self._events.putting(notice)

    def _transact(self, operations: list[dict[str, Any]], notice: Event | None) -> bool:
        notices = [] if notice is None else [self.putting(notice)]
        return not self._table.transact([*operations, *notices])

    def _write(self, config: WebhookConfig, update: Update) -> EndpointHealth | None:
        """The new health; None if the condition does not hold."""
        written = self._table.update(_key(config), update)
        return None if isinstance(written, Refused) else as_model(EndpointHealth, written)


def _key(config: WebhookConfig) -> Key:
    return health_key(config.workspace_id, config.id)


def _changing(old: EndpointHealth, new: EndpointHealth) -> Update:
    """An update of what differs, so that counts of other workers stay. Blank values are removed."""
    blank = EndpointHealth().model_dump()
    before, after = old.model_dump(), new.model_dump()
    changed = {name: value for name, value in after.items() if value != before[name]}
    return Update().set(
        {name: None if value == blank[name] else value for name, value in changed.items()}
    )


def _expiry(now: int) -> dict[str, Any]:
    return {"expires_at": (now + FORGET_MS) // MS_PER_S}
