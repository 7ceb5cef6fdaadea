"""The standalone program on this machine: how soon, how much, and who feels whom."""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks import arrivals, bare, machine
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.load import LIMITS
from tests.benchmarks.steady import (
    ArrivalBook,
    SteadySender,
    Stretch,
    cpu_of,
    memory_of,
    percentile,
)
from tests.local import standalone
from tests.local.standalone import Standalone
from tests.stack.client import Client

RATES = (10, 50, 200)
RATE_S = 12
# So many at least, so that the p99 is more than the worst.
EVENTS = 200
# Until one of them is too much.
STEPS = (100, 125, 150, 175, 200, 250, 300, 400)
STEP_S = 8
NEIGHBOUR_S = 20
TOO_LATE_MS = 1_000
ENDPOINTS = 100
SLOW_MS = 9_000
IDLE_S = 10
WARM_UP_S = 4
P50_MS, P99_MS = 1.2, 4.0
CPU_S = 6.0
AT_LEAST_PER_S = 250
OTHERS, NEIGHBOUR = 1.05, 1.5
IDLE_MB, IDLE_PERCENT = 70, 0.8
FIRST_S = 2.0


class Bench(NamedTuple):
    program: Standalone
    book: ArrivalBook

    def client(self) -> Client:
        """Of a workspace of its own."""
        stack: Any = self.program
        return Client(stack, limits=LIMITS | {"configs": 10 * ENDPOINTS})

    def sender(self, client: Client) -> SteadySender:
        return SteadySender(self.book, client.api_url, client.api_key, self.program.pid)

    def config(self, client: Client, path: str) -> str:
        return client.make_config(self.book.url + path).id


def table() -> Table:
    with arrivals.running() as url, tempfile.TemporaryDirectory() as folder:
        book, began = ArrivalBook(url), time.monotonic()
        program = standalone.start(Path(folder))
        bench = Bench(program, book)
        try:
            figures = [*_start(bench, began), *_idle(bench), *_rates(bench), _highest(bench)]
            figures += [_neighbour(bench), _others(bench)]
        finally:
            program.stop()
    note = f"{len(book.accepted):,} accepted, {book.refused} refused"
    figures += [
        Figure(what="lost, of all", value=book.lost(), unit="", at_most=0, note=note),
        Figure(what="doubled, of all", value=book.doubled, unit="", at_most=0),
    ]
    return Table(
        title="Standalone",
        about="`python -m shared.standalone` as one process, events of 1 KB, a receiver in a "
        "process of its own, and a sender with 32 connections; all three share the cores of "
        f"this machine ({machine.facts()['machine']}). A wait is the time from the 202 to the "
        "arrival; it is negative if the webhook overtakes the answer, which waits for the disk. "
        "CPU is that of the whole program. The "
        "floor of the CPU is a bare ASGI application that parses the same body and posts it on "
        "with requests, and stores nothing.",
        figures=tuple(figures),
        after=_AFTER,
    )


def _start(bench: Bench, began: float) -> Iterator[Figure]:
    ready_s = time.monotonic() - began
    client = bench.client()
    sender, config_id = bench.sender(client), bench.config(client, "/fine/first")
    stretch = sender.send(1, 1, [config_id])
    first_s = time.monotonic() - began - (time.time() - max(stretch.came.values()))
    yield Figure(what="start until ready", value=ready_s, unit="s")
    yield Figure(what="start until the first delivery", value=first_s, unit="s", at_most=FIRST_S)


def _idle(bench: Bench) -> Iterator[Figure]:
    pid = bench.program.pid
    cpu_s = cpu_of(pid)
    time.sleep(IDLE_S)
    percent = (cpu_of(pid) - cpu_s) / IDLE_S * 100
    yield Figure(what="idle: memory (PSS)", value=memory_of(pid), unit="MB", at_most=IDLE_MB)
    yield Figure(what="idle: CPU", value=percent, unit="% of a core", at_most=IDLE_PERCENT)


def _rates(bench: Bench) -> Iterator[Figure]:
    client = bench.client()
    sender, config_id = bench.sender(client), bench.config(client, "/fine/rates")
    sender.send(RATES[0], WARM_UP_S, [config_id])
    stretches = {rate: sender.send(rate, max(RATE_S, EVENTS / rate), [config_id]) for rate in RATES}
    for rate, stretch in stretches.items():
        yield from _rate(rate, stretch)
    yield Figure(
        what="50 events/s: CPU against the floor",
        value=_cpu_per_1000(stretches[50]),
        unit="s for 1,000",
        floor=_bare_cpu_s(bench.book),
    )


def _rate(rate: int, stretch: Stretch) -> Iterator[Figure]:
    waits, ways, aims = stretch.waits_ms(), stretch.ways_ms(), rate <= 50
    note = f"from when it was due: p50 {percentile(ways, 50):.1f}, p99 {percentile(ways, 99):.1f}"
    for percent, aim in ((50, P50_MS), (99, P99_MS)):
        yield Figure(
            what=f"{rate} events/s: wait, p{percent}",
            value=percentile(waits, percent),
            unit="ms",
            at_most=aim if aims else None,
            note=note if percent == 99 else "",
        )
    yield Figure(
        what=f"{rate} events/s: CPU",
        value=_cpu_per_1000(stretch),
        unit="s for 1,000",
        at_most=CPU_S if aims else None,
    )


def _bare_cpu_s(book: ArrivalBook) -> float:
    with bare.running(f"{book.url}/fine/bare") as program:
        sender = SteadySender(book, program.api_url, "", program.pid)
        sender.send(RATES[0], WARM_UP_S, ["bare"])
        return _cpu_per_1000(sender.send(50, RATE_S, ["bare"]))


def _cpu_per_1000(stretch: Stretch) -> float:
    return stretch.cpu_s / len(stretch.accepted) * 1000


def _highest(bench: Bench) -> Figure:
    client = bench.client()
    sender, config_id = bench.sender(client), bench.config(client, "/fine/highest")
    highest, note = 0, ""
    for rate in STEPS:
        stretch = sender.send(rate, STEP_S, [config_id])
        took_s = max(stretch.accepted.values()) - min(stretch.due.values())
        late_ms, taken = percentile(stretch.waits_ms(), 99), len(stretch.due) / took_s
        if late_ms >= TOO_LATE_MS or took_s > STEP_S + 1:
            note = f"at {rate}: p99 {late_ms / 1000:.1f} s, {taken:.0f}/s accepted"
            break
        highest = rate
    return Figure(
        what=f"highest of {', '.join(map(str, STEPS))} with a wait of p99 < 1 s",
        value=highest,
        unit="events/s",
        at_least=AT_LEAST_PER_S,
        note=note,
    )


def _neighbour(bench: Bench) -> Figure:
    """One tenant at 5/s, while another one has 300 deliveries under way of 9 s each."""
    quick, slow = bench.client(), bench.client()
    sender, config_id = bench.sender(quick), bench.config(quick, "/fine/neighbour")
    slow_ids = [bench.config(slow, f"/slow/{SLOW_MS}/{one}") for one in range(ENDPOINTS)]
    sender.send(5, WARM_UP_S, [config_id])
    alone = sender.send(5, NEIGHBOUR_S, [config_id])
    with ThreadPoolExecutor(1) as pool:
        burst = pool.submit(bench.sender(slow).send, 100, 3, slow_ids)
        beside = sender.send(5, NEIGHBOUR_S, [config_id])
        begun = burst.result()
    last_s = max(begun.came.values()) - max(begun.accepted.values())
    return Figure(
        what=f"beside a tenant with {ENDPOINTS} endpoints of 9 s: wait, p99",
        value=percentile(beside.waits_ms(), 99),
        unit="ms",
        floor=percentile(alone.waits_ms(), 99),
        at_most=NEIGHBOUR,
        note=f"the last slow request begins {max(0, last_s):.2f} s after its last 202",
    )


def _others(bench: Bench) -> Figure:
    client = bench.client()
    sender = bench.sender(client)
    ids = [bench.config(client, f"/fine/others/{one}") for one in range(ENDPOINTS - 1)]
    sender.send(20, WARM_UP_S, ids)
    alone = sender.send(20, RATE_S, ids)
    dead = bench.config(client, "/hang/one")
    beside = sender.send(20, RATE_S, [*ids, dead], dead)
    return Figure(
        what=f"one of {ENDPOINTS} endpoints hangs: wait of the others, p99",
        value=percentile(beside.waits_ms(), 99),
        unit="ms",
        floor=percentile(alone.waits_ms(), 99),
        at_most=OTHERS,
    )


_AFTER = (
    "Start: imports take most of it. Memory: the modules of all functions, once. A wait is mostly "
    "the work of three functions, one after the other, and at its p99 a switch to a thread that "
    "serves another event. CPU: about 1.8 s of 1,000 events are `ingest`, 0.7 `fanout`, 3.5 the "
    "attempts, of which a third is the request itself, and 1 the HTTP server; log lines are a "
    "tenth of all. The highest rate is where one core is busy: Python runs one thread of a process "
    "at a time, so a second core helps with disk and network only. Beside many slow endpoints or "
    "a dead one, others wait for the threads that begin those requests, for some ms."
)
