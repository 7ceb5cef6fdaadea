import heapq

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.endpoints import rate_limit
from shared.endpoints.rate_limit import US_PER_S, Level, Move
from tests.fakes import NOW

NOW_US = NOW * 1000

rates = st.integers(min_value=1, max_value=1000)
gaps = st.lists(st.integers(min_value=0, max_value=3 * US_PER_S), max_size=60)


def sends(rate: int, arrivals: list[int], late_us: int = 0) -> list[tuple[int, int]]:
    """When each attempt was sent, with its number, if deferred attempts come `late_us` after their
    reservation."""
    level, sent = Level(), list[tuple[int, int]]()
    coming = [(at, number, False) for number, at in enumerate(arrivals)]
    heapq.heapify(coming)
    while coming:
        now, number, reserved = heapq.heappop(coming)
        made = rate_limit.move(level, rate, now, reserved)
        level = rate_limit.after(level, made, rate, now)
        if made.is_send:
            sent.append((now, number))
        else:
            heapq.heappush(coming, (rate_limit.reservation_us(level, rate) + late_us, number, True))
    return sent


def arrivals_of(waits: list[int]) -> list[int]:
    at, found = NOW_US, []
    for wait in waits:
        at += wait
        found.append(at)
    return found


@given(rates, gaps, st.integers(min_value=0, max_value=5 * US_PER_S))
def test_never_more_go_out_than_the_rate_and_one_bucket(
    rate: int, waits: list[int], late_us: int
) -> None:
    times = [at for at, _ in sends(rate, arrivals_of(waits), late_us)]

    for first in range(len(times)):
        for last in range(first, len(times)):
            seconds = (times[last] - times[first]) / US_PER_S
            assert last - first + 1 <= rate * seconds + rate + 1e-6


@given(rates, gaps, st.integers(min_value=0, max_value=5 * US_PER_S))
def test_each_goes_out_once(rate: int, waits: list[int], late_us: int) -> None:
    sent = sends(rate, arrivals_of(waits), late_us)

    assert sorted(number for _, number in sent) == list(range(len(waits)))


@given(rates, st.integers(min_value=1, max_value=200))
def test_a_crowd_is_through_as_soon_as_the_rate_allows(rate: int, crowd: int) -> None:
    sent = sends(rate, [NOW_US] * crowd)

    shortest = max(0, crowd - rate) * rate_limit.interval_us(rate)
    assert sent[-1][0] - NOW_US == shortest


@given(st.integers(min_value=1, max_value=20), gaps)
def test_attempts_are_sent_in_the_order_of_their_arrival(rate: int, waits: list[int]) -> None:
    sent = sends(rate, arrivals_of(waits))

    assert [number for _, number in sent] == list(range(len(waits)))


def test_a_new_attempt_comes_after_all_reservations() -> None:
    """Even if the bucket holds a token."""
    level = Level(sent_until=NOW_US, line_until=NOW_US + 5_000)

    assert rate_limit.move(level, 10, NOW_US, reserved=False) is Move.RESERVE_NEXT
    assert rate_limit.move(level, 10, NOW_US, reserved=True) is Move.SEND_FROM_FULL


@pytest.mark.parametrize(("rate", "interval"), [(1, 1_000_000), (3, 333_334), (1000, 1_000)])
def test_an_interval_is_never_too_short(rate: int, interval: int) -> None:
    assert rate_limit.interval_us(rate) == interval
