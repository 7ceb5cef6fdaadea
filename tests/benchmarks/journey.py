"""Events all the way to their receivers on moto, stage by stage, with what each stage used."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import boto3

from shared.standalone.engine.template import Json
from tests.benchmarks import log_bytes, samples
from tests.benchmarks.meter import Meter, Used
from tests.integration.moto_account import account_on_moto
from tests.integration.world import World, new_world
from tests.local.receiver import Receiver

# The worker's own limits are not what is measured here.
_LIMITS = {"events_per_second": 1_000_000, "requests_per_minute": 1_000_000}
# How long after the event was accepted the sweep looks at it, and a bit.
_REPAIR_AFTER_S = 700
# Tests take the account in memory, which is much faster. It counts as DynamoDB does a read that
# finds nothing after a page that was just full; moto makes no such read.
metered_account = account_on_moto


class Course:
    """An empty platform on moto with a receiver and a meter."""

    def __init__(
        self, world: World, receiver: Receiver, meter: Meter, logged: log_bytes.LogBytes
    ) -> None:
        self.world = world
        self.receiver = receiver
        self._meter = meter
        self._logged = logged
        command = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", command | {"limits": _LIMITS})

    def make_configs(self, count: int, url: str | None = None) -> None:
        for number in range(count):
            self.world.make_config(url or self.receiver.url("/in"), f"config-{number}")

    def send(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            reply = self.world.call("POST", "/v1/events", samples.text(event))
            assert reply.status == 202, reply

    def took(self, batches: int = 0) -> Used:
        """What was used since the last time, in so many batches."""
        used = self._meter.take()
        used.batches, used.log_bytes = batches, self._logged.take()
        return used

    def raw(self, table: str) -> list[Json]:
        """Every item, in DynamoDB's own JSON."""
        found: list[Json] = boto3.client("dynamodb").scan(TableName=table)["Items"]
        return found

    def warm_up(self) -> None:
        """One event ahead, just before a minute ends: the worker knows the key, and notes anew."""
        self.world.clock.advance(59 - self.world.clock() / 1000 % 60)
        (event,) = samples.events(1024, 1, seed=1)
        self.send([event | {"event_type": "node_execution", "webhook_config_ids": ["nobody"]}])
        self.world.fan_out()
        self.drain()
        self.world.clock.advance(1)
        self.took()

    def drain(self) -> int:
        """Make the first attempts of all that is queued; the number of batches."""
        batches = 0
        while records := self.world.receive("DispatchQueue"):
            assert not self.world.work_on("DispatchQueue", records)
            batches += 1
        return batches


@contextmanager
def course(metered: bool = True) -> Iterator[Course]:
    stand_in = metered_account if metered else account_on_moto
    with stand_in() as account, new_world(account) as world, Receiver() as receiver:
        meter = Meter()
        with meter.attached() if metered else nullcontext(), log_bytes.counted() as logged:
            yield Course(world, receiver, meter, logged)


def stages(
    size: int, events: int, configs: int = 1, failures: int = 0, visitor: bool = True
) -> dict[str, Used]:
    """What each stage used, for `events` of `size` bytes that each go to `configs`.

    The first `failures` attempts of every delivery are answered 500; each event then goes to a
    config of its own, since one that failed so often in a row would not be asked again.
    """
    sent = list(samples.events(size, events, visitor=visitor))
    with course() as one:
        if failures:
            _send_apart(one, sent, failures)
        else:
            one.make_configs(configs)
        one.warm_up()
        return dict(_staged(one, sent, events * configs, failures))


def _send_apart(one: Course, events: list[Json], failures: int) -> None:
    one.make_configs(len(events))
    for number, event in enumerate(events):
        one.world.save_config(one.receiver.url(f"/{number}/in"), f"config-{number}")
        one.receiver.script(f"/{number}", [500] * failures)
        event["webhook_config_ids"] = [f"config-{number}"]


def _staged(
    one: Course, events: list[Json], deliveries: int, failures: int
) -> Iterator[tuple[str, Used]]:
    one.send(events)
    yield "accept", one.took()
    one.world.fan_out()
    yield "fanout", one.took(batches=1)
    yield "first attempts", one.took(batches=one.drain())
    yield "later attempts", one.took(batches=_later(one, failures, deliveries))
    yield "repair", _swept(one)


def _later(one: Course, failures: int, deliveries: int) -> int:
    batches = 0
    for wait_s in (1, 15, 60, 300)[:failures]:
        one.world.clock.advance(wait_s)
        for _ in range(-(-deliveries // 10)):
            assert not one.world.work("RetryQueue")
            batches += 1
    return batches


def _swept(one: Course) -> Used:
    """What the sweep used to look at the events, beside what it uses to look at nothing."""
    one.world.clock.advance(_REPAIR_AFTER_S)
    one.world.sweep()
    used = one.took()
    one.world.clock.advance(1)
    one.world.sweep()
    idle = one.took()
    for place, units in idle.reads.items():
        used.read(place, -units)
    used.calls.subtract(idle.calls)
    return used
