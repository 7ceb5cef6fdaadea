from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.attempts import outcome
from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE

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
