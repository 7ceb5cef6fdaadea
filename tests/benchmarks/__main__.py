"""Every figure, reproducibly: `python -m tests.benchmarks [row …]`.

Without rows, all of them. What was measured takes its place in docs/performance.md.
"""

import argparse
import sys
from datetime import UTC, datetime

import tests.conftest  # noqa: F401 - made-up credentials: nothing here may reach an account
from tests.benchmarks import machine, report
from tests.benchmarks.figures import Table
from tests.benchmarks.rows import ROWS


def main(names: list[str]) -> int:
    figures = [figure for name in names or ROWS for figure in _measured(name).figures]
    missed = [figure for figure in figures if figure.is_met is False]
    print(f"{len(missed)} targets missed." if missed else "Every target is met.")
    return 0


def _measured(name: str) -> Table:
    print(f"Measuring {name} …", file=sys.stderr)
    table = ROWS[name]()
    print(report.text(table), flush=True)
    known = report.PAGE.read_text(encoding="utf-8") if report.PAGE.exists() else ""
    today = datetime.now(UTC).date()
    page = report.markdown(known, {name: table}, ROWS, machine.facts(), today)
    report.PAGE.write_text(page, encoding="utf-8")
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", choices=[*ROWS, []], help="only these")
    sys.exit(main(parser.parse_args().rows))
