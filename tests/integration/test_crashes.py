"""The process may die between any two steps: what was accepted is delivered all the same."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.attempts.reader import AttemptReader
from shared.deliveries.ledger import Ledger
from shared.deliveries.queue import Queue
from shared.events.store import ActivityMarkers, EventStore
from shared.outbound.sender import Sender
from shared.repair.due_index import DueIndex
from shared.repair.event_scan import EventScan
from tests import factories
from tests.integration.account import Account
from tests.integration.world import CrashError, World, new_world, refuse
from tests.local.receiver import Receiver

Step = tuple[type, str]
Disaster = tuple[type, str, bool] | str

# What an attempt consists of, in the order in which it takes its steps.
BEGINNING: list[Step] = [(AttemptReader, "read"), (Ledger, "claim"), (Sender, "post")]
SUCCEEDING: list[Step] = [*BEGINNING, (Ledger, "settle")]
FAILING_AGAIN: list[Step] = [*BEGINNING, (Ledger, "settle"), (Queue, "send")]
FAILING: list[Step] = [*FAILING_AGAIN, (Ledger, "keep")]

MINUTE = 60
ROUNDS_ENOUGH = 20


def crashes(steps: list[Step]) -> list[Any]:
    """Before and after each step."""
    return [
        pytest.param(target, step, after, id=f"{'after' if after else 'before'}-{step}")
        for target, step in steps
        for after in (False, True)
    ]


def settle(world: World, *event_ids: str) -> None:
    """Whatever AWS would invoke, over and over, until nothing more is on its way."""
    world.fan_out()
    for _ in range(ROUNDS_ENOUGH):
        while world.work("DispatchQueue") or world.work("RetryQueue"):
            pass
        if all(_is_settled(world, event_id) for event_id in event_ids):
            return
        world.clock.advance(5 * MINUTE)
        world.sweep()


def _is_settled(world: World, event_id: str) -> bool:
    return world.delivery_item(event_id).get("state") in {"delivered", "failed"}


def assert_delivered(world: World, receiver: Receiver, event_id: str) -> None:
    requests = receiver.requests()
    assert world.state(event_id) == "delivered"
    assert len({request.body for request in requests}) == 1
    assert {request.headers["webhook-id"] for request in requests} == {world.request_id(event_id)}


@pytest.mark.parametrize(("target", "step", "after"), crashes(SUCCEEDING))
def test_an_attempt_that_dies_while_it_succeeds_is_made_good(
    world: World, receiver: Receiver, target: type, step: str, after: bool
) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.work("DispatchQueue")
    settle(world, event_id)

    # The one honest window: what was sent and not recorded is sent again.
    sent_unrecorded = (step, after) in {("post", True), ("settle", False)}
    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 1 + sent_unrecorded


@pytest.mark.parametrize(("target", "step", "after"), crashes(FAILING))
def test_an_attempt_that_dies_while_it_fails_is_made_good(
    world: World, receiver: Receiver, target: type, step: str, after: bool
) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.work("DispatchQueue")
    settle(world, event_id)

    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 2


@pytest.mark.parametrize(("target", "step", "after"), crashes(FAILING_AGAIN))
def test_a_later_attempt_that_dies_while_it_fails_is_made_good(
    world: World, receiver: Receiver, target: type, step: str, after: bool
) -> None:
    receiver.script("/in", [500, 500])
    world.make_config(receiver.url("/in"))
    event_id = world.deliver()

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.wait(1)
    settle(world, event_id)

    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 3


@pytest.mark.parametrize("after", [False, True])
def test_a_fanout_that_dies_is_run_again(world: World, receiver: Receiver, after: bool) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    records = world.stream()

    with world.failing(Queue, "send", after), pytest.raises(CrashError):
        world.invoke("fanout", {"Records": records})
    world.invoke("fanout", {"Records": records})
    settle(world, event_id)

    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 1


@pytest.mark.parametrize(
    ("target", "step"),
    [(EventScan, "events"), (DueIndex, "begin"), (Queue, "send"), (EventScan, "save")],
)
@pytest.mark.parametrize("after", [False, True])
def test_a_sweep_that_dies_while_it_begins_is_made_good(
    world: World, receiver: Receiver, target: type, step: str, after: bool
) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()
    world.purge("DispatchQueue")
    world.clock.advance(11 * MINUTE)

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.sweep()
    settle(world, event_id)

    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 1


@pytest.mark.parametrize(("target", "step"), [(DueIndex, "push_back"), (Queue, "send")])
@pytest.mark.parametrize("after", [False, True])
def test_a_sweep_that_dies_while_it_queues_again_is_made_good(
    world: World, receiver: Receiver, target: type, step: str, after: bool
) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"), retrySchedule=[3600])
    event_id = world.deliver()
    world.clock.advance(3600 - 5 * MINUTE)

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.sweep()
    settle(world, event_id)

    assert_delivered(world, receiver, event_id)
    assert len(receiver.requests()) == 2


@pytest.mark.parametrize(
    ("target", "after"), [(ActivityMarkers, False), (ActivityMarkers, True), (EventStore, False)]
)
def test_a_worker_that_dies_before_the_event_is_stored_has_promised_nothing(
    world: World, receiver: Receiver, target: type, after: bool
) -> None:
    world.make_config(receiver.url("/in"))
    step = "mark" if target is ActivityMarkers else "add"

    with world.failing(target, step, after), pytest.raises(CrashError):
        world.send(event_id="order-1")
    missing = world.event_item("order-1")
    world.send(event_id="order-1")
    world.clock.advance(11 * MINUTE)
    world.sweep()
    settle(world, "order-1")

    assert missing == {}
    assert_delivered(world, receiver, "order-1")


@pytest.mark.parametrize("after", [False, True])
def test_an_event_whose_answer_was_lost_is_one_event_when_it_comes_again(
    world: World, receiver: Receiver, after: bool
) -> None:
    world.make_config(receiver.url("/in"))
    values = factories.event_json(event_id="order-1")

    with world.failing(EventStore, "add", after), pytest.raises(CrashError):
        world.call("POST", "/v1/events", values)
    again = world.call("POST", "/v1/events", values)
    settle(world, "order-1")

    assert (again.status, again.body) == (202, {"event_id": "order-1"})
    assert_delivered(world, receiver, "order-1")
    assert len(receiver.requests()) == 1


def test_a_refusal_of_aws_is_a_fault_of_ours_and_comes_back(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()

    with monkeypatch.context() as broken:
        broken.setattr(Ledger, "claim", refuse)
        came_back = world.work("DispatchQueue")
    settle(world, event_id)

    assert len(came_back) == 1
    assert_delivered(world, receiver, event_id)


DISASTERS: list[Disaster] = [
    "purge",
    "duplicate",
    *((target, step, after) for target, step in FAILING for after in (False, True)),
]


@settings(max_examples=12)
@given(
    st.lists(st.sampled_from(DISASTERS), max_size=4),
    st.integers(min_value=0, max_value=2),
)
def test_disasters_in_any_order_lose_nothing(
    account: Account, disasters: list[Disaster], failures: int
) -> None:
    with new_world(account) as world, Receiver() as receiver:
        receiver.script("/in", [500] * failures)
        world.make_config(receiver.url("/in"), retrySchedule=[1, 60, 1000, 5])
        event_id = world.send()
        world.fan_out()

        for disaster in disasters:
            strike(world, disaster)
            world.clock.advance(MINUTE)
            world.sweep()
        for _ in range(3):
            settle(world, event_id)

        assert_delivered(world, receiver, event_id)


def strike(world: World, disaster: Disaster) -> None:
    if disaster == "purge":
        world.purge("DispatchQueue", "RetryQueue")
    elif disaster == "duplicate":
        records = world.receive("DispatchQueue")
        world.work_on("DispatchQueue", records)
        world.work_on("DispatchQueue", records)
    elif not isinstance(disaster, str):
        with world.failing(*disaster), suppress(CrashError):
            world.work("DispatchQueue")
            world.work("RetryQueue")
