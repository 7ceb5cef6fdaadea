"""The handlers in threads, as they are: every batch in two workers at the same time."""

import threading
from collections.abc import Iterator, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from shared.standalone.engine.template import Json
from tests.faults.engine import simulation
from tests.faults.engine.cloud import Cloud
from tests.faults.engine.functions import Context
from tests.faults.engine.simulation import Group, Simulation, Task
from tests.faults.engine.sources import sqs_record
from tests.faults.engine.wire import Wire

WORKERS = 8
# The real ones, which a simulation replaces.
_submit, _shutdown = ThreadPoolExecutor.submit, ThreadPoolExecutor.shutdown
_wait = futures.wait


class Threads:
    """Each thread is a worker's; what it asks of AWS is answered one call at a time."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.RLock()
        self._known = threading.local()
        self._group = Group("none")

    @contextmanager
    def running(self) -> Iterator[None]:
        with (
            patch.object(simulation, "current", self._current),
            patch.object(simulation, "sleep", lambda wait_ms: None),
            patch.object(Wire, "call", self._call),
            patch.object(ThreadPoolExecutor, "submit", _submit),
            patch.object(ThreadPoolExecutor, "shutdown", _shutdown),
            patch.object(futures, "wait", _wait),
        ):
            yield

    def invoke(self, stage: str, events: Sequence[Json]) -> list[Any]:
        """All of them at the same time, as far as the threads reach."""
        self._group = Group(stage)
        self._group.deadline = self._cloud.simulation.now + 30_000
        with ThreadPoolExecutor(WORKERS) as pool:
            return list(pool.map(lambda event: self._run(stage, event), events))

    def batches(self, queue: str) -> list[Json]:
        """All that the queue holds, each batch twice and beside itself."""
        self._cloud.simulation.advance(901_000)
        found = []
        while messages := self._cloud.queues[queue].receive():
            batch = {"Records": [sqs_record(queue, message) for message in messages]}
            found += [batch, batch]
            for message in messages:
                self._cloud.queues[queue].delete(message, message.received_at)
        return found

    def _run(self, stage: str, event: Json) -> Any:
        context = Context(self._cloud.simulation, self._group)
        return self._cloud.functions[stage].handler(event, context)

    def _call(self, operation: str, apply: Any, partial: Any = None) -> Any:
        with self._lock:
            return apply()

    def _current(self) -> Task:
        if not hasattr(self._known, "task"):
            self._known.task = _StandIn(self._cloud.simulation)
        task: Task = self._known.task
        task.group = self._group
        return task


class _StandIn:
    """What the engine notes of a task, for a thread."""

    def __init__(self, of: Simulation) -> None:
        self.simulation = of
        self.claimed: dict[Any, int] = {}
        self.sending: Any = None
