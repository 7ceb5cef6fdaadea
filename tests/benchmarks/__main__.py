"""Every figure, reproducibly: `python -m tests.benchmarks [row …]`.

Without rows, all of them; then docs/performance.md is written anew.
"""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import tests.conftest  # noqa: F401 - made-up credentials: nothing here may reach an account
from tests.benchmarks import machine, report
from tests.benchmarks.figures import Table
from tests.benchmarks.rows import ROWS


def main(names: list[str]) -> int:
    tables = [_measured(name, ROWS[name]) for name in names or ROWS]
    if not names:
        today = datetime.now(UTC).date()
        report.PAGE.write_text(report.markdown(tables, machine.facts(), today), encoding="utf-8")
    missed = [figure for table in tables for figure in table.figures if figure.is_met is False]
    print(f"{len(missed)} targets missed." if missed else "Every target is met.")
    return 0


def _measured(name: str, row: Callable[[], Table]) -> Table:
    print(f"Measuring {name} …", file=sys.stderr)
    table = row()
    print(report.text(table), flush=True)
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="only these")
    sys.exit(main(parser.parse_args().rows))
