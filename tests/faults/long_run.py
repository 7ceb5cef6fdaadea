"""The long run, `make faults`: 100,000 events through all storms, 10,000 schedules, isolation.

It prints its figures and writes them into docs/reliability.md. `--events`, `--schedules` and
`--seed` make a shorter or a different run; `--workers` is the number of processes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from tests.faults import figures, isolation, schedules, storms
from tests.faults.figures import Run
from tests.faults.isolation import Figures, Load
from tests.faults.schedules import Punctuality
from tests.faults.storms import STORMS, Result

T = TypeVar("T")

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
# The most events or schedules of one world, which is held in memory.
PORTION = 200
LOADS = (Load(100, 60, 20), Load(200, 60, 20), Load(300, 60, 20))
# All endpoints alive; one dead from the start; one that dies during the run.
HANGS_FROM_S = (None, 0, 30)


def main(given: Sequence[str]) -> int:
    arguments, began = _arguments(given), time.monotonic()
    seed = arguments.seed
    with ProcessPoolExecutor(arguments.workers, get_context("spawn")) as pool:
        isolated = [
            [pool.submit(_isolate, load, seed, since) for since in HANGS_FROM_S] for load in LOADS
        ]
        punctual = pool.map(_schedules, shares(arguments.schedules, seed))
        stormy = pool.map(_storm, portions(arguments.events, seed))
        results = list(_told(stormy, began, lambda result: result.storm))
        run = Run(
            seed=seed,
            results=results,
            punctuality=list(_told(punctual, began, lambda _: "schedules")),
            isolation=[
                (load, [one.result() for one in runs])
                for load, runs in zip(LOADS, isolated, strict=True)
            ],
            minutes=(time.monotonic() - began) / 60,
        )
    text = figures.markdown(run)
    print(text)
    figures.write(DOCUMENT, text)
    for what in run.violations:
        print(what)
    return 1 if run.violations else 0


def _told(results: Iterable[T], began: float, name: Callable[[T], str]) -> Iterator[T]:
    """Yield each result, and print its number to stderr, because a run takes long."""
    for number, result in enumerate(results, 1):
        minutes = (time.monotonic() - began) / 60
        print(f"  {number}: {name(result)}, after {minutes:.1f} min", file=sys.stderr)
        yield result


def portions(events: int, seed: int) -> list[tuple[int, int, int]]:
    """Storm, number of events and seed of each world; all storms get equally many events."""
    each = -(-events // len(STORMS))
    found = []
    for number in range(len(STORMS)):
        found += [(number, *share) for share in shares(each, seed + 100 * number)]
    return found


def shares(whole: int, seed: int) -> list[tuple[int, int]]:
    """The share of the whole that each world gets, and its seed."""
    sizes = [min(PORTION, whole - start) for start in range(0, whole, PORTION)]
    return [(size, seed + part) for part, size in enumerate(sizes)]


def _isolate(load: Load, seed: int, hangs_from_s: int | None) -> Figures:
    return isolation.measure(load, seed, hangs_from_s=hangs_from_s)


def _schedules(share: tuple[int, int]) -> Punctuality:
    return schedules.run(*share)


def _storm(portion: tuple[int, int, int]) -> Result:
    number, events, seed = portion
    return storms.run(STORMS[number], events, seed)


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20_261_121)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args(given)
