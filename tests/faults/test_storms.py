"""Whatever goes wrong: nothing that was accepted is lost, and nothing is sent twice unexplained."""

import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest

from shared.repair import sweeper
from shared.repair.sweeper import Swept
from shared.standalone.engine.template import template
from tests.faults.storms import STORMS, Result, named, run

EVENTS = 250
SEED = 20_261_121
REPAIR_MS = 1000 * template().functions()["RepairFunction"]["Timeout"]
# Time for a page or two.
SHORT_MS = 100
NAMES = [storm.name for storm in STORMS]


@cache
def result_of(name: str) -> Result:
    return run(named(name), EVENTS, SEED)


def run_elsewhere(name: str, hash_seed: str) -> str:
    """What a process of its own, in which sets have another order, finds."""
    code = f"from tests.faults.test_storms import result_of; print(result_of({name!r}))"
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    found = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    return found.stdout


@pytest.mark.parametrize("name", NAMES)
def test_what_was_accepted_is_delivered_or_its_schedule_is_spent(name: str) -> None:
    report = result_of(name).report

    assert report.accepted == EVENTS
    assert report.violations == []


def test_the_same_seed_is_the_same_run() -> None:
    first, second = (run_elsewhere(STORMS[-1].name, hash_seed) for hash_seed in ("1", "2"))

    assert first
    assert first == second


class TestWhatOnlyCustomersDoWrong:
    def test_sends_no_attempt_twice(self) -> None:
        assert result_of("only customers fail").report.duplicates.total() == 0

    def test_leaves_the_dead_letter_queues_empty(self) -> None:
        assert result_of("only customers fail").report.dead_letters.total() == 0

    def test_ends_one_way_or_the_other(self) -> None:
        assert set(result_of("only customers fail").report.states) == {"delivered", "failed"}


def test_every_message_twice_in_any_order_sends_no_attempt_twice() -> None:
    result = result_of("every message twice, in any order")

    assert result.faults["message handed out twice"] > 2 * EVENTS
    assert result.report.duplicates.total() == 0


@pytest.mark.parametrize("name", ["outages", "everything at once"])
def test_runs_of_repair_that_have_no_time_go_on_where_the_last_one_stopped(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[Swept] = []
    left = sweeper.Sweeper._left

    def noted(*arguments: Any) -> Swept:
        stopped.append(left(*arguments))
        return stopped[-1]

    monkeypatch.setattr(sweeper.Sweeper, "_left", noted)
    monkeypatch.setattr(
        sweeper.Sweeper, "_has_time", lambda it, _=0: it._remaining_ms() > REPAIR_MS - SHORT_MS
    )

    report = run(named(name), EVENTS, SEED).report

    assert stopped
    assert report.accepted == EVENTS
    assert report.violations == []


class TestACrashBetweenTheRequestAndItsRecord:
    """The one honest window."""

    def test_sends_the_attempt_again(self) -> None:
        assert result_of("workers crash").report.duplicates.total() > 0

    def test_is_what_explains_each_of_them(self) -> None:
        assert all(
            why.startswith("crashed") for why in result_of("workers crash").report.duplicates
        )
