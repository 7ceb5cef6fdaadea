"""One endpoint that hangs among many: what it does to first attempts at the others.

A discrete-event simulation over the real handlers: as many workers as the template allows, batches
of ten, SQS's fair queues by their published thresholds. Without SQS's help, if `is_fair` is off.
"""

from functools import partial
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from shared.ids import event_key_of
from shared.tables import event_table
from tests.faults.clients import event_json
from tests.faults.engine.receivers import Reply
from tests.faults.engine.simulation import Group
from tests.faults.world import Config, World, new_world

ENDPOINTS = 100
DEAD = "config-0"
# No answer for as long as we wait: the dearest way to be dead.
HANGS = Reply(None)


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
    """`busy` is the mean share of the workers that were at work, `asked` how many requests were
    sent to the dead endpoint since it hangs."""

    waits: Waits
    busy: float
    asked: int


def measure(load: Load, seed: int, *, hangs_from_s: int | None) -> Figures:
    """One endpoint hangs from so many seconds on; None: never."""
    with new_world(seed) as world:
        for number in range(ENDPOINTS):
            world.make_config(Config(f"config-{number}", f"funnel-{number}"))
        world.advance(60)
        mapping = world.cloud.mappings["DispatchQueue"]
        mapping.concurrency = load.workers
        world.cloud.queues["DispatchQueue"].is_fair = load.is_fair
        began = world.cloud.simulation.now
        dead_from = None if hangs_from_s is None else began + hangs_from_s * 1000
        world.cloud.receivers.plan = partial(_answer, world, dead_from)
        used = _send(world, load, seed)
        world.advance(60)
        return Figures(
            waits=Waits.of(_waits(world)),
            busy=used / load.workers,
            asked=sum(one.reply is HANGS for one in world.cloud.receivers.sent),
        )


def _answer(
    world: World, dead_from: int | None, config_id: str, request_id: UUID, seen: int
) -> Reply:
    is_dead = dead_from is not None and world.cloud.simulation.now >= dead_from
    return HANGS if is_dead and config_id == DEAD else _alive(request_id)


def _alive(request_id: UUID) -> Reply:
    """Answers within a fifth of a second, and now and then a second."""
    chance = Random(request_id.int)
    return Reply(200, 1_000 if chance.random() < 0.01 else chance.randint(40, 200))


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


def _waits(world: World) -> list[int]:
    stored_at = world.cloud.watch.stored_at
    return [
        one.at - stored_at[event_table.partition(world.workspace_id, event_key_of(one.request_id))]
        for one in world.cloud.receivers.sent
        if one.attempt == 1 and one.config_id != DEAD
    ]
