"""A store of one endpoint's health in memory, which records what it is asked to do."""

from typing import Any

from shared.configs.models import DisabledReason, WebhookConfig
from shared.endpoints import breaker
from shared.endpoints.breaker import Count, EndpointHealth, Outcome
from shared.events.models import Event
from tests.unit.endpoints.counting import counted


class FakeHealthStore:
    """`steps` names the changes beside counts, `notices` holds the events stored with them.

    If `is_late`, another worker has acted first: conditional changes are refused.
    """

    def __init__(self, health: EndpointHealth | None = None, is_late: bool = False) -> None:
        self.health = health or EndpointHealth()
        self.is_late = is_late
        self.steps: list[str] = []
        self.notices: list[Event] = []

    def lease_probe(self, config: WebhookConfig, known: EndpointHealth, now: int) -> str | None:
        self.steps.append("lease_probe")
        return None if self.is_late else "lease"

    def return_probe(self, config: WebhookConfig, probe: str) -> None:
        self.steps.append(f"return_probe {probe}")

    def count(self, config: WebhookConfig, count: Count, now: int) -> EndpointHealth:
        self.health = counted(self.health, count)
        return self.health

    def reopen(
        self, config: WebhookConfig, known: EndpointHealth, probe: str, now: int
    ) -> EndpointHealth | None:
        self.steps.append(f"reopen {probe}")
        if self.is_late:
            return None
        self.health = breaker.opened(self.health, now)
        return self.health

    def trip(
        self, config: WebhookConfig, health: EndpointHealth, now: int, notice: Event | None
    ) -> bool:
        return self._changed("trip", notice)

    def recover(
        self,
        config: WebhookConfig,
        known: EndpointHealth,
        outcome: Outcome,
        probe: str,
        now: int,
        notice: Event | None,
    ) -> bool:
        return self._changed(f"recover {probe}", notice)

    def forget(self, config: WebhookConfig, now: int) -> bool:
        return self._changed("forget", None)

    def disable(
        self, config: WebhookConfig, reason: DisabledReason, now: int, notice: Event | None
    ) -> bool:
        return self._changed(f"disable {reason}", notice)

    def putting(self, notice: Event) -> dict[str, Any]:
        return {"Put": notice.event_id}

    def _changed(self, step: str, notice: Event | None) -> bool:
        self.steps.append(step)
        if notice is not None and not self.is_late:
            self.notices.append(notice)
        return not self.is_late
