"""What there is to measure, in the order of the page."""

from collections.abc import Callable, Mapping

from tests.benchmarks import (
    artefact,
    calls,
    cold_start,
    cost,
    first_event,
    growth,
    isolation,
    latency,
    long_run,
    standalone,
    throughput,
    warm,
)
from tests.benchmarks.figures import Table

ROWS: Mapping[str, Callable[[], Table]] = {
    "cold_start": cold_start.table,
    "first_event": first_event.table,
    "artefact": artefact.table,
    "warm": warm.table,
    "calls": calls.table,
    "cost": cost.table,
    "latency": latency.table,
    "throughput": throughput.table,
    "isolation": isolation.table,
    "growth": growth.table,
    "standalone": standalone.table,
    "long_run": long_run.table,
}
