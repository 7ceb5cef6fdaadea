from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.configs.models import DisabledReason
from shared.endpoints import breaker
from shared.endpoints.breaker import (
    FIRST_WINDOW_MS,
    GIVE_UP_AFTER,
    GIVE_UP_MS,
    MAX_PATIENCE_MS,
    MAX_WINDOW_MS,
    PAUSE_AFTER,
    PROBE_MS,
    TRIP_AFTER,
    BreakerState,
    EndpointHealth,
    Outcome,
    Result,
    Step,
)
from shared.outbound.response import Cause
from tests.fakes import NOW
from tests.unit.endpoints.counting import counted

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


class TestAnOutcome:
    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 599])
    def test_of_a_server_that_cannot_is_trouble(self, status: int) -> None:
        assert breaker.outcome_of(False, status, Cause.HTTP_STATUS) is Outcome.TROUBLED

    @pytest.mark.parametrize("cause", [Cause.CONNECT, Cause.TIMEOUT, Cause.TLS, Cause.PROTOCOL])
    def test_of_a_network_that_fails_is_trouble(self, cause: Cause) -> None:
        assert breaker.outcome_of(False, None, cause) is Outcome.TROUBLED

    @pytest.mark.parametrize("status", [301, 400, 401, 404, 422])
    def test_of_a_request_that_is_refused_is_none(self, status: int) -> None:
        assert breaker.outcome_of(False, status, Cause.HTTP_STATUS) is Outcome.REFUSED

    @pytest.mark.parametrize("cause", [Cause.REFUSED_ADDRESS, Cause.DNS])
    def test_of_a_request_that_was_not_sent_says_nothing(self, cause: Cause) -> None:
        assert breaker.outcome_of(False, None, cause) is Outcome.UNASKED

    def test_of_410_is_an_end(self) -> None:
        assert breaker.outcome_of(False, 410, Cause.HTTP_STATUS) is Outcome.GONE

    def test_of_a_success_is_one_whatever_its_status(self) -> None:
        assert breaker.outcome_of(True, 410, None) is Outcome.SUCCEEDED


class TestAWindow:
    def test_doubles_from_30_s_to_15_min(self) -> None:
        windows = [breaker.window_ms(number) // 1000 for number in range(1, 8)]

        assert windows == [30, 60, 120, 240, 480, 900, 900]

    @given(st.integers(min_value=1, max_value=10**9))
    def test_is_never_longer(self, number: int) -> None:
        assert FIRST_WINDOW_MS <= breaker.window_ms(number) <= MAX_WINDOW_MS


class TestAPause:
    def test_is_made_while_enough_requests_hang(self) -> None:
        until = NOW + 10_000

        assert breaker.is_paused(EndpointHealth(hanging=PAUSE_AFTER, hanging_until=until), NOW)
        assert not breaker.is_paused(
            EndpointHealth(hanging=PAUSE_AFTER, hanging_until=until), until
        )
        assert not breaker.is_paused(
            EndpointHealth(hanging=PAUSE_AFTER - 1, hanging_until=until), NOW
        )

    @given(st.floats(min_value=0, max_value=1))
    def test_takes_seconds(self, draw: float) -> None:
        assert 3_000 <= breaker.paused_until(NOW, lambda: draw) - NOW <= 6_000


class TestComingBack:
    @given(
        opened=st.integers(min_value=1, max_value=400),
        down_ms=st.integers(min_value=0, max_value=30 * DAY),
        draw=st.floats(min_value=0, max_value=1),
    )
    def test_is_never_while_it_is_open_and_within_the_patience(
        self, opened: int, down_ms: int, draw: float
    ) -> None:
        window = breaker.window_ms(opened)
        health = EndpointHealth(opened=opened, open_until=NOW + window, failing_since=NOW - down_ms)

        at = breaker.back_at(health, NOW, lambda: draw)

        assert NOW + window <= at <= NOW + window + max(window, down_ms // 2)
        assert at <= NOW + window + max(window, MAX_PATIENCE_MS)

    def test_costs_a_delivery_few_looks_at_a_long_outage(self) -> None:
        """Once every window of 15 minutes would be 288 looks in three days."""
        looks = sorted(_looks(3 * DAY, draw=_draws(seed)) for seed in range(200))

        assert looks[100] <= 40
        assert looks[-1] <= 60

    def test_is_spread_over_the_window(self) -> None:
        health = EndpointHealth(opened=1, open_until=NOW + 30_000, failing_since=NOW)

        late = [breaker.back_at(health, NOW, _draws(seed)) - NOW - 30_000 for seed in range(3_000)]

        thirds = Counter(wait // 10_000 for wait in late)
        assert all(thirds[third] > 800 for third in range(3))


def _draws(seed: int) -> breaker.Random:
    """Numbers from 0 to 1, the same ones for the same seed."""
    state = [seed * 2_654_435_761 % 2**32]

    def draw() -> float:
        state[0] = (state[0] * 1_664_525 + 1_013_904_223) % 2**32
        return state[0] / 2**32

    return draw


def _looks(outage_ms: int, draw: breaker.Random) -> int:
    """How often one delivery comes to an endpoint that stays dead and is probed by others."""
    health, now, looks = breaker.opened(EndpointHealth(failures=5, failing_since=NOW), NOW), NOW, 0
    while now < NOW + outage_ms:
        now, looks = breaker.back_at(health, now, draw), looks + 1
        while health.open_until <= now:
            health = breaker.opened(health, health.open_until)
    return looks


class TestGivingUp:
    @pytest.mark.parametrize(
        ("exhausted", "opened", "days", "expected"),
        [
            (GIVE_UP_AFTER, 0, 3, True),
            (GIVE_UP_AFTER - 1, 0, 30, False),
            (GIVE_UP_AFTER, 0, 2.99, False),
            (0, GIVE_UP_AFTER, 3, True),
            (0, GIVE_UP_AFTER - 1, 30, False),
        ],
    )
    def test_takes_fifty_and_three_days(
        self, exhausted: int, opened: int, days: float, expected: bool
    ) -> None:
        since = NOW - round(days * DAY)
        health = EndpointHealth(exhausted=exhausted, opened=opened, failing_since=since)

        reason = breaker.why_disable(Result(Outcome.TROUBLED), health, NOW)
        assert reason is (DisabledReason.ENDPOINT_FAILING if expected else None)

    def test_needs_a_failure(self) -> None:
        assert breaker.why_disable(Result(Outcome.TROUBLED), EndpointHealth(), NOW) is None
        assert GIVE_UP_MS == 3 * DAY


class Endpoint(RuleBasedStateMachine):
    """Any outcomes at any times: what may go out, and when."""

    @initialize()
    def begin(self) -> None:
        self.health, self.now = EndpointHealth(), NOW
        self.row = self.windows = 0
        self.probing_until = 0

    @rule(ms=st.integers(min_value=0, max_value=20 * MINUTE))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @precondition(lambda self: self.state is BreakerState.CLOSED)
    @rule(
        outcome=st.sampled_from([Outcome.TROUBLED, Outcome.REFUSED, Outcome.UNASKED]),
        end=st.booleans(),
    )
    def an_attempt_fails(self, outcome: Outcome, end: bool) -> None:
        result = Result(outcome, is_exhausted=end)
        count = breaker.count(result, self.now)
        assert count is not None
        self.health = counted(self.health, count)
        self.row += outcome is Outcome.TROUBLED
        if outcome is Outcome.REFUSED:
            self.row = 0
        if breaker.next_step(result, self.health) is Step.TRIP:
            assert self.row == TRIP_AFTER
            self.health, self.windows = breaker.opened(self.health, self.now), 1

    @precondition(lambda self: self.state is BreakerState.CLOSED)
    @rule()
    def an_attempt_succeeds(self) -> None:
        self.health, self.row = EndpointHealth(), 0

    @precondition(lambda self: self.state is BreakerState.PROBE)
    @rule()
    def a_probe_goes_out(self) -> None:
        assert self.now >= self.probing_until
        self.health = breaker.probing(self.health, "lease", self.now)
        self.probing_until = self.now + PROBE_MS

    @precondition(lambda self: self.health.probe is not None)
    @rule()
    def the_probe_fails(self) -> None:
        self.health, self.probing_until = breaker.opened(self.health, self.now), 0
        self.windows += 1
        assert self.health.open_until == self.now + breaker.window_ms(self.windows)

    @precondition(lambda self: self.health.probe is not None)
    @rule(outcome=st.sampled_from([Outcome.SUCCEEDED, Outcome.REFUSED]))
    def the_probe_is_answered(self, outcome: Outcome) -> None:
        since = self.health.failing_since
        self.health = breaker.closed(self.health)
        assert self.state is BreakerState.CLOSED
        assert self.health.failing_since == since
        self.row = self.windows = self.probing_until = 0

    @property
    def state(self) -> BreakerState:
        return breaker.state(self.health, self.now)

    @invariant()
    def is_open_exactly_while_it_was_said_to_be(self) -> None:
        shut = self.windows > 0 and self.now < max(self.health.open_until, self.probing_until)
        assert (self.state is BreakerState.OPEN) is shut
        assert (self.state is BreakerState.CLOSED) is (self.windows == 0)

    @invariant()
    def never_counts_to_more_than_it_takes_to_trip(self) -> None:
        assert self.health.failures <= TRIP_AFTER


TestAnEndpoint = Endpoint.TestCase
