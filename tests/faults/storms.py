"""Long runs in which this or that goes wrong, all the time and by chance."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.faults.audit import Report, audit
from tests.faults.engine.faults import Kind
from tests.faults.mutants import Mutant
from tests.faults.weather import Disaster, Storm, Weather
from tests.faults.world import Config, World, new_world

CONFIGS = 20
# Its last wait is one that is parked in the index.
WAITS_S = (1, 5, 30, 60, 5, 1_000)
BATCH = 10
# So that no clock that is slow shows a time before the configs were made.
HEAD_START_S = 1_200
DAY_S = 86_400
# How long a storm goes on after the last event, over the retries.
AFTERMATH_S = 600

ANSWERS = {Kind.THROTTLED: 0.02, Kind.TIMEOUT_BEFORE: 0.01, Kind.TIMEOUT_AFTER: 0.02}
PARTS = {Kind.PARTIAL: 0.02, Kind.CONFLICT: 0.02}
CRASHES = {Kind.CRASH_BEFORE: 0.008, Kind.CRASH_AFTER: 0.008}
FREEZES = {Kind.FREEZE_BEFORE: 0.008, Kind.FREEZE_AFTER: 0.008}


STORMS = (
    Storm("only customers fail"),
    Storm("every message twice, in any order", twice=1.0, late=0.3, lag_ms=2_000),
    Storm("answers are lost", ANSWERS | PARTS, twice=0.1),
    Storm("workers crash", CRASHES, twice=0.1, late=0.1),
    Storm("workers freeze", FREEZES, twice=0.5, late=0.1),
    Storm("clocks are wrong", skew_ms=20_000, twice=0.5, disasters=(Disaster.JUMP,)),
    Storm(
        "outages",
        disasters=(
            Disaster.OUTAGE,
            Disaster.PURGE,
            Disaster.KILL,
            Disaster.STOP,
            Disaster.NO_SWEEP,
        ),
        every_s=3,
    ),
    Storm(
        "everything at once",
        ANSWERS | PARTS | CRASHES | FREEZES,
        twice=0.3,
        late=0.2,
        skew_ms=2_000,
        lag_ms=2_000,
        disasters=(
            Disaster.OUTAGE,
            Disaster.PURGE,
            Disaster.KILL,
            Disaster.STOP,
            Disaster.NO_SWEEP,
            Disaster.JUMP,
        ),
        every_s=5,
    ),
)


def named(name: str) -> Storm:
    (storm,) = (storm for storm in STORMS if storm.name == name)
    return storm


class Result(NamedTuple):
    storm: str
    seed: int
    report: Report
    faults: Counter[str]
    virtual_s: int


def run(storm: Storm, events: int, seed: int, broken: Sequence[Mutant] = ()) -> Result:
    """`broken` are laws that do not hold in this run."""
    with new_world(seed) as world:
        for mutant in broken:
            mutant(world.cloud)
        for number in range(CONFIGS):
            world.make_config(Config(f"config-{number}", f"funnel-{number}", WAITS_S))
        world.advance(HEAD_START_S)
        weather = Weather(world, storm)
        weather.rise()
        _send(world, events, weather)
        for _ in range(AFTERMATH_S // 5):
            weather.pass_time(5)
        world.heal()
        world.settle(DAY_S)
        faults = world.cloud.wire.struck.kinds + weather.struck
        return Result(storm.name, seed, audit(world), faults, world.cloud.simulation.now // 1000)


def _send(world: World, events: int, weather: Weather) -> None:
    chance, sent = world.cloud.random, 0
    while sent < events:
        road = chance.choice(world.clients.roads)
        size = min(chance.randint(1, BATCH) if road == "batch" else 1, events - sent)
        ids = [f"event-{sent + number}" for number in range(size)]
        world.clients.begin_sending(ids, f"funnel-{chance.randrange(CONFIGS)}", road)
        sent += size
        weather.pass_time(chance.random() * 0.1)
