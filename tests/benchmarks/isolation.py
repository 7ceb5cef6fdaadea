"""What a dead endpoint costs the healthy ones, by the simulation of the faults suite."""

from tests.benchmarks import samples
from tests.benchmarks.figures import Figure, Table
from tests.faults.isolation import ENDPOINTS, Figures, Load, measure

LOAD = Load(per_s=200, seconds=60, workers=20)
DIES_AFTER_S = 30
AT_MOST = 1.10


def table() -> Table:
    alive, dead, dying = (
        measure(LOAD, samples.SEED, hangs_from_s=since) for since in (None, 0, DIES_AFTER_S)
    )
    return Table(
        title="Isolation",
        about=f"One of {ENDPOINTS} endpoints never answers, at {LOAD.per_s} events/s and with "
        f"{LOAD.workers} workers, of which {alive.busy:.0%} are busy if all endpoints answer. The "
        "figure is the p99 of the wait for the first attempt at the other endpoints, in virtual "
        "time; the floor is the same load with all endpoints alive. [reliability.md]"
        "(reliability.md) has more loads.",
        figures=(
            _figure("it is dead from the start", dead, alive),
            _figure(f"it dies after {DIES_AFTER_S} s", dying, alive),
        ),
    )


def _figure(what: str, measured: Figures, floor: Figures) -> Figure:
    return Figure(
        what=what, value=measured.waits.p99, unit="ms", floor=floor.waits.p99, at_most=AT_MOST
    )
