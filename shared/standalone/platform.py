"""The template as one program: its tables, queues, functions and sources on one data file."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, Protocol

from shared import settings
from shared.aws import clients
from shared.clock import now_ms
from shared.observability import logger
from shared.standalone import functions, queues
from shared.standalone.engine.clients import DynamoDbClient, EventsClient, SqsClient
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DATA_FILE, DataFile
from shared.standalone.engine.sqlite import sqlite_tables
from shared.standalone.engine.template import Json, Template, resolved
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.values import Item
from shared.standalone.engine.wire import FileWire
from shared.standalone.expiry import Expiry
from shared.standalone.folder import BucketFolder
from shared.standalone.sources import FileQueueMapping, MinuteSchedule, RuleBus, every
from shared.standalone.stream import StreamMapping
from shared.standalone.timer import ThreadTimer

# Threads that wait for an endpoint cost little; this many requests may wait at once.
THREADS = 4_000
STACK_BYTES = 512 * 1024
FOLDER_MS = 2_000
CHECKPOINT_MS = 1_000


class Source(Protocol):
    """What invokes a function by itself."""

    def start(self) -> None: ...

    def stop(self) -> None:
        """Begin nothing new."""
        ...


class Platform:
    """One for a process: the handlers' modules remember the clients that they have made."""

    def __init__(self, template: Template, folder: Path, parameters: Mapping[str, str]) -> None:
        """Raises DataFileError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._template = template
        self._parameters = parameters
        self.file = DataFile(folder / DATA_FILE)
        self.timer = ThreadTimer()
        threading.stack_size(STACK_BYTES)
        self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="function")
        wire = FileWire(self.file)
        self.queues = queues.FileQueues(
            template.of_type("AWS::SQS::Queue"), self.file, now_ms, self.timer
        )
        with self.file.transaction():
            self.tables = sqlite_tables(self.file, template.of_type("AWS::DynamoDB::Table"))
            self.bucket = BucketFolder("ImportBucket", folder / "imports", self.file)
        self.database = Database(self.tables, now_ms, self._changed)
        self._expiry = Expiry(
            self.tables.values(),
            self.file,
            now_ms,
            self.timer,
            lambda table, item: self._changed(table, item, None),
        )
        self.bus = self._bus()
        transactions = Transactions(self.database, now_ms, token_ms=0)
        made: dict[str, Any] = {
            "dynamodb": DynamoDbClient(wire, self.database, transactions),
            "sqs": SqsClient(wire, self.queues),
            "events": EventsClient(wire, self.bus),
            "s3": self.bucket,
        }
        urls = {queue.name: queues.URL + queue.name for queue in self.queues}
        self.functions = functions.functions_of(template, parameters, urls)
        clients.use(made.__getitem__)
        settings.read_from(functions.FunctionEnvironment(self.functions))
        self.stream = self._stream()
        self.mappings = [self._mapping(*found) for found in template.events("SQS")]
        schedules = [self._schedule(*found) for found in template.events("Schedule")]
        self._sources: list[Source] = [self.stream, *self.mappings, *schedules]

    def start(self) -> None:
        """Go on where the program stopped."""
        _threads_belong_to_their_function()
        for function in self.functions.values():
            _ = function.handler  # imported before the first request
        self.timer.start()
        self.queues.start()
        for source in self._sources:
            source.start()
        self._expiry.start()
        every(FOLDER_MS, self._announce, self.timer)
        every(CHECKPOINT_MS, self.file.checkpoint, self.timer)

    def stop(self, grace_s: float = 30) -> bool:
        """Begin nothing new, and wait for what is under way. False if it takes longer."""
        for source in self._sources:
            source.stop()
        until = time.monotonic() + grace_s
        while self.is_busy and time.monotonic() < until:
            time.sleep(0.02)
        is_done = not self.is_busy
        self.timer.stop()
        self._executor.shutdown(wait=is_done, cancel_futures=True)
        self.file.close()
        return is_done

    @property
    def is_busy(self) -> bool:
        return self.stream.is_busy or any(mapping.under_way for mapping in self.mappings)

    def invoke(self, stage: str, event: Any) -> Any:
        """The answer of a function, on the caller's thread. Raises what the handler raises."""
        return self.functions[stage].invoke(event)

    def _changed(self, table: Any, old: Item | None, new: Item | None) -> None:
        self.stream.changed(table, old, new)

    def _stream(self) -> StreamMapping:
        ((name, source),) = self._template.events("DynamoDB")
        table, _ = source["Stream"]["Fn::GetAtt"]
        target, _ = source["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"]
        patterns = [json.loads(entry["Pattern"]) for entry in source["FilterCriteria"]["Filters"]]
        return StreamMapping(
            self.tables[table],
            source,
            patterns,
            self.file,
            self.timer,
            self._executor,
            self.functions[functions.stage_of(name)].invoke,
            lambda record: self.queues[target].send(_failed_record(name, record)),
        )

    def _mapping(self, name: str, source: Json) -> FileQueueMapping:
        queue, _ = source["Queue"]["Fn::GetAtt"]
        limit = self._value(source.get("ScalingConfig", {}).get("MaximumConcurrency"))
        return FileQueueMapping(
            self.queues[queue],
            self.functions[functions.stage_of(name)],
            source["BatchSize"],
            None if limit is None else int(limit),
            self._executor,
        )

    def _schedule(self, name: str, source: Json) -> MinuteSchedule:
        function = self.functions[functions.stage_of(name)]
        return MinuteSchedule(function, json.loads(source["Input"]), self.timer, self._executor)

    def _bus(self) -> RuleBus:
        bus = RuleBus(functions.ACCOUNT, functions.REGION)
        for rule in self._template.of_type("AWS::Events::Rule").values():
            for target in rule["Targets"]:
                queue, _ = target["Arn"]["Fn::GetAtt"]
                bus.add_rule(self._value(rule["EventPattern"]), self.queues[queue])
        return bus

    def _value(self, value: Any) -> Any:
        """With the parameters and the ids that it refers to."""

        def ref(name: str) -> Any:
            if name in self._template.parameters:
                return self._template.parameter(name, self._parameters)
            return functions.ACCOUNT if name == "AWS::AccountId" else name

        return resolved(value, ref, {})

    def _announce(self) -> None:
        self.bucket.announce(
            now_ms(),
            lambda detail: self.bus.deliver(self.bus.event("aws.s3", "Object Created", detail)),
        )


def _failed_record(function: str, record: Json) -> str:
    """What Lambda tells a destination about a record that it gives up, with the item's key."""
    about = {
        "requestContext": {"functionArn": function, "condition": "RetryAttemptsExhausted"},
        "DDBStreamBatchInfo": {"startSequenceNumber": record["dynamodb"]["SequenceNumber"]},
        "keys": record["dynamodb"]["Keys"],
    }
    return json.dumps(about, separators=(",", ":"))


def _threads_belong_to_their_function() -> None:
    """A thread that a handler asks for runs in the context of the handler, so that it reads the
    environment of its function, and its log lines have the keys of the invocation."""
    if getattr(ThreadPoolExecutor.submit, "copies_context", False):
        return
    submit = ThreadPoolExecutor.submit

    def submit_in_context(
        self: ThreadPoolExecutor, work: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        return submit(self, copy_context().run, work, *args, **kwargs)

    submit_in_context.copies_context = True  # type: ignore[attr-defined]
    ThreadPoolExecutor.submit = submit_in_context  # type: ignore[method-assign, assignment]
    formatter: Any = logger.registered_formatter
    formatter.append_keys = formatter.thread_safe_append_keys
