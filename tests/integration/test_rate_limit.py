"""A config with a rate limit: what is too much waits its turn, and uses no attempt."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from shared.aws import clients
from shared.aws.table import Table
from shared.endpoints.rate_limit import RateLimiter
from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver


def send(world: World, count: int) -> list[str]:
    events = [world.send() for _ in range(count)]
    world.fan_out()
    return events


def test_what_is_too_much_waits_its_turn(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"), rateLimitPerSecond=4)
    events = send(world, 10)

    world.work("DispatchQueue")

    shown = [world.delivery(event) for event in events]
    waiting = [one for one in shown if one["state"] == "waiting"]
    assert len(receiver.requests()) == 4
    assert {(one["reason"], one["attempt"]) for one in waiting} == {("rate_limited", 0)}
    moments = sorted(one["next_attempt_at"] for one in waiting)
    assert moments == [
        f"2026-04-29T18:04:{at}Z"
        for at in ("15.250", "15.500", "15.750", "16.000", "16.250", "16.500")
    ]


def test_all_of_it_goes_out_in_the_end_at_the_rate(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"), rateLimitPerSecond=4)
    events = send(world, 20)
    counts = []

    for _ in range(8):
        for _ in range(3):
            world.work("DispatchQueue")
            world.work("RetryQueue")
        counts.append(len(receiver.requests()))
        world.clock.advance(1)

    assert [world.state(event) for event in events] == ["delivered"] * 20
    assert {world.delivery(event)["attempt"] for event in events} == {1}
    assert all(later - earlier <= 4 for earlier, later in pairwise(counts))


def test_the_others_are_not_held_up(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/slow"), "slow", rateLimitPerSecond=1)
    world.make_config(receiver.url("/quick"), "quick")
    send(world, 5)

    world.work("DispatchQueue")

    assert len(receiver.requests("/slow")) == 1
    assert len(receiver.requests("/quick")) == 5


def test_a_long_line_is_parked_and_keeps_its_places(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"), rateLimitPerSecond=1)
    bucket, config = (
        RateLimiter(Table(clients.dynamodb(), "ConfigTable")),
        factories.config(workspace_id=world.workspace_id),
    )
    for _ in range(1_800):
        bucket.take(config, 1, world.clock(), reserved=False)
    (event_id,) = send(world, 1)

    world.work("DispatchQueue")

    item = world.delivery_item(event_id)
    assert item["next_attempt_at"] - world.clock() == 1_800_000
    world.clock.advance(1_205)
    world.sweep()
    assert world.queued()[-1].pointer.in_turn is True
    world.wait(596)
    assert world.state(event_id) == "delivered"


@pytest.mark.parametrize("rate", [1, 7, 50])
def test_many_workers_at_once_take_no_more_than_there_is(world: World, rate: int) -> None:
    config = factories.config()

    def take(_: int) -> int | None:
        bucket = RateLimiter(Table(clients.dynamodb(), "ConfigTable"))
        return bucket.take(config, rate, world.clock(), reserved=False)

    with ThreadPoolExecutor(8) as pool:
        places = list(pool.map(take, range(60)))

    assert places.count(None) == min(rate, 60)
    put_off = [place for place in places if place is not None]
    assert len(set(put_off)) == len(put_off)


def test_one_that_comes_when_the_bucket_is_idle_costs_one_write(world: World) -> None:
    bucket, config = RateLimiter(Table(clients.dynamodb(), "ConfigTable")), factories.config()
    bucket.take(config, 5, world.clock(), reserved=False)
    world.clock.advance(1)
    world.calls.clear()

    bucket.take(config, 5, world.clock(), reserved=False)

    assert world.calls.names == ["UpdateItem"]
