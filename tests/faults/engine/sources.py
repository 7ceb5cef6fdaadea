"""What invokes functions: event source mappings of queues and of the stream, and the schedule."""

import json
from collections import deque
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any
from zlib import crc32

from shared.standalone.engine.batches import halves, left_of_stream
from shared.standalone.engine.groups import QueuedMessage
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import Item
from tests.faults.engine.functions import Function, Invocation
from tests.faults.engine.queues import SqsQueue
from tests.faults.engine.simulation import Simulation

MINUTE_MS = 60_000
# How long after a message can be received it is in the hands of a function.
POLL_MS = (5, 40)
# And after a write its record of the stream; by the event, so that runs can be compared.
STREAM_MS = (20, 200)

Begin = Callable[[Function, Json], Invocation]


class QueueMapping:
    """Up to `concurrency` batches at a time; what a batch is done with is deleted."""

    def __init__(
        self,
        queue: SqsQueue,
        function: Function,
        properties: Json,
        simulation: Simulation,
        random: Random,
        begin: Begin,
    ) -> None:
        self.is_enabled = True
        self.concurrency: int = properties.get("ScalingConfig", {}).get("MaximumConcurrency", 1000)
        self.busy = 0
        self._queue = queue
        self._function = function
        self._batch: int = properties["BatchSize"]
        self._simulation = simulation
        self._random = random
        self._begin = begin
        self._is_polling = False
        queue.on_ready = self.poll

    def enable(self, is_enabled: bool) -> None:
        self.is_enabled = is_enabled
        self.poll()

    def poll(self) -> None:
        if not self._is_polling:
            self._is_polling = True
            self._simulation.after(self._random.randint(*POLL_MS), self._receive)

    def _receive(self) -> None:
        self._is_polling = False
        while self.is_enabled and self.busy < self.concurrency and self._queue.has_ready:
            messages = self._queue.receive(self._batch)
            if messages:
                self._hand_over(messages)

    def _hand_over(self, messages: list[QueuedMessage]) -> None:
        self.busy += 1
        received_at = self._simulation.now
        records = [sqs_record(self._queue.name, message) for message in messages]
        invocation = self._begin(self._function, {"Records": records})
        invocation.task.when_done(lambda: self._finished(invocation, messages, received_at))

    def _finished(
        self, invocation: Invocation, messages: list[QueuedMessage], received_at: int
    ) -> None:
        self.busy -= 1
        if not invocation.failed:
            kept = _identifiers(invocation.answer)
            for message in messages:
                if str(message.number) not in kept:
                    self._queue.delete(message, received_at)
        if self._queue.has_ready:
            self.poll()


class StreamMapping:
    """Records in order within each lane; a batch that fails comes again, in halves."""

    LANES = 4

    def __init__(
        self,
        function: Function,
        properties: Json,
        dead_letters: SqsQueue,
        simulation: Simulation,
        random: Random,
        begin: Begin,
    ) -> None:
        self.repeat_rate = 0.0
        self.repeated = 0
        self.is_enabled = True
        self._function = function
        self._batch: int = properties["BatchSize"]
        self._tries: int = 1 + properties["MaximumRetryAttempts"]
        self._dead_letters = dead_letters
        self._simulation = simulation
        self._begin = begin
        self._lanes = [deque[tuple[list[Json], int]]() for _ in range(self.LANES)]
        self._is_busy = [False] * self.LANES
        self._numbers = count(1)
        self._random = random

    def add(self, image: Item) -> None:
        lane = hash_of(image["pk"]["S"]) % self.LANES
        number = f"{next(self._numbers):021d}"
        record = {
            "eventID": number,
            "eventName": "INSERT",
            "dynamodb": {"NewImage": image, "SequenceNumber": number},
        }
        waiting = self._lanes[lane]
        if waiting and waiting[-1][1] == 0 and len(waiting[-1][0]) < self._batch:
            waiting[-1][0].append(record)
        else:
            waiting.append(([record], 0))
        low, high = STREAM_MS
        wait_ms = low + hash_of(image["pk"]["S"]) % (high - low)
        self._simulation.after(wait_ms, lambda: self.poll(lane))

    def poll(self, lane: int) -> None:
        if not self.is_enabled or self._is_busy[lane] or not self._lanes[lane]:
            return
        self._is_busy[lane] = True
        records, tries = self._lanes[lane].popleft()
        invocation = self._begin(self._function, {"Records": records})
        invocation.task.when_done(lambda: self._finished(lane, invocation, records, tries))

    def enable(self, is_enabled: bool) -> None:
        self.is_enabled = is_enabled
        for lane in range(self.LANES):
            self.poll(lane)

    def waiting(self) -> int:
        return sum(len(records) for lane in self._lanes for records, _ in lane)

    def _finished(self, lane: int, invocation: Invocation, records: list[Json], tries: int) -> None:
        left = records
        if not invocation.failed:
            left = left_of_stream(records, _identifiers(invocation.answer))
        if len(left) == 1 and tries + 1 >= self._tries:
            self._dead_letters.send("a stream record")
        elif left:  # a split is no try
            again = [(half, tries + (len(left) == 1)) for half in halves(left)]
            self._lanes[lane].extendleft(reversed(again))
        elif tries < self._tries and self._random.random() < self.repeat_rate:
            self.repeated += 1
            self._lanes[lane].appendleft((records, self._tries))
        self._simulation.after(1_000 if left else 0, lambda: self._go_on(lane))

    def _go_on(self, lane: int) -> None:
        self._is_busy[lane] = False
        self.poll(lane)


class Schedule:
    """Every minute, unless it is off; EventBridge may also do it twice."""

    def __init__(
        self, function: Function, properties: Json, simulation: Simulation, begin: Begin
    ) -> None:
        self.is_enabled = True
        self.twice = False
        self.runs = 0
        self._function = function
        self._event: Json = json.loads(properties["Input"])
        self._simulation = simulation
        self._begin = begin
        simulation.after(MINUTE_MS, self._run)

    def enable(self) -> None:
        self.is_enabled = True

    def _run(self) -> None:
        self._simulation.after(MINUTE_MS, self._run)
        for _ in range((1 + self.twice) if self.is_enabled else 0):
            self.runs += 1
            self._begin(self._function, dict(self._event))


def hash_of(text: str) -> int:
    """The same in every process, as `hash` is not."""
    return crc32(text.encode())


def sqs_record(queue: str, message: QueuedMessage) -> Json:
    return {
        "messageId": str(message.number),
        "receiptHandle": f"{message.number}-{message.receives}",
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:123456789012:{queue}",
        "awsRegion": "us-east-1",
    }


def _identifiers(answer: Any) -> set[str]:
    """Strict: an answer of another shape is a fault of the handler."""
    return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
