"""What makes a storm: faults at calls, messages twice and late, wrong clocks, and disasters."""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple
from uuid import UUID

from tests.faults.engine import simulation
from tests.faults.engine.faults import Call, Kind, Outage, RandomFaults
from tests.faults.engine.receivers import Reply
from tests.faults.engine.sources import QueueMapping, StreamMapping
from tests.faults.world import World

MAX_JUMP_MS = 5 * 60_000
# What an outage takes away: the operations that begin so.
SERVICES = ("", "PutItem", "UpdateItem", "BatchGetItem", "Query", "SendMessageBatch", "GetItem")
# Of these nothing is lost; what the intake queue holds is not accepted by us yet.
PURGEABLE = ("DispatchQueue", "RetryQueue")

_FAILURES = (
    Reply(500),
    Reply(None),
    Reply(None, reaches=False),
    Reply(429, 50, retry_after="7"),
    Reply(503, 3_000),
)


class Disaster(StrEnum):
    OUTAGE = "a service is out"
    PURGE = "a queue is purged"
    KILL = "all workers of a function are killed"
    STOP = "a function is not invoked"
    NO_SWEEP = "the schedule does not run"
    JUMP = "all clocks jump"


class Storm(NamedTuple):
    """`rates` are those of faults at calls, `twice` and `late` those of messages; a disaster of
    those named strikes about `every_s` seconds."""

    name: str
    rates: Mapping[Kind, float] = {}
    twice: float = 0.0
    late: float = 0.0
    skew_ms: int = 0
    lag_ms: int = 0
    disasters: tuple[Disaster, ...] = ()
    every_s: float = 5.0


def plan(config_id: str, request_id: UUID, seen: int) -> Reply:
    """Most deliveries succeed at once, some after failures, one in nine never."""
    chance = Random(request_id.int)
    fails = chance.choice((0, 0, 0, 0, 0, 1, 2, 3, 99))
    if seen >= fails:
        return Reply(200, chance.randint(20, 300))
    return Random(request_id.int + seen).choice(_FAILURES)


class Weather:
    """Brings a storm over the world."""

    def __init__(self, world: World, storm: Storm) -> None:
        self._world = world
        self._cloud = world.cloud
        self._chance = world.cloud.random
        self._storm = storm
        self._disasters: Counter[str] = Counter()
        self._next = 0.0
        self._out_until = 0
        self._is_out = ""
        self._strikes = {
            Disaster.OUTAGE: self._break_service,
            Disaster.PURGE: self._purge,
            Disaster.KILL: self._kill,
            Disaster.STOP: self._stop,
            Disaster.NO_SWEEP: self._skip_sweeps,
            Disaster.JUMP: self._jump,
        }

    def rise(self) -> None:
        cloud, storm = self._cloud, self._storm
        cloud.receivers.plan = plan
        cloud.wire.faults = Outage(RandomFaults(self._chance, storm.rates), self._fails)
        cloud.worker_skew_ms = storm.skew_ms
        cloud.database.lag_ms = lambda: self._chance.randint(0, storm.lag_ms)
        cloud.stream.repeat_rate = storm.twice
        for queue in cloud.queues:
            queue.troubles.twice, queue.troubles.late = storm.twice, storm.late
        for schedule in cloud.schedules:
            schedule.twice = storm.twice > 0

    def pass_time(self, seconds: float) -> None:
        self._world.advance(seconds)
        if self._storm.disasters and self._cloud.simulation.now >= self._next:
            wait_ms = self._chance.random() * 2_000 * self._storm.every_s
            self._next = self._cloud.simulation.now + wait_ms
            disaster = self._chance.choice(self._storm.disasters)
            self._disasters[disaster] += 1
            self._strikes[disaster]()

    @property
    def struck(self) -> Counter[str]:
        messages = {
            "message handed out twice": sum(q.troubles.duplicates for q in self._cloud.queues),
            "batch of the stream repeated": self._cloud.stream.repeated,
        }
        return self._disasters + Counter(messages)

    def _fails(self, call: Call) -> bool:
        is_out = self._cloud.simulation.now < self._out_until
        return is_out and call.operation.startswith(self._is_out)

    def _break_service(self) -> None:
        self._is_out = self._chance.choice(SERVICES)
        self._out_until = self._cloud.simulation.now + self._chance.randint(1_000, 60_000)

    def _purge(self) -> None:
        self._cloud.queues[self._chance.choice(PURGEABLE)].purge()

    def _kill(self) -> None:
        function = self._chance.choice(list(self._cloud.functions))
        for task in list(self._cloud.simulation.tasks):
            if task.group.name == function:
                simulation.kill(task.group, f"{function} was killed")

    def _stop(self) -> None:
        sources: list[QueueMapping | StreamMapping] = [*self._cloud.mappings.values()]
        stopped = self._chance.choice([*sources, self._cloud.stream])
        stopped.enable(False)
        self._cloud.simulation.after(
            self._chance.randint(1_000, 120_000), lambda: stopped.enable(True)
        )

    def _skip_sweeps(self) -> None:
        for schedule in self._cloud.schedules:
            schedule.is_enabled = False
            self._cloud.simulation.after(300_000, schedule.enable)

    def _jump(self) -> None:
        self._world.jump(self._chance.randint(-MAX_JUMP_MS, MAX_JUMP_MS))
