"""One endpoint of a hundred hangs: first attempts at the others are made as before."""

from functools import cache

import pytest

from tests.faults.isolation import Figures, Load, measure

pytestmark = pytest.mark.timeout(600)  # of a machine that is busy with other things
# One in four workers is busy without the dead endpoint, and half of them while it hangs.
LOAD = Load(per_s=60, seconds=34, workers=12)
SEED = 3


@cache
def figures(with_dead: bool) -> Figures:
    return measure(LOAD, SEED, with_dead=with_dead)


def test_the_dispatcher_is_busy() -> None:
    assert figures(with_dead=False).busy > 0.2


def test_once_its_breaker_has_tripped_the_others_wait_no_longer() -> None:
    alone, beside = figures(with_dead=False).steady, figures(with_dead=True).steady

    assert beside.p99 <= 1.1 * alone.p99


def test_it_is_asked_a_few_times_and_not_again_and_again() -> None:
    assert figures(with_dead=True).dead_attempts < LOAD.per_s * LOAD.seconds / 100
