"""What a dead endpoint costs the healthy ones: measured by the faults suite, shown here."""

import json
from pathlib import Path

from tests.benchmarks.figures import Figure, Table

# Written by the faults suite: {"healthy_p99_ms": …, "alone_p99_ms": …}
FOUND = Path(".local/faults/isolation.json")
AT_MOST = 1.10


def table() -> Table:
    return Table(
        title="Isolation",
        about="One endpoint of a hundred is dead; p99 of the others against their p99 without it. "
        "Measured by the faults suite.",
        figures=tuple(_figures()),
        after="" if FOUND.exists() else "The faults suite has left no figure here.",
    )


def _figures() -> list[Figure]:
    if not FOUND.exists():
        return []
    found = json.loads(FOUND.read_text(encoding="utf-8"))
    return [
        Figure(
            what="p99 of the healthy",
            value=found["healthy_p99_ms"],
            unit="ms",
            floor=found["alone_p99_ms"],
            at_most=AT_MOST,
        )
    ]
