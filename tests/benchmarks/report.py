"""The figures as text for a terminal, and as docs/performance.md, where a run writes its rows."""

import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from tests.benchmarks.figures import Figure, Table

PAGE = Path("docs/performance.md")
_COLUMNS = ("what", "measured", "floor", "ratio", "target", "")
_SECTION = re.compile(r"<!-- row: (\w+) -->\n(.*?)(?=\n<!-- row: |\Z)", re.DOTALL)


def text(table: Table) -> str:
    rows = [_COLUMNS, *map(_row, table.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([table.title, *(f"  {line}" for line in lines), ""])


def markdown(
    known: str,
    tables: Mapping[str, Table],
    order: Iterable[str],
    facts: Mapping[str, str],
    on: date,
) -> str:
    """The page `known` with these tables in place of theirs; in `order`."""
    when = f"Measured on {on}, at commit {facts['commit']}."
    sections = dict(_SECTION.findall(known))
    sections |= {name: _section(table, when) for name, table in tables.items()}
    found = [f"<!-- row: {name} -->\n{sections[name]}" for name in order if name in sections]
    return "\n".join([_head(facts), *found])


def _head(facts: Mapping[str, str]) -> str:
    about = "\n".join(f"- {name}: {what}" for name, what in facts.items() if name != "commit")
    return (
        "# Performance\n\n"
        "`make bench` writes this page. Times on a shared machine mean little by themselves. If a "
        "figure has a floor, the floor was measured in the same run, and the ratio of both counts. "
        "[Decision 18](decisions/0018-performance.md) explains how each figure was reached.\n\n"
        f"{about}\n"
    )


def _section(table: Table, when: str) -> str:
    rows = [_COLUMNS, ("---",) * len(_COLUMNS), *map(_row, table.figures)]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    after = f"\n{table.after}\n" if table.after else ""
    return f"## {table.title}\n\n{table.about} {when}\n\n{lines}\n{after}"


def _row(figure: Figure) -> tuple[str, ...]:
    floor = "" if figure.floor is None else _number(figure.floor)
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    note = {None: figure.note, True: figure.note, False: f"missed {figure.note}".strip()}
    measured = f"{_number(figure.value)} {figure.unit}".strip()
    return (figure.what, measured, floor, ratio, _target(figure), note[figure.is_met])


def _target(figure: Figure) -> str:
    if figure.at_most is not None:
        return f"≤ {figure.at_most:g}"
    return "" if figure.at_least is None else f"≥ {figure.at_least:g}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
