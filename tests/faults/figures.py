"""The figures of a long run, in words and tables for docs/reliability.md."""

import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from tests.faults.isolation import Figures, Load
from tests.faults.schedules import Punctuality
from tests.faults.storms import STORMS, Result

BEGIN, END = "<!-- figures: written by make faults -->", "<!-- end of the figures -->"
PACKAGES = ("boto3", "pydantic", "aws-lambda-powertools", "hypothesis", "greenlet")


class Run(NamedTuple):
    seed: int
    results: Sequence[Result]
    punctuality: Sequence[Punctuality]
    isolation: Sequence[tuple[Load, Sequence[Figures]]]
    minutes: float

    @property
    def violations(self) -> list[str]:
        found = [what for result in self.results for what in result.report.violations]
        for world in self.punctuality:
            found += [f"{ms} ms late" for ms in world.late_ms if abs(ms) > 1_000]
            found += world.report.violations
        return found


def write(document: Path, text: str) -> None:
    """Write the text between the marks; the text around them is written by hand."""
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def markdown(run: Run) -> str:
    parts = (
        _where(run),
        _totals(run),
        _storms(run),
        _faults(run),
        _duplicates(run),
        _times(run),
        _isolation(run),
    )
    return "\n\n".join(parts)


def _where(run: Run) -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"{os.cpu_count()} cores ({platform.machine()}, {platform.system()})"
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, seed {run.seed}, {run.minutes:.0f} minutes on {machine}, "
        f"Python {platform.python_version()}, {packages}."
    )


def _totals(run: Run) -> str:
    reports = [result.report for result in run.results]
    days = sum(result.virtual_s for result in run.results) / 86_400
    return _table(
        ("over all storms", ""),
        [
            ("events accepted (answered 2xx)", _sum(report.accepted for report in reports)),
            ("events that their client sent again", _sum(report.insisted for report in reports)),
            ("deliveries to be made", _sum(report.deliveries for report in reports)),
            ("requests that receivers got", _sum(report.requests for report in reports)),
            ("faults", f"{sum(result.faults.total() for result in run.results):,}"),
            ("virtual time", f"{days:.1f} days"),
            ("**lost**", f"**{sum(len(report.lost) for report in reports)}**"),
            (
                "**sent twice without a reason**",
                f"**{sum(len(report.unexplained) for report in reports)}**",
            ),
            (
                "sent twice in the honest window",
                _sum(report.duplicates.total() for report in reports),
            ),
            ("attempts before their time", _sum(len(report.early) for report in reports)),
            ("deliveries whose body changed", _sum(len(report.changed) for report in reports)),
        ],
    )


def _storms(run: Run) -> str:
    rows = []
    for storm in STORMS:
        reports = [result.report for result in run.results if result.storm == storm.name]
        states: Counter[str] = sum((report.states for report in reports), Counter())
        rows.append(
            (
                storm.name,
                _sum(report.accepted for report in reports),
                f"{states['delivered']:,}",
                f"{states['failed']:,}",
                _sum(len(report.lost) for report in reports),
                _sum(report.duplicates.total() for report in reports),
                _sum(len(report.unexplained) for report in reports),
                _sum(report.dead_letters.total() for report in reports),
            )
        )
    heads = (
        "storm",
        "events",
        "delivered",
        "schedule spent",
        "lost",
        "sent twice",
        "without a reason",
        "dead letters",
    )
    return _table(heads, rows)


def _faults(run: Run) -> str:
    counted: Counter[str] = sum((result.faults for result in run.results), Counter())
    return _table(("fault", "times"), [(name, f"{n:,}") for name, n in counted.most_common()])


def _duplicates(run: Run) -> str:
    counted: Counter[str] = sum((result.report.duplicates for result in run.results), Counter())
    rows = [(name, f"{n:,}") for name, n in counted.most_common()]
    return _table(
        ("why an attempt was sent again (event between its request and its record)", "times"),
        rows,
    )


def _times(run: Run) -> str:
    worlds = run.punctuality
    late_ms = sorted(ms for world in worlds for ms in world.late_ms)
    marks = [("earliest", late_ms[0])]
    marks += [(f"p{part * 100:g}", _share(late_ms, part)) for part in (0.5, 0.9, 0.99, 0.999)]
    marks.append(("latest", late_ms[-1]))
    heading = (
        f"{_sum(world.schedules for world in worlds)} random schedules and responses in "
        f"{sum(world.virtual_days for world in worlds):.1f} days of virtual time: "
        f"{len(late_ms):,} attempts after the first, {_sum(world.parked for world in worlds)} of "
        "them after a wait longer than the delay queue's maximum. Start in milliseconds after the "
        "promised time:"
    )
    table = _table([name for name, _ in marks], [[f"{ms:,}" for _, ms in marks]])
    return f"{heading}\n\n{table}"


def _share(ordered: Sequence[int], part: float) -> int:
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def _isolation(run: Run) -> str:
    rows = [
        (
            f"{load.per_s}/s, {load.workers} workers",
            f"{alive.busy:.0%} → {dead.busy:.0%}",
            f"{alive.waits.p99:,}",
            _changed(alive.waits.p99, dead.waits.p99),
            _changed(alive.waits.p99, dying.waits.p99),
            f"{dead.asked} and {dying.asked}",
        )
        for load, (alive, dead, dying) in run.isolation
    ]
    heads = (
        "load",
        "workers busy",
        "p99 in ms, all alive",
        "one endpoint dead from the start",
        "one endpoint dies after 30 s",
        "requests to the dead endpoint",
    )
    return _table(heads, rows)


def _changed(before: int, after: int) -> str:
    return f"{after:,} ({after / before - 1:+.0%})"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _sum(numbers: Iterable[int]) -> str:
    return f"{sum(numbers):,}"
