"""The suite can fail: each law that is broken on purpose is noticed, and for the right reason."""

import pytest

from tests.faults import mutants
from tests.faults.audit import Report, audit
from tests.faults.engine.faults import SEND, Kind, ScriptedFaults
from tests.faults.engine.receivers import Reply
from tests.faults.mutants import Mutant
from tests.faults.storms import named, run
from tests.faults.world import Config, new_world

EVENTS = 100
SEED = 7


def report_of(storm: str, *broken: Mutant, events: int = EVENTS) -> Report:
    return run(named(storm), events, SEED, broken).report


def test_claims_without_their_condition_send_twice() -> None:
    storm = "every message twice, in any order"

    report = report_of(storm, mutants.claims_are_unconditional, events=20)

    assert len(report.unexplained) > 20


def thawed_late(*broken: Mutant) -> Report:
    """A worker is answered 500 and freezes; another has sent and recorded 200 when it goes on."""
    with new_world() as world:
        for mutant in broken:
            mutant(world.cloud)
        faults, queue = ScriptedFaults(), world.cloud.queues["DispatchQueue"]
        faults.arm(SEND, 0, Kind.FREEZE_AFTER)
        world.cloud.wire.faults = faults
        world.cloud.receivers.plan = lambda config_id, request_id, seen: (Reply(500), Reply(200))[
            seen > 0
        ]
        queue.troubles.extra_delays_ms = lambda random: [0, 40_000]  # type: ignore[method-assign]
        world.make_config(Config("crm", "one", (1,)))
        world.clients.begin_sending(["event"], "one", "http")
        world.settle(3_600)
        return audit(world)


def test_an_outcome_recorded_without_a_lease_sends_again_what_was_delivered() -> None:
    report = thawed_late(mutants.anyone_records_an_outcome)

    assert report.wrong == ["event for crm: attempted again after it was delivered"]


def test_and_with_its_lease_it_does_not() -> None:
    report = thawed_late()

    assert report.violations == []
    assert report.duplicates == {"froze after Send": 1}


def test_delays_that_are_cut_short_make_attempts_early() -> None:
    broken = (mutants.delays_are_cut_short, mutants.claims_are_unconditional)

    report = report_of("only customers fail", *broken)

    assert report.early


def test_without_repair_what_the_queues_lose_is_lost() -> None:
    report = report_of("outages", mutants.nothing_is_repaired)

    assert report.lost


def test_events_without_their_note_are_not_repaired() -> None:
    report = report_of("everything at once", mutants.events_are_stored_without_their_note)

    assert report.lost


def test_a_message_that_is_deleted_before_the_work_is_made_good_by_repair() -> None:
    report = report_of("workers crash", mutants.messages_are_deleted_before_the_work)

    assert report.violations == []


def test_and_without_repair_it_is_lost() -> None:
    broken = (mutants.messages_are_deleted_before_the_work, mutants.nothing_is_repaired)

    report = report_of("workers crash", *broken)

    assert len(report.lost) > len(report_of("workers crash", mutants.nothing_is_repaired).lost)


def test_an_event_that_is_answered_before_it_is_stored_is_lost() -> None:
    report = report_of("only customers fail", mutants.some_events_are_answered_and_not_stored)

    assert report.lost


def test_bodies_that_change_are_seen() -> None:
    report = report_of("only customers fail", mutants.bodies_change_between_attempts)

    assert report.changed


def test_messages_that_are_never_deleted_end_as_dead_letters() -> None:
    report = report_of("only customers fail", mutants.messages_are_never_deleted)

    assert report.dead_letters.total() > 0


@pytest.mark.parametrize("storm", ["only customers fail", "workers crash", "workers freeze"])
def test_and_nothing_is_seen_where_nothing_is_broken(storm: str) -> None:
    assert report_of(storm).violations == []
