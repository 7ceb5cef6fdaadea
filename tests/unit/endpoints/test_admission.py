from typing import cast

import pytest

from shared.configs.models import Status, WebhookConfig
from shared.deliveries.models import DeliveryState, Reason
from shared.endpoints import admission
from shared.endpoints.admission import AdmissionControl, Admitted, Deferred, Rejected
from shared.endpoints.breaker import PAUSE_AFTER, PAUSE_MS, PROBE_MS, EndpointHealth
from shared.endpoints.rate_limit import RateLimiter
from shared.endpoints.store import HealthStore
from tests import factories
from tests.fakes import NOW
from tests.unit.endpoints.health_store import FakeHealthStore

OPEN = EndpointHealth(failures=5, failing_since=NOW, opened=1, open_until=NOW + 30_000)
PROBE = OPEN.model_copy(update={"open_until": NOW})
SLOW = EndpointHealth(hanging=PAUSE_AFTER, hanging_until=NOW + 10_000)


class FakeRateLimiter:
    def __init__(self, reserved_at: int | None = None) -> None:
        self.reserved_at = reserved_at
        self.asked: list[tuple[int, bool]] = []

    def take(self, config: WebhookConfig, rate: int, now_ms: int, reserved: bool) -> int | None:
        self.asked.append((rate, reserved))
        return self.reserved_at


def control(
    store: FakeHealthStore | None = None, rates: FakeRateLimiter | None = None
) -> AdmissionControl:
    return AdmissionControl(
        cast(HealthStore, store or FakeHealthStore()),
        cast(RateLimiter, rates or FakeRateLimiter()),
        lambda: 0.0,
    )


def admit(
    health: EndpointHealth,
    store: FakeHealthStore | None = None,
    rates: FakeRateLimiter | None = None,
    in_turn: bool = False,
    rate: int | None = None,
) -> Admitted | Deferred:
    message = factories.pointer().model_copy(update={"in_turn": in_turn})
    config = factories.config(rate_limit_per_second=rate)
    return control(store, rates).admit(message, config, health, NOW)


class TestAConfig:
    @pytest.mark.parametrize(
        ("config", "state", "reason"),
        [
            (None, DeliveryState.CANCELLED, Reason.CONFIG_UNKNOWN),
            (
                factories.config(status=Status.DELETED),
                DeliveryState.CANCELLED,
                Reason.CONFIG_DELETED,
            ),
            (
                factories.config(status=Status.ARCHIVED),
                DeliveryState.HELD,
                Reason.CONFIG_ARCHIVED,
            ),
            (factories.config(enabled=False), DeliveryState.HELD, Reason.CONFIG_DISABLED),
        ],
    )
    def test_that_does_not_receive_says_why(
        self, config: WebhookConfig | None, state: DeliveryState, reason: Reason
    ) -> None:
        expected = Rejected(state=state, reason=reason)

        assert admission.receiver(config, factories.event()) == expected
        assert admission.receiver(config, None) == expected

    def test_receives_what_its_dialect_can_express(self) -> None:
        config = factories.config(dialect="funnelflux")
        contact = factories.event(event_type="contact.created")

        assert admission.receiver(config, factories.event()) == config
        assert admission.receiver(config, contact) == Rejected(
            state=DeliveryState.CANCELLED, reason=Reason.NOT_EXPRESSIBLE
        )

    def test_receives_no_erased_event_even_if_it_is_disabled(self) -> None:
        erased = factories.event().model_copy(update={"erased_at": NOW})

        assert admission.receiver(factories.config(enabled=False), erased) == Rejected(
            state=DeliveryState.CANCELLED, reason=Reason.ERASED
        )


class TestAnAttempt:
    def test_at_a_healthy_endpoint_is_admitted_without_a_lease(self) -> None:
        store, rates = FakeHealthStore(), FakeRateLimiter()

        assert admit(EndpointHealth(), store, rates) == Admitted()
        assert (store.steps, rates.asked) == ([], [])

    def test_at_an_open_breaker_takes_no_token(self) -> None:
        rates = FakeRateLimiter()

        admitted = admit(OPEN, rates=rates, rate=1)

        assert admitted == Deferred(at=NOW + 30_000, reason=Reason.ENDPOINT_TRIPPED)
        assert rates.asked == []

    def test_pauses_while_requests_are_slow(self) -> None:
        admitted = admit(SLOW)

        assert admitted == Deferred(at=NOW + PAUSE_MS, reason=Reason.ENDPOINT_HANGS)

    def test_that_comes_at_its_reservation_does_not_pause(self) -> None:
        rates = FakeRateLimiter()

        assert admit(SLOW, rates=rates, in_turn=True, rate=1) == Admitted()
        assert rates.asked == [(1, True)]

    def test_beyond_the_rate_comes_again_at_its_reservation(self) -> None:
        admitted = admit(EndpointHealth(), rates=FakeRateLimiter(NOW + 700), rate=1)

        assert admitted == Deferred(at=NOW + 700, reason=Reason.RATE_LIMITED)


class TestTheProbe:
    def test_has_a_lease(self) -> None:
        assert admit(PROBE) == Admitted(probe="lease")

    def test_is_not_leased_beyond_the_rate(self) -> None:
        store = FakeHealthStore()

        admitted = admit(PROBE, store, FakeRateLimiter(NOW + 700), rate=1)

        assert admitted == Deferred(at=NOW + 700, reason=Reason.RATE_LIMITED)
        assert store.steps == []

    def test_of_another_worker_is_waited_for(self) -> None:
        admitted = admit(PROBE, FakeHealthStore(is_late=True))

        assert admitted == Deferred(at=NOW + PROBE_MS, reason=Reason.ENDPOINT_TRIPPED)

    def test_is_returned_if_its_attempt_is_withdrawn(self) -> None:
        store = FakeHealthStore()

        control(store).withdraw(factories.config(), Admitted(probe="lease"))
        control(store).withdraw(factories.config(), Admitted())

        assert store.steps == ["return_probe lease"]
