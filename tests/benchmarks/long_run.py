"""Ten minutes of mixed load on the deployed stack: nothing lost, nothing grows."""

import os
import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmarks import load
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.load import Ledger
from tests.local.stack import Stack

DURATION_S = float(os.environ.get("BENCH_LONG_RUN_S", "600"))
RATE = 10
CONFIGS = 3
PATIENCE_S = 180
SAMPLE_S = 5
# Of the memory of a worker, between the second fifth of its life and the last.
AT_MOST = 1.05

Memory = dict[int, list[float]]


def table() -> Table:
    ledger, memory = Ledger(), defaultdict[int, list[float]](list)
    with load.stack() as stack, load.receiver(ledger) as receiver:
        client = load.client(stack)
        configs = [client.make_config(receiver.url("/flaky")) for _ in range(CONFIGS)]
        over = threading.Event()
        watch = threading.Thread(target=_watch, args=(stack, memory, over))
        watch.start()
        load.send(client, ledger, RATE, DURATION_S, [config.id for config in configs])
        load.wait(ledger, PATIENCE_S)
        over.set()
        watch.join()
    return Table(
        title="Long run",
        about=f"{DURATION_S / 60:.0f} minutes at {RATE} events/s on the deployed stack; every "
        "third delivery fails once. Each event is identified by its hit. Memory is compared for "
        "each worker that ran for at least half of the time: the last fifth of its life against "
        "the second fifth.",
        figures=(*_ledger(ledger), *_memory(memory)),
    )


def _ledger(ledger: Ledger) -> Iterator[Figure]:
    note = f"of {len(ledger.accepted):,} accepted, {ledger.refused} refused"
    yield Figure(what="lost", value=ledger.lost(), unit="events", at_most=0, note=note)
    yield Figure(what="failed on purpose", value=ledger.failed_on_purpose, unit="attempts")
    note = "received before, and sent again: a worker died between the response and its record"
    yield Figure(what="repeated", value=len(ledger.repeated), unit="webhooks", at_most=0, note=note)


def _memory(memory: Memory) -> Iterator[Figure]:
    """Of the worker that has grown most."""
    enough = DURATION_S / SAMPLE_S / 2
    grown = [_early_and_late(seen) for seen in memory.values() if len(seen) >= enough]
    early, late = max(grown, key=lambda pair: pair[1] / pair[0])
    flat = sum(late <= AT_MOST * early for early, late in grown)
    yield Figure(
        what="memory of the worker that grew most",
        value=late,
        unit="MB",
        floor=early,
        at_most=AT_MOST,
        note=f"{flat} of {len(grown)} workers within the target",
    )


def _early_and_late(seen: list[float]) -> tuple[float, float]:
    fifth = len(seen) // 5
    return median(seen[fifth : 2 * fifth]), median(seen[-fifth:])


def _watch(stack: Stack, memory: Memory, over: threading.Event) -> None:
    while not over.wait(SAMPLE_S):
        for pid, megabytes in _workers(stack.emulator.pid):
            memory[pid].append(megabytes)


def _workers(group: int) -> Iterator[tuple[int, float]]:
    """The emulator's other processes, with their resident memory."""
    page = os.sysconf("SC_PAGE_SIZE")
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and int(folder.name) != group:
            yield int(folder.name), int(fields[21]) * page / 1e6
