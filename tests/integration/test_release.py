"""What was held goes again when its config receives again: all of it, once, and not all at once."""

from typing import Any

import pytest

from shared.attempts import release
from shared.attempts.release import SETTLED_MS
from shared.deliveries.ledger import Ledger
from shared.deliveries.queue import Queue
from shared.jobs import OVERDUE_MS, JobStore
from tests.integration.world import CrashError, World
from tests.local.receiver import Receiver

REPAIR_S = 600


def hold(world: World, receiver: Receiver, count: int, **changes: Any) -> list[str]:
    world.make_config(receiver.url("/in"), enabled=False, **changes)
    events = []
    for _ in range(count):
        events.append(world.deliver())
        world.clock.advance(0.001)
    assert {world.state(event) for event in events} <= {"held"}
    return events


def enable(world: World, receiver: Receiver, **changes: Any) -> None:
    world.save_config(receiver.url("/in"), **changes)


def delivered(world: World, events: list[str]) -> int:
    return [world.delivery_item(event)["state"] for event in events].count("delivered")


def test_a_config_that_is_enabled_again_gets_all_that_was_held(
    world: World, receiver: Receiver
) -> None:
    events = hold(world, receiver, 25)

    enable(world, receiver)
    world.run_jobs()

    assert delivered(world, events) == len(receiver.requests()) == 25
    assert world.jobs() == []


def test_what_is_held_goes_oldest_first_and_no_faster_than_the_rate(
    world: World, receiver: Receiver
) -> None:
    events = hold(world, receiver, 25)
    enable(world, receiver)
    now = world.clock()

    world.sweep()
    world.work("RetryQueue")

    due = [world.delivery_item(event)["next_attempt_at"] - now for event in events]
    assert due == [number * 100 for number in range(25)]
    shown = world.delivery(events[-1])
    assert (shown["state"], shown["reason"]) == ("waiting", "released")
    assert [message.delay_s for message in world.queued()[-25:]][-1] == 3


def test_a_rate_limit_of_the_config_is_the_rate(world: World, receiver: Receiver) -> None:
    events = hold(world, receiver, 6)
    enable(world, receiver, rateLimitPerSecond=2)
    now = world.clock()

    world.sweep()
    world.work("RetryQueue")

    due = [world.delivery_item(event)["next_attempt_at"] - now for event in events]
    assert due == [0, 500, 1000, 1500, 2000, 2500]


def test_a_page_is_followed_by_the_next_one_when_it_has_gone_out(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MAX_PAGE", 4)
    events = hold(world, receiver, 10)
    enable(world, receiver)
    world.sweep()

    world.work("RetryQueue")

    assert [world.state(event) for event in events] == ["waiting"] * 4 + ["held"] * 6
    world.run_jobs()
    assert delivered(world, events) == len(receiver.requests()) == 10


def test_an_unarchived_config_gets_what_was_held(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()
    world.call("PUT", "/v1/webhookconfig/archive", {"entries": ["crm"]})
    world.work("DispatchQueue")
    assert world.state(event_id) == "held"

    world.call("PUT", "/v1/webhookconfig/unarchive", {"entries": ["crm"]})
    world.run_jobs()

    assert delivered(world, [event_id]) == 1


def test_unarchiving_what_is_not_archived_or_not_there_starts_nothing(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/in"))

    world.call("PUT", "/v1/webhookconfig/unarchive", {"entries": ["crm"]})
    reply = world.call("PUT", "/v1/webhookconfig/unarchive", {"entries": ["crm", "nobody"]})

    assert reply.status == 404
    assert world.jobs() == []


def test_a_config_that_is_unarchived_but_disabled_keeps_what_is_held(
    world: World, receiver: Receiver
) -> None:
    events = hold(world, receiver, 2)
    world.call("PUT", "/v1/webhookconfig/archive", {"entries": ["crm"]})

    world.call("PUT", "/v1/webhookconfig/unarchive", {"entries": ["crm"]})
    world.run_jobs()

    assert [world.state(event) for event in events] == ["held", "held"]
    assert world.jobs() == []


def test_a_config_that_is_disabled_meanwhile_keeps_the_rest(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MAX_PAGE", 2)
    events = hold(world, receiver, 6)
    enable(world, receiver)
    world.sweep()
    world.work("RetryQueue")

    world.save_config(receiver.url("/in"), enabled=False)
    world.run_jobs()
    kept = [world.state(event) for event in events]
    enable(world, receiver)
    world.run_jobs()

    assert kept == ["held"] * 6
    assert delivered(world, events) == len(receiver.requests()) == 6


def test_a_delivery_that_a_slow_worker_holds_after_its_page_went_by_is_released(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_config(receiver.url("/in"), enabled=False)
    event_id = world.send()
    world.fan_out()
    reject = Ledger.reject

    def slow(ledger: Ledger, *request: Any) -> bool:
        """Between its reading of the config and its writing, the config is enabled and released."""
        monkeypatch.setattr(Ledger, "reject", reject)
        enable(world, receiver)
        world.sweep()
        for _ in range(3):
            world.work("RetryQueue")
        return reject(ledger, *request)

    monkeypatch.setattr(Ledger, "reject", slow)
    world.work("DispatchQueue")
    held = world.state(event_id)
    world.run_jobs()

    assert held == "held"
    assert delivered(world, [event_id]) == 1


def test_a_release_stops_at_an_endpoint_that_fails_and_goes_on_when_it_is_back(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MAX_PAGE", 6)
    receiver.script("/in", [500] * 5)
    events = hold(world, receiver, 12, retrySchedule=[7200])
    enable(world, receiver, retrySchedule=[7200], rateLimitPerSecond=1)
    world.sweep()

    for _ in range(12):
        world.wait(1)
    held = [world.state(event) for event in events].count("held")
    for _ in range(6):
        world.run_jobs()
        world.clock.advance(REPAIR_S)

    assert held == 6
    assert delivered(world, events) == 7  # the others have failed, and wait for two hours


STEPS = [(JobStore, "find"), (Ledger, "release"), (Queue, "send"), (JobStore, "advance")]


@pytest.mark.parametrize(("target", "step"), STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_release_that_dies_goes_on(
    world: World,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    target: type,
    step: str,
    after: bool,
) -> None:
    monkeypatch.setattr(release, "MAX_PAGE", 3)
    events = hold(world, receiver, 7)
    enable(world, receiver)
    world.sweep()

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.work("RetryQueue")
    world.purge("RetryQueue")
    for _ in range(3):
        world.run_jobs()
        world.clock.advance(REPAIR_S)

    assert delivered(world, events) == len(receiver.requests()) == 7
    assert world.jobs() == []


def test_a_turn_that_comes_twice_is_done_once(world: World, receiver: Receiver) -> None:
    events = hold(world, receiver, 3)
    enable(world, receiver)
    world.sweep()
    turns = world.receive("RetryQueue")

    world.work_on("RetryQueue", turns)
    (before,) = world.jobs()
    came_back = world.work_on("RetryQueue", turns)

    assert came_back == []
    assert world.jobs() == [before]
    world.run_jobs()
    assert delivered(world, events) == len(receiver.requests()) == 3


def test_a_turn_that_is_overdue_is_queued_once_a_minute(world: World, receiver: Receiver) -> None:
    """However often the sweep comes by: a page may take its time."""
    hold(world, receiver, 1)
    enable(world, receiver)

    depths = []
    for seconds in (0, 30, 31):
        world.clock.advance(seconds)
        world.sweep()
        depths.append(world.depth("RetryQueue"))

    assert depths == [1, 1, 2]


def test_a_turn_for_which_there_is_no_time_is_given_again(world: World, receiver: Receiver) -> None:
    events = hold(world, receiver, 3)
    enable(world, receiver)
    world.sweep()
    world.context.remaining_ms = 5_000

    came_back = world.work("RetryQueue")
    world.context.remaining_ms = 30_000
    world.run_jobs()

    assert came_back == []
    assert delivered(world, events) == 3


def test_a_last_look_comes_after_the_slowest_worker(world: World, receiver: Receiver) -> None:
    hold(world, receiver, 1)
    enable(world, receiver)
    world.sweep()
    for _ in range(3):
        world.wait(1)

    (job,) = world.jobs()
    assert job["pass_started_at"] == job["started_at"] + SETTLED_MS
    assert job["wake_at"] == job["pass_started_at"] + OVERDUE_MS
    assert SETTLED_MS > 30_000


def test_a_delivery_that_is_cancelled_or_done_meanwhile_is_left_alone(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The index may show it a moment longer."""
    (event_id,) = hold(world, receiver, 1)
    enable(world, receiver)
    let_go = Ledger.release

    def late(ledger: Ledger, pointer: Any, *moments: Any) -> Any:
        world.account.delete_item("EventTable", world._delivery_key(event_id, "crm"))
        return let_go(ledger, pointer, *moments)

    monkeypatch.setattr(Ledger, "release", late)
    world.run_jobs()

    assert receiver.requests() == []
    assert world.delivery_item(event_id) == {}
