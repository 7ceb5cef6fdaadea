"""One endpoint that hangs among many: what it does to first attempts at the others.

A discrete-event simulation over the real handlers: as many workers as the template allows, batches
of ten, SQS's fair queues by their published thresholds. Without SQS's help, if `is_fair` is off.
"""

from functools import partial
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from shared.events import keys
from shared.ids import event_key_of
from tests.faults.clients import event_json
from tests.faults.engine.receivers import Reply
from tests.faults.engine.simulation import Group
from tests.faults.world import Config, World, new_world

ENDPOINTS = 100
DEAD = "config-0"
# No answer for as long as we wait: the dearest way to be dead.
HANGS = Reply(None)
UNTIL_STEADY_MS = 20_000


class Load(NamedTuple):
    """Events per second, spread evenly over the endpoints, for so many seconds."""

    per_s: int
    seconds: int
    workers: int
    is_fair: bool = True


class Waits(NamedTuple):
    """From acceptance to the first attempt at the endpoints that are alive, in milliseconds."""

    p50: int
    p99: int
    worst: int

    @classmethod
    def of(cls, found: list[int]) -> "Waits":
        found = sorted(found)
        return cls(found[len(found) // 2], found[len(found) * 99 // 100], found[-1])


class Figures(NamedTuple):
    """`steady` leaves out the time until the first requests to the dead endpoint have hung.

    `busy` is the mean share of the workers that were at work.
    """

    whole: Waits
    steady: Waits
    busy: float
    dead_attempts: int


def measure(load: Load, seed: int, *, with_dead: bool) -> Figures:
    with new_world(seed) as world:
        for number in range(ENDPOINTS):
            world.make_config(Config(f"config-{number}", f"funnel-{number}"))
        world.advance(60)
        mapping = world.cloud.mappings["DispatchQueue"]
        mapping.concurrency = load.workers
        world.cloud.queues["DispatchQueue"].is_fair = load.is_fair
        world.cloud.receivers.plan = _with_dead if with_dead else _alive
        began = world.cloud.simulation.now
        used = _send(world, load, seed)
        world.advance(60)
        return Figures(
            whole=Waits.of(_waits(world, began)),
            steady=Waits.of(_waits(world, began + UNTIL_STEADY_MS)),
            busy=used / load.workers,
            dead_attempts=sum(one.config_id == DEAD for one in world.cloud.receivers.sent),
        )


def _alive(config_id: str, request_id: UUID, seen: int) -> Reply:
    """Answers within a fifth of a second, and now and then a second."""
    chance = Random(request_id.int)
    return Reply(200, 1_000 if chance.random() < 0.01 else chance.randint(40, 200))


def _with_dead(config_id: str, request_id: UUID, seen: int) -> Reply:
    return HANGS if config_id == DEAD else _alive(config_id, request_id, seen)


def _send(world: World, load: Load, seed: int) -> float:
    """Spreads the events over time; the mean number of workers at work."""
    simulation, chance, samples = world.cloud.simulation, Random(seed), list[int]()
    for number in range(load.per_s * load.seconds):
        at = simulation.now + chance.randrange(load.seconds * 1000)
        funnel = f"funnel-{chance.randrange(ENDPOINTS)}"
        accept = partial(_accept, world, number, funnel)
        simulation.at(at, partial(simulation.spawn, accept, Group("client")))
    for _ in range(load.seconds * 10):
        world.advance(0.1)
        samples.append(world.cloud.mappings["DispatchQueue"].busy)
    return sum(samples) / len(samples)


def _accept(world: World, number: int, funnel: str) -> Any:
    event = event_json(f"event-{number}", funnel) | {"workspace_id": world.workspace_id}
    return world.cloud.invoke("ingest", event)


def _waits(world: World, began: int) -> list[int]:
    stored_at = world.cloud.watch.stored_at
    return [
        one.at - stored_at[keys.partition(world.workspace_id, event_key_of(one.request_id))]
        for one in world.cloud.receivers.sent
        if one.attempt == 1 and one.config_id != DEAD and one.at >= began
    ]
