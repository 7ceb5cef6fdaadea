"""The platform in one process: the template's tables, queues, functions and what invokes them.

Only the seams are replaced: clients of AWS, the clock, threads, and the way to the customers.
"""

import logging
import random as process_random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from uuid import UUID

from shared import clock as shared_clock
from shared import settings
from shared.aws import clients
from shared.outbound.sender import Sender
from shared.standalone.engine.clients import DynamoDbClient, EventsClient, SqsClient, client_of
from shared.standalone.engine.database import Database
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.values import Item
from shared.standalone.functions import stage_of
from tests.fakes import NOW
from tests.faults.engine import pools, simulation
from tests.faults.engine.bus import Bus
from tests.faults.engine.functions import (
    Environment,
    Function,
    Invocation,
    all_functions,
    cold_start,
)
from tests.faults.engine.queues import URL, Queues
from tests.faults.engine.receivers import Receivers
from tests.faults.engine.simulation import Simulation
from tests.faults.engine.sources import QueueMapping, Schedule, StreamMapping
from tests.faults.engine.watch import Watch
from tests.faults.engine.wire import Wire
from tests.integration.invocations import passes_the_filter

LATENCY_MS = (2, 12)


class Cloud:
    def __init__(self, seed: int = 0, latency_ms: tuple[int, int] = LATENCY_MS) -> None:
        self.random = Random(seed)
        self.simulation = Simulation()
        self.skew_ms = 0
        self.worker_skew_ms = 0
        self.wire = Wire(self.random, latency_ms)
        self.queues = Queues(self.simulation, self.random)
        self.database = Database(
            memory_tables(template().of_type("AWS::DynamoDB::Table")),
            lambda: self.simulation.now,
            self._changed,
        )
        self.transactions = Transactions(self.database, lambda: self.simulation.now)
        self.bus = Bus()
        self.receivers = Receivers(self.wire, self.wall_ms)
        self.watch = Watch(self.simulation, self.receivers)
        self.clients = self._clients()
        self.wire.interrupted = self.watch.interrupted
        self.functions = all_functions(self.simulation)
        self.mappings = {
            source["Queue"]["Fn::GetAtt"][0]: self._queue_mapping(name, source)
            for name, source in template().events("SQS")
        }
        ((name, source),) = template().events("DynamoDB")
        self.stream = self._stream_mapping(name, source)
        self.schedules = [self._schedule(*found) for found in template().events("Schedule")]

    def wall_ms(self) -> int:
        """What the clock shows: a worker's own, if a worker asks."""
        task = simulation.current()
        return NOW + self.simulation.now + self.skew_ms + (task.group.skew_ms if task else 0)

    def begin(self, function: Function, event: Json) -> Invocation:
        worst = self.worker_skew_ms
        invocation = function.begin(event, self.random.randint(-worst, worst) if worst else 0)
        invocation.group.on_death.append(partial(self.watch.died, invocation.group))
        return invocation

    def invoke(self, stage: str, event: Json) -> Any:
        """As a client who waits for the answer; None if the function failed."""
        invocation = self.begin(self.functions[stage], event)
        simulation.wait_for(invocation.task.when_done)
        return invocation.answer

    def _clients(self) -> dict[str, Any]:
        return {
            "dynamodb": DynamoDbClient(self.wire, self.database, self.transactions),
            "sqs": SqsClient(self.wire, self.queues),
            "events": EventsClient(self.wire, self.bus),
        }

    def sleep(self, seconds: float) -> None:
        if simulation.current() is None:
            _real_sleep(seconds)
        else:
            simulation.sleep(round(seconds * 1000))

    def _changed(self, table: StoredTable, old: Item | None, new: Item | None) -> None:
        if table.name != "EventTable" or new is None:
            return
        self.watch.changed(new)
        change = {"Keys": {"pk": new["pk"], "sk": new["sk"]}, "NewImage": new}
        name = "INSERT" if old is None else "MODIFY"
        if passes_the_filter({"eventName": name, "dynamodb": change}):
            self.stream.add(new)

    def _queue_mapping(self, name: str, source: Json) -> QueueMapping:
        queue = self.queues[source["Queue"]["Fn::GetAtt"][0]]
        filled = source | {"ScalingConfig": _scaling(source)}
        return QueueMapping(
            queue, self._function(name), filled, self.simulation, self.random, self.begin
        )

    def _stream_mapping(self, name: str, source: Json) -> StreamMapping:
        target, _ = source["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
        return StreamMapping(
            self._function(name),
            source,
            self.queues[target],
            self.simulation,
            self.random,
            self.begin,
        )

    def _schedule(self, name: str, source: Json) -> Schedule:
        return Schedule(self._function(name), source, self.simulation, self.begin)

    def _function(self, logical_id: str) -> Function:
        return self.functions[stage_of(logical_id)]


@contextmanager
def new_cloud(seed: int = 0, latency_ms: tuple[int, int] = LATENCY_MS) -> Iterator[Cloud]:
    """An empty platform, whose functions start cold. The same seed, the same run."""
    cloud = Cloud(seed, latency_ms)
    chance, environment = Random(seed), Environment(URL)
    with ExitStack() as stack:
        for seam in (
            patch.object(clients, "_make", partial(client_of, cloud.clients)),
            patch.object(
                shared_clock, "time", SimpleNamespace(time_ns=lambda: cloud.wall_ms() * 1_000_000)
            ),
            patch.object(time, "sleep", cloud.sleep),
            patch.object(Sender, "__init__", lambda *_, **__: None),
            patch.object(
                Sender, "post", lambda _, *args, **named: cloud.receivers.post(*args, **named)
            ),
            patch("uuid.uuid4", lambda: UUID(int=chance.getrandbits(128), version=4)),
            patch("secrets.token_hex", lambda size: chance.randbytes(size).hex()),
            patch("secrets.token_urlsafe", lambda size: chance.randbytes(size).hex()),
            patch("secrets.token_bytes", chance.randbytes),
            patch.object(settings, "_environment", environment),
            pools.simulated(),
            _quiet(),
        ):
            stack.enter_context(seam)
        process_random.seed(seed)
        cold_start()
        stack.callback(cold_start)
        stack.callback(cloud.simulation.close)
        yield cloud


def _scaling(source: Json) -> Json:
    """The concurrency that the template's parameter says, or what Lambda allows."""
    wanted = source.get("ScalingConfig", {}).get("MaximumConcurrency")
    if wanted is None:
        return {}
    return {"MaximumConcurrency": template().parameters[wanted["Ref"]]["Default"]}


@contextmanager
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


_real_sleep = time.sleep
