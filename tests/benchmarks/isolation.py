"""What a dead endpoint costs the healthy ones, by the simulation of the faults suite."""

from tests.benchmarks import samples
from tests.benchmarks.figures import Figure, Table
from tests.faults.isolation import ENDPOINTS, Load, measure

LOAD = Load(per_s=20, seconds=60, workers=20)
AT_MOST = 1.10


def table() -> Table:
    alone, beside = (measure(LOAD, samples.SEED, with_dead=dead) for dead in (False, True))
    return Table(
        title="Isolation",
        about=f"One endpoint of {ENDPOINTS} hangs, {LOAD.per_s} events/s, {LOAD.workers} workers, "
        "in virtual time: the wait for the first attempt at the other endpoints, p99, against the "
        "same load with all alive. More of it in [reliability.md](reliability.md).",
        figures=(
            Figure(
                what="once the breaker has tripped",
                value=beside.steady.p99,
                unit="ms",
                floor=alone.steady.p99,
                at_most=AT_MOST,
            ),
            Figure(what="from the start", value=beside.whole.p99, unit="ms", floor=alone.whole.p99),
        ),
    )
