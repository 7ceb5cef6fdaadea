"""The figures as text for a terminal, and as docs/performance.md."""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from tests.benchmarks.figures import Figure, Table

PAGE = Path("docs/performance.md")
_HEAD = ("what", "measured", "floor", "ratio", "target", "")


def text(table: Table) -> str:
    rows = [_HEAD, *map(_row, table.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return "\n".join([table.title, *(f"  {line}" for line in lines), ""])


def markdown(tables: Sequence[Table], facts: Mapping[str, str], on: date) -> str:
    about = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    head = (
        "# Performance\n\n"
        f"Written by `make bench` on {on}. Times on a shared machine mean little by themselves: "
        "where there is a floor, it was measured in the same run, and the ratio is what counts.\n\n"
        f"{about}\n"
    )
    return "\n".join([head, *map(_section, tables)])


def _section(table: Table) -> str:
    rows = [_HEAD, ("---",) * len(_HEAD), *map(_row, table.figures)]
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    after = f"\n{table.after}\n" if table.after else ""
    return f"## {table.title}\n\n{table.about}\n\n{lines}\n{after}"


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
