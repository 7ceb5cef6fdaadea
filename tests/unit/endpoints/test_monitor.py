from typing import Any, cast
from uuid import UUID

import pytest

from shared.deliveries.models import Attempt, Delivery, DeliveryState, Resend
from shared.endpoints import monitor as monitoring
from shared.endpoints.breaker import GIVE_UP_AFTER, GIVE_UP_MS, TRIP_AFTER, EndpointHealth
from shared.endpoints.monitor import AttemptReport, InFlight, Monitor
from shared.endpoints.store import HealthStore
from shared.outbound.response import Cause, Timings
from tests import factories
from tests.fakes import NOW
from tests.unit.endpoints.health_store import FakeHealthStore

SUCCESS = {"succeeded": True, "status_code": 200}
TROUBLE = {"succeeded": False, "status_code": 500, "cause": Cause.HTTP_STATUS}
REFUSAL = {"succeeded": False, "status_code": 404, "cause": Cause.HTTP_STATUS}
SILENCE = {"succeeded": False, "status_code": None, "cause": Cause.TIMEOUT}
GONE = {"succeeded": False, "status_code": 410, "cause": Cause.HTTP_STATUS}
OPEN = EndpointHealth(failures=5, failing_since=NOW, opened=1, open_until=NOW)


def delivery(**changes: Any) -> Delivery:
    values = {
        "workspace_id": factories.WORKSPACE,
        "request_id": UUID(int=1),
        "event_id": "event-1",
        "event_type": "on_action",
        "config_id": "crm",
        "state": DeliveryState.SENDING,
        "created_at": NOW,
    }
    return Delivery.model_validate(values | changes)


def attempt(outcome: dict[str, Any], next_wait_ms: int | None = 1_000) -> Attempt:
    values = {"number": 1, "started_at": NOW, "timings": Timings(total=1)}
    wait = None if outcome["succeeded"] else next_wait_ms
    return Attempt.model_validate(values | outcome | {"next_wait_ms": wait})


class Endpoint:
    """An endpoint whose attempts are reported by one worker."""

    def __init__(self, health: EndpointHealth | None = None, is_late: bool = False) -> None:
        self.store = FakeHealthStore(health, is_late)
        self.monitor = Monitor(cast(HealthStore, self.store))

    def report(
        self,
        outcome: dict[str, Any],
        probe: str | None = None,
        was_slow: bool = False,
        next_wait_ms: int | None = 1_000,
        now: int = NOW,
        **changes: Any,
    ) -> None:
        self.monitor.report(
            AttemptReport(
                factories.config(),
                delivery(**changes),
                attempt(outcome, next_wait_ms),
                self.store.health,
                probe,
                was_slow,
                now,
            )
        )

    @property
    def notices(self) -> list[str]:
        return [notice.event_type for notice in self.store.notices]


class TestASuccess:
    def test_of_a_healthy_endpoint_writes_nothing(self) -> None:
        endpoint = Endpoint()

        endpoint.report(SUCCESS)

        assert endpoint.store.steps == []

    @pytest.mark.parametrize(
        ("health", "was_slow"), [(EndpointHealth(failures=1), False), (None, True)]
    )
    def test_clears_what_was_counted(self, health: EndpointHealth | None, was_slow: bool) -> None:
        endpoint = Endpoint(health)

        endpoint.report(SUCCESS, was_slow=was_slow)

        assert endpoint.store.steps == ["forget"]

    def test_that_is_no_probe_leaves_the_breaker_open(self) -> None:
        endpoint = Endpoint(OPEN)

        endpoint.report(SUCCESS)

        assert endpoint.store.steps == []

    def test_lets_the_next_failure_begin_a_row(self) -> None:
        endpoint = Endpoint(EndpointHealth(failures=TRIP_AFTER - 1, failing_since=NOW))

        endpoint.report(SUCCESS)
        endpoint.report(TROUBLE)
        assert endpoint.store.health.failures == 1
        endpoint.report(TROUBLE)

        assert endpoint.store.health.failures == 2

    def test_is_forgotten_beyond_what_a_worker_remembers(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(monitoring, "MAX_REMEMBERED", 0)
        endpoint = Endpoint(EndpointHealth(failures=2, failing_since=NOW))
        endpoint.monitor._succeeded.add(("another", "config"))

        endpoint.report(SUCCESS)

        assert len(endpoint.monitor._succeeded) == 1


class TestAFailure:
    def test_is_counted_and_trips_at_the_fifth_in_a_row(self) -> None:
        endpoint = Endpoint()

        for _ in range(TRIP_AFTER - 1):
            endpoint.report(TROUBLE)
        assert endpoint.store.steps == []
        endpoint.report(TROUBLE)

        assert endpoint.store.steps == ["trip"]
        assert endpoint.notices == ["webhook_config.tripped"]

    def test_that_another_worker_tripped_for_is_not_logged(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        endpoint = Endpoint(EndpointHealth(failures=TRIP_AFTER), is_late=True)

        endpoint.report(TROUBLE)

        assert endpoint.store.steps == ["trip"]
        assert caplog.messages == []

    def test_ends_the_row_if_the_endpoint_only_refuses(self) -> None:
        endpoint = Endpoint(EndpointHealth(failures=TRIP_AFTER - 1, failing_since=NOW))

        endpoint.report(REFUSAL)

        assert endpoint.store.health == EndpointHealth(failing_since=NOW)

    @pytest.mark.parametrize(("outcome", "hanging"), [(SILENCE, 2), (TROUBLE, 0), (REFUSAL, 0)])
    def test_keeps_the_slow_requests_only_without_a_response(
        self, outcome: dict[str, Any], hanging: int
    ) -> None:
        endpoint = Endpoint(EndpointHealth(hanging=2, hanging_until=NOW + 10_000))

        endpoint.report(outcome)

        assert endpoint.store.health.hanging == hanging

    @pytest.mark.parametrize(
        ("next_wait_ms", "resend", "exhausted"),
        [
            (None, None, 1),
            (1_000, None, 0),
            (None, Resend(after=3), 0),
            (None, Resend(after=3, counts_from=3), 1),
        ],
    )
    def test_exhausts_a_delivery_at_the_end_of_its_schedule(
        self, next_wait_ms: int | None, resend: Resend | None, exhausted: int
    ) -> None:
        endpoint = Endpoint()

        endpoint.report(TROUBLE, next_wait_ms=next_wait_ms, resend=resend)

        assert endpoint.store.health.exhausted == exhausted

    def test_disables_after_fifty_exhausted_deliveries_and_three_days(self) -> None:
        endpoint = Endpoint(EndpointHealth(exhausted=GIVE_UP_AFTER - 1, failing_since=NOW))

        endpoint.report(REFUSAL, next_wait_ms=None, now=NOW + GIVE_UP_MS)

        assert endpoint.store.steps == ["disable endpoint_failing"]
        assert endpoint.notices == ["webhook_config.disabled"]

    def test_disables_at_once_if_the_endpoint_is_gone(self) -> None:
        endpoint = Endpoint()

        endpoint.report(GONE)

        assert endpoint.store.steps == ["disable endpoint_gone"]
        assert endpoint.store.health == EndpointHealth()

    def test_of_an_operational_event_makes_no_notice(self) -> None:
        endpoint = Endpoint()

        endpoint.report(GONE, event_id="!webhook_config.tripped.crm.1")

        assert endpoint.store.steps == ["disable endpoint_gone"]
        assert endpoint.notices == []


class TestAProbe:
    @pytest.mark.parametrize("outcome", [SUCCESS, REFUSAL])
    def test_that_is_answered_recovers(self, outcome: dict[str, Any]) -> None:
        endpoint = Endpoint(OPEN)

        endpoint.report(outcome, probe="lease")

        assert endpoint.store.steps == ["recover lease"]
        assert endpoint.notices == ["webhook_config.recovered"]

    def test_that_fails_reopens(self) -> None:
        endpoint = Endpoint(OPEN)

        endpoint.report(TROUBLE, probe="lease")

        assert endpoint.store.steps == ["reopen lease"]
        assert endpoint.store.health.opened == 2

    def test_that_fails_for_the_fiftieth_time_in_three_days_disables(self) -> None:
        health = OPEN.model_copy(update={"opened": GIVE_UP_AFTER - 1})
        endpoint = Endpoint(health)

        endpoint.report(TROUBLE, probe="lease", now=NOW + GIVE_UP_MS)

        assert endpoint.store.steps == ["reopen lease", "disable endpoint_failing"]

    def test_whose_lease_was_lost_disables_nothing_by_its_window(self) -> None:
        health = OPEN.model_copy(update={"opened": GIVE_UP_AFTER - 1})
        endpoint = Endpoint(health, is_late=True)

        endpoint.report(TROUBLE, probe="lease", now=NOW + GIVE_UP_MS)

        assert endpoint.store.steps == ["reopen lease"]


class TestTheNoticeOfAnExhaustedDelivery:
    def notice(self, **changes: Any) -> dict[str, Any] | None:
        failed = attempt(TROUBLE, next_wait_ms=None)
        monitor = Endpoint().monitor
        return monitor.exhaustion_notice(factories.config(), delivery(**changes), failed, NOW)

    def test_is_an_operation_of_the_write_that_ends_it(self) -> None:
        assert self.notice() == {"Put": f"!delivery.exhausted.{UUID(int=1)}.1"}

    def test_is_not_made_again_for_a_resend_without_a_schedule(self) -> None:
        assert self.notice(resend=Resend(after=3)) is None

    def test_is_not_made_for_a_delivery_of_an_operational_event(self) -> None:
        assert self.notice(event_id="!delivery.exhausted.1.1") is None


class TestRequestsInFlight:
    def test_are_slow_if_they_began_long_ago(self) -> None:
        in_flight, config = InFlight(), factories.config()
        old, new = factories.pointer(attempt=1), factories.pointer(attempt=2)

        with in_flight.request(old, config, NOW), in_flight.request(new, config, NOW + 1):
            slow = list(in_flight.slow(since=NOW))

        assert slow == [(old, config)]
        assert in_flight.was_slow(old)
        assert not in_flight.was_slow(new)

    def test_are_not_slow_once_they_have_a_response(self) -> None:
        in_flight, config = InFlight(), factories.config()
        first, second = factories.pointer(attempt=1), factories.pointer(attempt=2)

        with in_flight.request(first, config, NOW):
            request = in_flight.request(second, config, NOW)
            request.__enter__()
            found = in_flight.slow(since=NOW)
            assert next(found) == (first, config)
            request.__exit__(None, None, None)

            assert list(found) == []

    def test_end_with_an_error_too(self) -> None:
        in_flight = InFlight()

        with (
            pytest.raises(OSError, match="lost"),
            in_flight.request(factories.pointer(), factories.config(), NOW),
        ):
            raise OSError("lost")

        assert list(in_flight.slow(since=NOW)) == []
