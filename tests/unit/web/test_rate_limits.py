import math
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import RateLimitedError
from shared.web import rate_limits
from shared.web.rate_limits import (
    CallRateLimiter,
    EventRateLimiter,
    TokenBucket,
)
from shared.workspaces.models import Caller
from shared.workspaces.store import WorkspaceStore
from tests import factories
from tests.fakes import NOW, FakeClock, FakeKeyStore

RATES = st.integers(min_value=1, max_value=1_000_000)
TOKENS = st.integers(min_value=1, max_value=100)
# How long before each asking, and for how many.
ASKINGS = st.lists(st.tuples(st.integers(min_value=0, max_value=5_000), TOKENS), max_size=40)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FakeKeyStore:
    return FakeKeyStore({})


@pytest.fixture
def calls(store: FakeKeyStore, clock: FakeClock) -> CallRateLimiter:
    return CallRateLimiter(cast(WorkspaceStore, store), clock)


@pytest.fixture
def events(clock: FakeClock) -> EventRateLimiter:
    return EventRateLimiter(clock)


class TestManagementCalls:
    def test_are_told_how_many_are_left(self, calls: CallRateLimiter) -> None:
        caller = factories.caller(requests_per_minute=3)

        answers = [calls.take(caller) for _ in range(3)]

        assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["2", "1", "0"]
        assert {answer["X-RateLimit-Limit"] for answer in answers} == {"3"}

    @pytest.mark.parametrize(("elapsed_s", "retry_after_s"), [(0, 45), (0.001, 45), (44.999, 1)])
    def test_over_the_limit_are_told_when_the_next_minute_begins(
        self, calls: CallRateLimiter, clock: FakeClock, elapsed_s: float, retry_after_s: int
    ) -> None:
        caller = factories.caller(requests_per_minute=1)
        calls.take(caller)
        clock.advance(elapsed_s)

        with pytest.raises(RateLimitedError) as refusal:
            calls.take(caller)

        assert (refusal.value.limit, refusal.value.retry_after_s) == (1, retry_after_s)

    def test_are_let_in_again_in_the_next_minute(
        self, calls: CallRateLimiter, clock: FakeClock
    ) -> None:
        caller = factories.caller(requests_per_minute=1)
        calls.take(caller)
        with pytest.raises(RateLimitedError) as refusal:
            calls.take(caller)

        clock.advance(refusal.value.retry_after_s)

        assert calls.take(caller)["X-RateLimit-Remaining"] == "0"

    def test_of_one_key_leave_another_alone(self, calls: CallRateLimiter) -> None:
        busy = factories.caller(requests_per_minute=1)
        calls.take(busy)
        with pytest.raises(RateLimitedError):
            calls.take(busy)

        other = Caller(key=factories.api_key(id="key_2"), workspace=busy.workspace)

        assert calls.take(other)["X-RateLimit-Remaining"] == "0"

    def test_over_the_limit_cost_no_more_writes(
        self, calls: CallRateLimiter, store: FakeKeyStore
    ) -> None:
        caller = factories.caller(requests_per_minute=1)
        calls.take(caller)

        for _ in range(10):
            with pytest.raises(RateLimitedError):
                calls.take(caller)

        assert sum(store.calls.values()) == 2


class TestEvents:
    def test_come_in_a_burst_of_two_seconds(self, events: EventRateLimiter) -> None:
        workspace = factories.workspace(limits={"events_per_second": 2})

        answers = [events.take(workspace) for _ in range(4)]

        assert [answer["X-RateLimit-Remaining"] for answer in answers] == ["3", "2", "1", "0"]
        assert answers[0]["X-RateLimit-Limit"] == "2"
        with pytest.raises(RateLimitedError, match=r"More than 2 events a second\."):
            events.take(workspace)

    def test_over_the_limit_come_in_after_the_wait(
        self, events: EventRateLimiter, clock: FakeClock
    ) -> None:
        workspace = factories.workspace(limits={"events_per_second": 1})
        events.take(workspace, 2)
        clock.advance(0.999)
        with pytest.raises(RateLimitedError) as refusal:
            events.take(workspace)

        clock.advance(refusal.value.retry_after_s)

        assert refusal.value.retry_after_s == 1
        assert events.take(workspace)["X-RateLimit-Remaining"] == "0"

    def test_that_were_refused_take_nothing(
        self, events: EventRateLimiter, clock: FakeClock
    ) -> None:
        workspace = factories.workspace(limits={"events_per_second": 5})
        events.take(workspace, 10)
        for _ in range(3):
            with pytest.raises(RateLimitedError):
                events.take(workspace)

        clock.advance(0.2)

        assert events.take(workspace)["X-RateLimit-Remaining"] == "0"

    @pytest.mark.parametrize("rate", [1, 50])
    def test_in_a_batch_come_in_together_and_later_ones_wait(
        self, events: EventRateLimiter, rate: int
    ) -> None:
        workspace = factories.workspace(limits={"events_per_second": rate})
        events.take(workspace)

        answer = events.take(workspace, 2 * rate + 9)

        assert answer["X-RateLimit-Remaining"] == "0"
        with pytest.raises(RateLimitedError) as refusal:
            events.take(workspace)
        assert refusal.value.retry_after_s == math.ceil(11 / rate)

    def test_of_a_batch_of_one_are_counted_once(self, events: EventRateLimiter) -> None:
        workspace = factories.workspace(limits={"events_per_second": 1})
        for _ in range(2):
            events.take(workspace)
            events.take(workspace, 0)

        with pytest.raises(RateLimitedError):
            events.take(workspace)

    def test_of_one_workspace_leave_another_alone(self, events: EventRateLimiter) -> None:
        events.take(factories.workspace(limits={"events_per_second": 1}), 2)

        events.take(factories.workspace(workspace_id="another", limits={"events_per_second": 1}))

    def test_follow_a_limit_that_was_changed(
        self, events: EventRateLimiter, clock: FakeClock
    ) -> None:
        events.take(factories.workspace(limits={"events_per_second": 1}), 2)
        clock.advance(2)

        answer = events.take(factories.workspace(limits={"events_per_second": 100}))

        assert answer == {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "199"}

    def test_of_the_workspace_that_was_quiet_longest_are_forgotten(
        self, events: EventRateLimiter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rate_limits, "MAX_BUCKETS", 2)
        one, two, three = (
            factories.workspace(workspace_id=name, limits={"events_per_second": 1})
            for name in ("one", "two", "three")
        )
        for workspace in (one, two, one, three):
            events.take(workspace)

        assert events.take(two)["X-RateLimit-Remaining"] == "1"


class TestABucket:
    @given(RATES, ASKINGS)
    def test_gives_no_more_than_its_burst_its_rate_and_one_batch_on_credit(
        self, rate: int, askings: list[tuple[int, int]]
    ) -> None:
        bucket, now, given_out, credit = TokenBucket.full(rate, NOW), NOW, 0, 0
        for wait, tokens in askings:
            now += wait
            bucket = bucket.filled(rate, now)
            if not bucket.wait_ms(rate, tokens):
                bucket = bucket.without(tokens)
                given_out, credit = given_out + tokens, max(credit, tokens - 1)

        assert given_out * 1000 <= 2 * rate * 1000 + rate * (now - NOW) + credit * 1000

    @given(RATES, ASKINGS, TOKENS)
    def test_says_the_shortest_wait(
        self, rate: int, askings: list[tuple[int, int]], tokens: int
    ) -> None:
        bucket = TokenBucket.full(rate, NOW)
        for _, taken in askings:
            bucket = bucket.without(taken)

        wait = bucket.wait_ms(rate, tokens)

        assert bucket.filled(rate, NOW + wait).wait_ms(rate, tokens) == 0
        if wait:
            assert bucket.filled(rate, NOW + wait - 1).wait_ms(rate, tokens) == 1

    @given(RATES, st.lists(st.integers(min_value=-5_000, max_value=5_000), max_size=20))
    def test_never_holds_more_than_two_seconds_worth_even_if_the_clock_jumps(
        self, rate: int, jumps: list[int]
    ) -> None:
        bucket, now = TokenBucket.full(rate, NOW), NOW
        for jump in jumps:
            now += jump
            before = bucket.level
            bucket = bucket.filled(rate, now)
            assert before <= bucket.level <= 2 * rate * 1000

    @given(st.integers(min_value=1, max_value=1000))
    def test_lets_a_steady_stream_at_its_rate_pass_for_ever(self, rate: int) -> None:
        bucket = TokenBucket.full(rate, NOW)
        for second in range(1, 30):
            bucket = bucket.filled(rate, NOW + second * 1000)
            assert bucket.wait_ms(rate, rate) == 0
            bucket = bucket.without(rate)

        assert bucket.tokens == rate
