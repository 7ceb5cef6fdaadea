"""Every attempt starts within a second of the time that was promised for it."""

from functools import cache

from tests.faults.schedules import Punctuality, run

SCHEDULES = 120
SEED = 5
HALF_A_DAY_S = 43_200


@cache
def result() -> Punctuality:
    return run(SCHEDULES, SEED, longest_s=HALF_A_DAY_S)


def test_no_attempt_is_a_second_late_or_early() -> None:
    late_ms = result().late_ms

    assert len(late_ms) > SCHEDULES
    assert late_ms[0] >= -1_000
    assert late_ms[-1] <= 1_000


def test_waits_beyond_the_delay_queues_reach_end_to_the_second_too() -> None:
    late_ms = result().parked_late_ms

    assert len(late_ms) > SCHEDULES / 4
    assert late_ms[0] >= -1_000
    assert late_ms[-1] <= 1_000


def test_every_schedule_comes_to_its_end() -> None:
    report = result().report

    assert report.violations == []
    assert report.duplicates.total() == 0
    assert set(report.states) == {"delivered", "failed"}
