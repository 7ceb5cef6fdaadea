from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.delivery import schedule
from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE

NOW = 1_777_485_855_000
DAY_MS = 24 * 60 * 60 * 1000
SCHEDULES = st.lists(st.integers(min_value=0, max_value=86_400), min_size=1, max_size=20)
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
        wait = schedule.wait_ms(CLICKFUNNELS_SCHEDULE, attempt, middle)

        assert wait == wait_s * 1000

    def test_ends_after_nine_attempts(self) -> None:
        assert schedule.wait_ms(CLICKFUNNELS_SCHEDULE, 9, middle) is None


class TestWaits:
    @given(SCHEDULES, CHANCES)
    def test_are_as_many_as_the_schedule_has(self, waits: list[int], chance: float) -> None:
        planned = [schedule.wait_ms(waits, n, lambda: chance) for n in range(1, len(waits) + 3)]

        assert planned.count(None) == 2
        assert planned[-2:] == [None, None]

    @given(st.integers(min_value=60, max_value=86_400), CHANCES)
    def test_of_a_minute_and_more_differ_by_up_to_a_tenth(self, wait_s: int, chance: float) -> None:
        wait = schedule.wait_ms([wait_s], 1, lambda: chance)

        assert wait is not None
        assert wait_s * 900 <= wait <= wait_s * 1100

    @given(st.integers(min_value=0, max_value=59), CHANCES)
    def test_under_a_minute_are_exact(self, wait_s: int, chance: float) -> None:
        assert schedule.wait_ms([wait_s], 1, lambda: chance) == wait_s * 1000

    def test_reach_both_ends_of_the_jitter(self) -> None:
        assert schedule.wait_ms([60], 1, lambda: 0.0) == 54_000
        assert schedule.wait_ms([60], 1, lambda: 1.0) == 66_000


class TestRetryAfter:
    @pytest.mark.parametrize("status_code", [429, 503])
    def test_in_seconds_is_heard_on_429_and_503(self, status_code: int) -> None:
        assert schedule.asked_wait_ms(status_code, "120", NOW) == 120_000

    @pytest.mark.parametrize("status_code", [None, 200, 301, 400, 500, 502, 504])
    def test_is_not_heard_on_anything_else(self, status_code: int | None) -> None:
        assert schedule.asked_wait_ms(status_code, "120", NOW) == 0

    def test_may_be_a_date(self) -> None:
        assert schedule.asked_wait_ms(503, "Wed, 29 Apr 2026 18:05:15 GMT", NOW) == 60_000

    def test_in_the_past_asks_for_nothing(self) -> None:
        assert schedule.asked_wait_ms(503, "Wed, 29 Apr 2026 18:03:15 GMT", NOW) == 0

    @pytest.mark.parametrize(
        "text",
        ["86401", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 30 Apr 2026 18:04:16 GMT"],
    )
    def test_is_heard_up_to_a_day(self, text: str) -> None:
        assert schedule.asked_wait_ms(429, text, NOW) == DAY_MS

    @pytest.mark.parametrize(
        "text",
        [None, "", " ", "soon", "-5", "1.5", "1e3", "٣", "Wed, 29 Apr", "Wed, 29 Apr 2026 18:05:15",
         "Wed, 99 Apr 2026 18:05:15 GMT", "Wed, 29 Apr 2026 18:05:15 +9999"],
    )  # fmt: skip
    def test_that_makes_no_sense_asks_for_nothing(self, text: str | None) -> None:
        assert schedule.asked_wait_ms(503, text, NOW) == 0

    @given(st.text() | st.integers().map(str))
    def test_of_any_text_asks_for_nothing_to_a_day(self, text: str) -> None:
        assert 0 <= schedule.asked_wait_ms(429, text, NOW) <= DAY_MS

    @given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(9999, 1, 1)))  # noqa: DTZ001 - given its zone below
    def test_as_any_date_asks_for_the_rest_of_the_wait(self, moment: datetime) -> None:
        date = moment.replace(tzinfo=UTC, microsecond=0)

        asked = schedule.asked_wait_ms(503, format_datetime(date, usegmt=True), NOW)

        assert asked == min(max(round(date.timestamp()) * 1000 - NOW, 0), DAY_MS)
