"""From 1 to 10,000 events a second on AWS, on paper: which quota binds first (docs/scale.md).

Each event is of 1 KB and goes to one config, whose endpoint answers within `endpoint_ms`.
"""

from collections import Counter
from functools import cache
from random import Random
from statistics import mean
from typing import NamedTuple

from shared.repair.event_scan import PAGE
from shared.repair.sweeper import SHARD_MARGIN_MS
from shared.standalone.engine.template import template
from shared.tables.event_table import SHARDS
from tests.benchmarks.prices import Assumed, prices

RATES = (1, 10, 100, 1_000, 10_000)

# Per event of a visitor: the event; claim and settle of its delivery. Held by test_scale.py.
TABLE_WRITES = 3
LOG_WRITES = 2
# A partition takes 1,000 write units a second, and a key has one partition.
PARTITION_WRITES = 1_000
# Defaults of an account and a Region; those marked * in docs/scale.md can be raised.
ACCOUNT_API_PER_S = 10_000
ACCOUNT_LAMBDA = 1_000
TABLE_WRITE_UNITS = 40_000
NEW_TABLE_WRITE_UNITS = 4_000
MAPPING_CONCURRENCY = 1_000
SQS_IN_FLIGHT = 120_000
# Calls of repair for a page: the log, the events, their deliveries, the cursor.
PAGE_CALLS = 4
# CPU of repair for a delivery that is due, rounded up from the row of docs/performance.md.
DUE_CPU_MS = 2.0
MINUTE_S = 60
STACKS = 200
# Lambda gives a mapping of a queue 5 batches at a time, and 300 more in a minute.
FIRST_BATCHES = 5
BATCHES_A_MINUTE = 300


class Quota(NamedTuple):
    """What may be used, and what an event a second uses of it."""

    name: str
    limit: float
    used: float

    @property
    def events_per_s(self) -> float:
        return self.limit / self.used


class Shape(NamedTuple):
    """How the events are spread. The defaults are the unkindest: all to one config."""

    workspaces: int = 1
    configs: int = 1
    endpoint_ms: float = 100.0


def quotas(shape: Shape) -> list[Quota]:
    """Of the template as it is."""
    parameter = template().parameters
    dispatch = parameter["DispatchConcurrency"]["Default"]
    batch_s, busy = dispatch_s(shape.endpoint_ms), _concurrency(shape.endpoint_ms)
    return [
        Quota("ApiRateLimit", parameter["ApiRateLimit"]["Default"], 1),
        Quota("API requests of the account", ACCOUNT_API_PER_S, 1),
        Quota("log of one workspace", PARTITION_WRITES, 1 / shape.workspaces),
        Quota("log of one config", PARTITION_WRITES, 1 / shape.configs),
        Quota("events that repair looks at", looked_at_per_s(shape.workspaces), 1),
        Quota("a new table", NEW_TABLE_WRITE_UNITS, TABLE_WRITES),
        Quota("a table", TABLE_WRITE_UNITS, TABLE_WRITES),
        Quota("its log index", TABLE_WRITE_UNITS, LOG_WRITES),
        Quota("a shard of the stream", _fanout_per_shard(), 1 / _shards()),
        Quota("DispatchConcurrency", dispatch, batch_s / batch()),
        Quota("one mapping of a queue", MAPPING_CONCURRENCY, batch_s / batch()),
        Quota("messages in flight", SQS_IN_FLIGHT, batch_s),
        Quota("Lambda of the account", ACCOUNT_LAMBDA, busy),
    ]


def binding(shape: Shape) -> list[Quota]:
    """The first one first."""
    return sorted(quotas(shape), key=lambda quota: quota.events_per_s)


def dispatch_s(endpoint_ms: float) -> float:
    """Of a full batch: the CPU of ten attempts, and one wait for all of them."""
    it = prices().assumed
    waits = 3 * it.dynamodb_ms + endpoint_ms
    return (batch() * it.cpu_ms["attempt"] / _share(it) + waits) / 1000


@cache
def batch() -> int:
    """Messages that dispatch takes at a time."""
    sources = dict(template().events("SQS"))
    size: int = sources["DispatchFunction"]["BatchSize"]
    return size


def ramp_s(rate: float, endpoint_ms: float) -> float:
    """Until Lambda runs as many batches of dispatch at a time as the rate needs."""
    needed = rate / batch() * dispatch_s(endpoint_ms)
    return max(0.0, (needed - FIRST_BATCHES) / BATCHES_A_MINUTE * 60)


def active_workspaces() -> float:
    """How many with an event each repair reads in a minute."""
    it = prices().assumed
    calls = 1 + (PAGE_CALLS - 1) / PAGE
    return MINUTE_S * _swept_per_s(SHARDS, it.cpu_ms["slot"], calls * it.dynamodb_ms)


def looked_at_per_s(workspaces: int) -> float:
    """Events. Each shard reads a page after the other; a workspace is in one shard."""
    it = prices().assumed
    shards, cpu_ms = min(workspaces, SHARDS), PAGE * it.cpu_ms["looked_at"]
    in_all = PAGE * _swept_per_s(shards, cpu_ms, PAGE_CALLS * it.dynamodb_ms)
    in_one = PAGE * _swept_per_s(1, cpu_ms, PAGE_CALLS * it.dynamodb_ms)
    return min(in_all, in_one / fullest_shard(workspaces))


def fullest_shard(workspaces: int) -> float:
    """The part of all events that is in it, on the average of many stacks of equal workspaces."""
    chance = Random(1)  # noqa: S311 -- the same each time
    fullest = [
        max(Counter(chance.randrange(SHARDS) for _ in range(workspaces)).values())
        for _ in range(STACKS)
    ]
    return mean(fullest) / workspaces


def due_in_a_minute() -> float:
    """How many deliveries repair queues: a read, a write and a message each."""
    it = prices().assumed
    return MINUTE_S * _swept_per_s(SHARDS, DUE_CPU_MS, 2 * it.dynamodb_ms + it.sqs_ms)


def repair_s() -> float:
    """How long a run looks at shards, of each minute. A run may begin before the last one ends."""
    timeout_s: int = template().functions()["RepairFunction"]["Timeout"]
    return min(MINUTE_S, timeout_s - SHARD_MARGIN_MS / 1000)


def repair_mb() -> int:
    memory_mb: int = template().functions()["RepairFunction"]["MemorySize"]
    return memory_mb


def runs() -> int:
    """Parts into which the shards are split, each with an invocation of its own."""
    return len(template().events("Schedule"))


def _swept_per_s(shards: int, cpu_ms: float, wait_ms: float) -> float:
    """Pieces of work: in each shard one after the other, and all of a run on one processor."""
    cpu_s = cpu_ms * prices().assumed.full_cpu_mb / repair_mb() / 1000
    return min(shards / (cpu_s + wait_ms / 1000), runs() / cpu_s) * repair_s() / MINUTE_S


def _ingest_s() -> float:
    it = prices().assumed
    return (it.cpu_ms["ingest"] / _share(it) + it.dynamodb_ms) / 1000


def _fanout_s() -> float:
    """Of a full batch of the stream: a query, and a send for ten."""
    it, size = prices().assumed, _stream()["BatchSize"]
    waits = it.dynamodb_ms + size / 10 * it.sqs_ms
    return float((size * it.cpu_ms["fanout"] / _share(it) + waits) / 1000)


def _fanout_per_shard() -> float:
    return float(_stream()["ParallelizationFactor"] * _stream()["BatchSize"] / _fanout_s())


def _shards() -> int:
    """A shard of the stream for each partition of the table, of which a new one has four."""
    return NEW_TABLE_WRITE_UNITS // PARTITION_WRITES


def _concurrency(endpoint_ms: float) -> float:
    """Workers of all functions for an event a second."""
    fanout = _fanout_s() / _stream()["BatchSize"]
    return float(_ingest_s() + fanout + dispatch_s(endpoint_ms) / batch())


def _stream() -> dict[str, int]:
    ((_, source),) = template().events("DynamoDB")
    return source


def _share(it: Assumed) -> float:
    return it.memory_mb / it.full_cpu_mb
