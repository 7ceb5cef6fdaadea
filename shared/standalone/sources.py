"""What invokes functions beside HTTPS: queues, the schedule, and the rules of the bus."""

import json
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any

from shared.observability import fault, logger
from shared.standalone.engine.batches import failed_ids
from shared.standalone.engine.patterns import matches
from shared.standalone.engine.template import Json
from shared.standalone.functions import ACCOUNT, REGION, StandaloneFunction
from shared.standalone.queues import FileMessage, FileQueue
from shared.standalone.timer import Timer

MINUTE_MS = 60_000
# How many messages are handed to functions at once, where the template sets no limit.
_UNLIMITED = 1_000


class FileQueueMapping:
    """Hands the messages of a queue to a function, as they come: a batch is what is ready now.

    On AWS, `MaximumConcurrency` limits the batches; here as many messages are under way.
    """

    def __init__(
        self,
        queue: FileQueue,
        function: StandaloneFunction,
        batch_size: int,
        concurrency: int | None,
        executor: Executor,
    ) -> None:
        self.queue = queue
        self.under_way = 0
        self._function = function
        self._batch_size = batch_size
        self._limit = (concurrency or _UNLIMITED) * batch_size
        self._executor = executor
        self._is_running = False
        self._is_called = False
        queue.on_ready = self._poll

    def start(self) -> None:
        self._is_running = True
        self._poll()

    def stop(self) -> None:
        """Begin no more batches."""
        self._is_running = False

    def _poll(self) -> None:
        """A thread takes what is ready when it runs: the busier the machine, the larger the batch.
        One at a time is asked to come."""
        with self.queue.lock:
            if not self._is_called and self._room and self.queue.has_ready:
                self._is_called = True
                self._executor.submit(self._run)

    @property
    def _room(self) -> int:
        return self._limit - self.under_way if self._is_running else 0

    def _run(self) -> None:
        messages = self._take()
        try:
            if messages:
                self._hand_over(messages)
        except Exception as error:  # they are received again after their visibility timeout
            logger.error("batch.failed", function=self._function.name, **fault(error))
        finally:
            with self.queue.lock:
                self.under_way -= len(messages)
            self._poll()

    def _take(self) -> list[FileMessage]:
        with self.queue.lock:
            self._is_called = False
            messages = self.queue.receive(min(self._batch_size, self._room))
            self.under_way += len(messages)
            self._poll()
        return messages

    def _hand_over(self, messages: list[FileMessage]) -> None:
        records = [_sqs_record(self.queue.name, message) for message in messages]
        failed = failed_ids(self._function.invoke({"Records": records}))
        self.queue.delete([one for one in messages if str(one.number) not in failed])


class MinuteSchedule:
    """Every minute, whether or not the last run has ended, as on AWS."""

    def __init__(
        self, function: StandaloneFunction, event: Json, timer: Timer, executor: Executor
    ) -> None:
        self._function = function
        self._event = event
        self._timer = timer
        self._executor = executor
        self._is_running = False

    def start(self) -> None:
        self._is_running = True
        self._timer.after(MINUTE_MS, self._begin)

    def stop(self) -> None:
        self._is_running = False

    def _begin(self) -> None:
        if self._is_running:
            self._timer.after(MINUTE_MS, self._begin)
            self._executor.submit(self._run)

    def _run(self) -> None:
        try:
            self._function.invoke(dict(self._event))
        except Exception as error:
            logger.error("schedule.failed", function=self._function.name, **fault(error))


class RuleBus:
    """The event bus: its rules put events into queues. An event that no rule wants is dropped."""

    def __init__(self, account: str, region: str) -> None:
        self._account = account
        self._region = region
        self._rules: list[tuple[Any, FileQueue]] = []

    def add_rule(self, pattern: Any, queue: FileQueue) -> None:
        self._rules.append((pattern, queue))

    def put(self, entries: list[Json]) -> Json:
        """What PutEvents does with the entries."""
        sent = [self._event(entry) for entry in entries]
        for event in sent:
            self.deliver(event)
        return {"FailedEntryCount": 0, "Entries": [{"EventId": event["id"]} for event in sent]}

    def deliver(self, event: Json) -> None:
        for pattern, queue in self._rules:
            if matches(pattern, event):
                queue.send(json.dumps(event, separators=(",", ":")))

    def event(self, source: str, detail_type: str, detail: Mapping[str, Any]) -> Json:
        return {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": detail_type,
            "source": source,
            "account": self._account,
            "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "region": self._region,
            "resources": [],
            "detail": dict(detail),
        }

    def _event(self, entry: Json) -> Json:
        return self.event(entry["Source"], entry["DetailType"], json.loads(entry["Detail"]))


def every(ms: int, work: Callable[[], None], timer: Timer) -> None:
    """Call `work` on the timer's thread, again and again, `ms` after it has ended."""

    def run() -> None:
        try:
            work()
        finally:
            timer.after(ms, run)

    timer.after(ms, run)


def _sqs_record(queue: str, message: FileMessage) -> Json:
    return {
        "messageId": str(message.number),
        "receiptHandle": f"{message.number}-{message.receives}",
        "body": message.body,
        "attributes": {"ApproximateReceiveCount": str(message.receives)},
        "messageAttributes": message.attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
        "awsRegion": REGION,
    }
