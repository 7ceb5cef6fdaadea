from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.attempts import outcome
from shared.attempts.outcome import Wait
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason, Resend
from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE
from shared.outbound.response import Cause, Response, Timings
from tests import factories

NOW = 1_777_485_855_000
DAY_MS = 24 * 60 * 60 * 1000
SCHEDULES = st.lists(st.integers(min_value=0, max_value=86_400), min_size=1, max_size=20)
# Two digits of a year reach from 1969 to 2068.
DATES = st.datetimes(
    min_value=datetime(1969, 1, 2),  # noqa: DTZ001 - the strategy wants it so
    max_value=datetime(2068, 12, 30),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
HTTP_DATES: list[Callable[[datetime], str]] = [
    lambda moment: format_datetime(moment, usegmt=True),
    lambda moment: moment.strftime("%A, %d-%b-%y %H:%M:%S GMT"),
    lambda moment: moment.strftime("%a %b %e %H:%M:%S %Y"),
]
PARTS_OF_DATES = st.sampled_from(
    ["Wed,", "Wed", "29", "-29", "Apr", "Apr,", "29-Apr-26", "2026", "26", "99999", "18:05:15",
     "99:99:99", "18:05", ":", "GMT", "EST", "+0200", "-9999", "+99999999999", "(", ","]
)  # fmt: skip
CHANCES = st.floats(min_value=0, max_value=1)


def middle() -> float:
    return 0.5


class TestTheClickFunnelsTable:
    @pytest.mark.parametrize(
        ("attempt", "wait_s"),
        [
            (1, 1),
            (2, 15),
            (3, 60),
            (4, 5 * 60),
            (5, 15 * 60),
            (6, 60 * 60),
            (7, 12 * 60 * 60),
            (8, 24 * 60 * 60),
        ],
    )
    def test_says_how_long_to_wait_after_each_attempt(self, attempt: int, wait_s: int) -> None:
        wait = outcome.scheduled_wait_ms(CLICKFUNNELS_SCHEDULE, attempt, middle)

        assert wait == wait_s * 1000

    def test_ends_after_nine_attempts(self) -> None:
        assert outcome.scheduled_wait_ms(CLICKFUNNELS_SCHEDULE, 9, middle) is None


class TestWaits:
    @given(SCHEDULES, CHANCES)
    def test_are_as_many_as_the_schedule_has(self, waits: list[int], chance: float) -> None:
        planned = [
            outcome.scheduled_wait_ms(waits, n, lambda: chance) for n in range(1, len(waits) + 3)
        ]

        assert planned.count(None) == 2
        assert planned[-2:] == [None, None]

    @given(st.integers(min_value=60, max_value=86_400), CHANCES)
    def test_of_a_minute_and_more_differ_by_up_to_a_tenth(self, wait_s: int, chance: float) -> None:
        wait = outcome.scheduled_wait_ms([wait_s], 1, lambda: chance)

        assert wait is not None
        assert wait_s * 900 <= wait <= wait_s * 1100
        assert wait % 1000 == 0

    @given(st.integers(min_value=0, max_value=59), CHANCES)
    def test_under_a_minute_are_exact(self, wait_s: int, chance: float) -> None:
        assert outcome.scheduled_wait_ms([wait_s], 1, lambda: chance) == wait_s * 1000

    def test_reach_both_ends_of_the_jitter(self) -> None:
        assert outcome.scheduled_wait_ms([60], 1, lambda: 0.0) == 54_000
        assert outcome.scheduled_wait_ms([60], 1, lambda: 1.0) == 66_000


class TestRetryAfter:
    @pytest.mark.parametrize("status_code", [429, 503])
    def test_in_seconds_is_heard_on_429_and_503(self, status_code: int) -> None:
        assert outcome.asked_wait_ms(status_code, "120", NOW) == 120_000

    @pytest.mark.parametrize("status_code", [None, 200, 301, 400, 500, 502, 504])
    def test_is_not_heard_on_anything_else(self, status_code: int | None) -> None:
        assert outcome.asked_wait_ms(status_code, "120", NOW) == 0

    @pytest.mark.parametrize(
        "text",
        [
            "Wed, 29 Apr 2026 18:05:15 GMT",
            "Wednesday, 29-Apr-26 18:05:15 GMT",
            "Wed Apr 29 18:05:15 2026",
            "wed, 29 apr 2026 18:05:15 gmt",
            "29 Apr 2026 18:05:15 GMT",
            "Wed, 29 Apr 2026 18:05:15 UTC",
            "Wed, 29 Apr 2026 18:05:15 +0000",
            "Wed, 29 Apr 2026 18:05:15 -0000",
            "Wed, 29 Apr 2026 20:05:15 +0200",
            "Wed, 29 Apr 2026 18:05:15",
            "  Wed, 29 Apr 2026 18:05:15 GMT  ",
        ],
    )
    def test_may_be_a_date(self, text: str) -> None:
        assert outcome.asked_wait_ms(503, text, NOW) == 60_000

    @pytest.mark.parametrize("text", ["60", " 60 ", "060", "0" * 80 + "60"])
    def test_may_be_seconds_in_any_width(self, text: str) -> None:
        assert outcome.asked_wait_ms(503, text, NOW) == 60_000

    def test_in_the_past_asks_for_nothing(self) -> None:
        assert outcome.asked_wait_ms(503, "Wed, 29 Apr 2026 18:03:15 GMT", NOW) == 0

    @pytest.mark.parametrize(
        "text",
        [
            "86401",
            "1777485915",
            "9" * 400,
            "Fri, 31 Dec 9999 23:59:59 GMT",
            "Thu, 30 Apr 2026 18:04:16 GMT",
        ],
    )
    def test_is_heard_up_to_a_day(self, text: str) -> None:
        assert outcome.asked_wait_ms(429, text, NOW) == DAY_MS

    @pytest.mark.parametrize(
        "text",
        [None, "", " ", "0", "000", "soon", "-5", "+5", "1.5", "1e3", "0x10", "5 s", "5, 6", "٣",
         "nan", "inf", "2026-04-29T18:05:15Z", "Wed, 29 Apr", "Wed, 99 Apr 2026 18:05:15 GMT",
         "Wed, 29 Apr 2026 18:05:15 +9999", "Wed, 29 Apr 2026 25:05:15 GMT"],
    )  # fmt: skip
    def test_that_makes_no_sense_asks_for_nothing(self, text: str | None) -> None:
        assert outcome.asked_wait_ms(503, text, NOW) == 0

    @given(st.text() | st.integers().map(str) | st.lists(PARTS_OF_DATES, max_size=9).map(" ".join))
    def test_of_any_text_asks_for_nothing_to_a_day(self, text: str) -> None:
        assert 0 <= outcome.asked_wait_ms(429, text, NOW) <= DAY_MS

    @given(st.integers(min_value=-10, max_value=10**15), st.sampled_from([429, 503]))
    def test_of_any_seconds_is_heard_up_to_a_day(self, seconds: int, status_code: int) -> None:
        asked = outcome.asked_wait_ms(status_code, str(seconds), NOW)

        assert asked == min(max(seconds, 0) * 1000, DAY_MS)

    @given(st.floats().map(str).filter(lambda text: not text.isdigit()))
    def test_of_a_fraction_asks_for_nothing(self, text: str) -> None:
        assert outcome.asked_wait_ms(503, text, NOW) == 0

    @given(DATES, st.sampled_from(HTTP_DATES))
    def test_as_any_date_asks_for_the_rest_of_the_wait(
        self, moment: datetime, written: Callable[[datetime], str]
    ) -> None:
        asked = outcome.asked_wait_ms(503, written(moment), NOW)

        assert asked == min(max(round(moment.timestamp()) * 1000 - NOW, 0), DAY_MS)

    @given(st.integers(-3600, 3600), st.integers(0, 86_400))
    def test_of_a_receiver_whose_clock_is_wrong_errs_by_as_much(
        self, ahead_s: int, wait_s: int
    ) -> None:
        now_s = NOW // 1000
        theirs = datetime.fromtimestamp(now_s + ahead_s + wait_s, UTC)

        asked = outcome.asked_wait_ms(429, format_datetime(theirs, usegmt=True), now_s * 1000)

        assert asked == min(max(wait_s + ahead_s, 0) * 1000, DAY_MS)


def response(status_code: int | None = 200, **changes: Any) -> Response:
    values = {
        "status_code": status_code,
        "cause": None,
        "detail": "",
        "address": "203.0.113.7",
        "retry_after": None,
        "excerpt": "",
        "timings": Timings(total=12),
    }
    return Response.model_validate(values | changes)


def delivery(**changes: Any) -> Delivery:
    values = {
        "workspace_id": factories.WORKSPACE,
        "request_id": factories.request_id(),
        "event_id": "event-1",
        "event_type": "on_action",
        "config_id": "crm",
        "state": DeliveryState.SENDING,
        "attempt": 1,
        "created_at": NOW,
    }
    return Delivery.model_validate(values | changes)


class TestAResponse:
    @pytest.mark.parametrize(
        ("dialect", "status_code", "is_success"),
        [
            ("funnelflux", 299, True),
            ("funnelflux", 302, False),
            ("clickfunnels", 207, True),
            ("clickfunnels", 208, False),
            ("clickfunnels", 226, True),
        ],
    )
    def test_succeeds_by_the_status_codes_of_the_dialect(
        self, dialect: str, status_code: int, is_success: bool
    ) -> None:
        config = factories.config(dialect=dialect)

        assert outcome.is_success(response(status_code), config) is is_success

    def test_that_broke_off_succeeds_by_its_status(self) -> None:
        broken = response(200, cause=Cause.TIMEOUT)

        assert outcome.is_success(broken, factories.config())
        assert outcome.cause(broken, factories.config()) is None

    @pytest.mark.parametrize(
        ("answered", "cause"),
        [
            (response(500), Cause.HTTP_STATUS),
            (response(None, cause=Cause.DNS), Cause.DNS),
            (response(500, cause=Cause.TIMEOUT), Cause.TIMEOUT),
        ],
    )
    def test_that_fails_has_a_cause(self, answered: Response, cause: Cause) -> None:
        assert outcome.cause(answered, factories.config()) is cause

    @pytest.mark.parametrize(
        ("answered", "detail"),
        [
            (response(500), ""),
            (response(302), "Redirects are not followed"),
            (response(None, detail="port 81 is not allowed"), "port 81 is not allowed"),
        ],
    )
    def test_has_a_detail_if_there_is_more_to_say(self, answered: Response, detail: str) -> None:
        assert outcome.detail(answered) == detail


class TestTheNextWait:
    """Of a config with the schedule 5 s, 15 s."""

    def of(self, delivery: Delivery, answered: Response) -> Wait | None:
        config = factories.config(retry_schedule=(5, 15))
        return outcome.next_wait(delivery, config, answered, NOW, middle)

    def test_is_that_of_the_schedule(self) -> None:
        assert self.of(delivery(), response(500)) == Wait(5_000, Reason.ATTEMPT_FAILED)
        assert self.of(delivery(attempt=2), response(500)) == Wait(15_000, Reason.ATTEMPT_FAILED)

    def test_is_none_after_a_success(self) -> None:
        assert self.of(delivery(), response(204)) is None

    def test_is_none_after_the_last_attempt(self) -> None:
        assert self.of(delivery(attempt=3), response(500)) is None

    def test_is_longer_if_the_receiver_asks_for_it(self) -> None:
        asking = response(503, retry_after="60")

        assert self.of(delivery(), asking) == Wait(60_000, Reason.RETRY_AFTER)

    def test_is_never_shorter_than_the_schedule(self) -> None:
        asking = response(503, retry_after="1")

        assert self.of(delivery(), asking) == Wait(5_000, Reason.ATTEMPT_FAILED)

    def test_counts_from_a_resend_that_begins_the_schedule_again(self) -> None:
        resent = delivery(attempt=8, resend=Resend(after=7, counts_from=7))

        assert self.of(resent, response(500)) == Wait(5_000, Reason.ATTEMPT_FAILED)

    def test_is_none_after_a_resend_without_a_schedule(self) -> None:
        assert self.of(delivery(attempt=8, resend=Resend(after=7)), response(500)) is None


class TestARecordedAttempt:
    def test_holds_what_came_of_it(self) -> None:
        answered = response(503, excerpt="busy", retry_after="60")
        wait = Wait(60_000, Reason.RETRY_AFTER)

        recorded = outcome.attempt_of(
            delivery(attempt=2),
            factories.config(),
            AttemptOrigin.PROBE,
            answered,
            NOW,
            wait,
        )

        assert recorded == Attempt(
            number=2,
            trigger=AttemptOrigin.PROBE,
            started_at=NOW,
            succeeded=False,
            status_code=503,
            cause=Cause.HTTP_STATUS,
            address="203.0.113.7",
            timings=Timings(total=12),
            excerpt="busy",
            next_wait_ms=60_000,
            next_reason=Reason.RETRY_AFTER,
        )

    def test_is_followed_by_none_without_a_wait(self) -> None:
        config, origin = factories.config(), AttemptOrigin.SCHEDULE

        recorded = outcome.attempt_of(delivery(), config, origin, response(), NOW, None)

        assert recorded.succeeded
        assert (recorded.next_wait_ms, recorded.next_reason) == (None, None)


@given(SCHEDULES, CHANCES)
def test_a_schedule_ends_by_its_last_attempt(waits: list[int], chance: float) -> None:
    config = factories.config(retry_schedule=tuple(waits))

    numbers = range(1, len(waits) + 1)
    taken_ms = sum(outcome.scheduled_wait_ms(waits, n, lambda: chance) or 0 for n in numbers)

    assert NOW + taken_ms <= outcome.last_attempt_at(config, NOW)
