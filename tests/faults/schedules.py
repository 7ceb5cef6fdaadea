"""Random schedules and answers in virtual time: how late, or early, each attempt starts."""

from email.utils import formatdate
from functools import partial
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from tests.faults.audit import Report, audit
from tests.faults.clients import event_json
from tests.faults.engine.receivers import Reply, Sent
from tests.faults.engine.simulation import Group
from tests.faults.world import Config, World, new_world

MAX_WAITS = 8
MAX_SCHEDULE_S = 7 * 86_400
# SQS delays a message by no more; what waits longer is parked in the index.
REACH_MS = 900_000
# The events come one after the other, so that no two schedules run in step.
EVERY_MS = 97


class Punctuality(NamedTuple):
    """`late_ms` of every attempt after a first one, in order; negative if it was early."""

    schedules: int
    late_ms: tuple[int, ...]
    parked: int
    parked_late_ms: tuple[int, ...]
    virtual_days: float
    report: Report


def run(schedules: int, seed: int, longest_s: int = MAX_SCHEDULE_S) -> Punctuality:
    """`longest_s` bounds the sum of the waits of a schedule."""
    with new_world(seed) as world:
        for number in range(schedules):
            world.make_config(
                Config(f"config-{number}", f"funnel-{number}", waits(world.cloud.random, longest_s))
            )
        world.advance(60)
        world.cloud.receivers.plan = lambda config_id, request_id, seen: reply(
            world, request_id, seen
        )
        _send_one_to_each(world)
        world.settle(60 * 86_400)
        later = [one for one in world.cloud.receivers.sent if one.promised_ms is not None]
        late = {one: one.wall_ms - (one.promised_ms or 0) for one in later}
        parked = [ms for one, ms in late.items() if _was_parked(world, one)]
        return Punctuality(
            schedules=schedules,
            late_ms=tuple(sorted(late.values())),
            parked=len(parked),
            parked_late_ms=tuple(sorted(parked)),
            virtual_days=world.cloud.simulation.now / 86_400_000,
            report=audit(world),
        )


def waits(chance: Random, longest_s: int) -> tuple[int, ...]:
    """Seconds to days; the list as a whole is no longer than a config may have."""
    found: list[int] = []
    for _ in range(chance.randint(1, MAX_WAITS)):
        low, high = chance.choice(
            ((1, 59), (60, 900), (901, 7_200), (43_200, 43_200), (86_400, 86_400))
        )
        if sum(found) + high <= longest_s:
            found.append(chance.randint(low, high))
    return tuple(found or [1])


def reply(world: World, request_id: UUID, seen: int) -> Reply:
    """One in four succeeds; of the others some say when to come back, in each of the two forms."""
    chance = Random(request_id.int + seen)
    if chance.random() < 0.25:
        return Reply(200, chance.randint(20, 900))
    asked_s = chance.choice((1, 17, 90, 1_200, 50_000))
    at = formatdate(world.cloud.wall_ms() / 1000 + asked_s, usegmt=True)
    return chance.choice(
        (
            Reply(500, chance.randint(20, 9_000)),
            Reply(None),
            Reply(429, 50, retry_after=str(asked_s)),
            Reply(503, 700, retry_after=at),
            Reply(503, 700, retry_after="soon"),
        )
    )


def _was_parked(world: World, sent: Sent) -> bool:
    before = [one for one in world.cloud.receivers.by_delivery[sent.request_id] if one.at < sent.at]
    return sent.wall_ms - before[-1].wall_ms > REACH_MS + 20_000 if before else False


def _send_one_to_each(world: World) -> None:
    simulation = world.cloud.simulation
    for number, config in enumerate(world.configs.values()):
        send = partial(_send, world, number, config)
        simulation.after(EVERY_MS * number, partial(simulation.spawn, send, Group("client")))
    world.advance(EVERY_MS * len(world.configs) / 1000)


def _send(world: World, number: int, config: Config) -> Any:
    event = event_json(f"event-{number}", config.funnel) | {
        "workspace_id": world.workspace_id,
        "webhook_config_ids": [config.id],
    }
    answer = world.cloud.invoke("ingest", event)
    world.clients.accepted[answer["event_id"]] = config.funnel
