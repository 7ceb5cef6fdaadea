"""One endpoint of a hundred hangs: first attempts at the others are made as before."""

from functools import cache

import pytest

from tests.faults.isolation import Figures, Load, measure

LOAD = Load(per_s=100, seconds=20, workers=14)
SEED = 3
DIES_AFTER_S = 8


@cache
def figures(hangs_from_s: int | None) -> Figures:
    return measure(LOAD, SEED, hangs_from_s=hangs_from_s)


def test_the_dispatcher_is_busy() -> None:
    assert figures(None).busy > 0.3


@pytest.mark.parametrize("hangs_from_s", [0, DIES_AFTER_S])
def test_the_others_wait_no_longer(hangs_from_s: int) -> None:
    alive, beside = figures(None).waits, figures(hangs_from_s).waits

    assert beside.p99 <= 1.1 * alive.p99


def test_it_is_asked_a_few_times_and_not_again_and_again() -> None:
    assert figures(0).asked < LOAD.per_s * LOAD.seconds / 100
