"""The platform in one process: the template's tables and queues, its handlers by name.

What API Gateway, the stream and the event source mappings do on AWS is done here by hand, one step
at a time, so that a test says when anything happens.
"""

import importlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

from shared import clock as shared_clock
from shared.attempts import wiring
from shared.aws import clients
from shared.deliveries.queue import AttemptMessage
from shared.ids import event_key, new_event_id, request_id
from shared.repair.event_scan import ScanCursor
from shared.standalone.engine.template import Json, template
from shared.tables import config_table as config_keys
from shared.tables import event_table
from shared.tables.event_table import delivery_key
from tests import factories
from tests.fakes import FakeClock, FakeContext
from tests.integration.account import Account
from tests.integration.documented import assert_documented
from tests.integration.invocations import (
    came_back,
    consumer_of,
    function_for,
    http_event,
    passes_the_filter,
    sqs_record,
    stream_record,
)

VISIBILITY_S = 180
# Until a job has looked at everything, waited for stragglers, and looked again.
JOB_ROUNDS = 40


class Reply(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


class Queued(NamedTuple):
    pointer: AttemptMessage
    delay_s: int
    group: str


class Calls:
    """What the handlers ask of AWS, in order. Nothing of theirs may scan a table."""

    def __init__(self) -> None:
        self.made: list[tuple[str, Json]] = []

    def record(self, params: Json, model: Any, **_: Any) -> None:
        assert model.name != "Scan"
        self.made.append((model.name, params))

    def clear(self) -> None:
        self.made.clear()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.made]

    def of(self, name: str) -> list[Json]:
        return [params for made, params in self.made if made == name]


class World:
    def __init__(self, account: Account, clock: FakeClock) -> None:
        self.account = account
        self.clock = clock
        self.calls = Calls()
        self.context = FakeContext()
        self._variables: dict[str, dict[str, str]] = {}
        self._iterator = account.stream_from_here()
        made = self.invoke("configs", {"operation": "bootstrap", "name": "Test"})
        self.workspace_id: str = made["workspace_id"]
        self.key: str = made["api_key"]

    # ── Invoking ──────────────────────────────────────────────────────────────────────────────────

    def invoke(self, function: str, event: Json) -> Any:
        """As Lambda does it: JSON in, JSON out, the function's own environment."""
        properties = template().functions()[f"{function.capitalize()}Function"]
        module, _, name = properties["Handler"].rpartition(".")
        handler = getattr(importlib.import_module(module), name)
        with self.environment(function):
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)), self.context)))

    @contextmanager
    def environment(self, function: str) -> Iterator[None]:
        """The function's own; `patch.dict` would copy the whole of ours."""
        if function not in self._variables:
            properties = template().functions()[f"{function.capitalize()}Function"]
            self._variables[function] = self.account.variables(properties)
        variables = self._variables[function]
        before = {name: os.environ.get(name) for name in variables}
        os.environ.update(variables)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
    ) -> Reply:
        """A request to the HTTPS API. `key` is the workspace's own unless another is given."""
        sent = {"content-type": "application/json", "authorization": f"Bearer {key or self.key}"}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        event = http_event(method, path, body, query or {}, sent)
        answer = self.invoke(function_for(method, path), event)
        text = answer.get("body") or ""
        is_json = answer["headers"].get("Content-Type") == "application/json"
        parsed = json.loads(text) if is_json else text
        reply = Reply(answer["statusCode"], parsed, answer["headers"])
        assert_documented(method, path, reply.status, reply.body)
        return reply

    def get(self, path: str, **query: str) -> Reply:
        return self.call("GET", path, query=query)

    # ── Making things happen ──────────────────────────────────────────────────────────────────────

    def make_config(self, url: str, config_id: str = "crm", **changes: Any) -> str:
        """The signing secret of a new config."""
        saved = factories.config_json(url, idWebhookConfig=config_id, **changes)
        reply = self.call("POST", "/v1/webhookconfig/save", saved)
        assert reply.status == 201, reply
        secret: str = reply.body["secret"]
        return secret

    def save_config(self, url: str, config_id: str = "crm", **changes: Any) -> None:
        saved = factories.config_json(url, idWebhookConfig=config_id, **changes)
        reply = self.call("PUT", "/v1/webhookconfig/save", saved)
        assert reply.status == 204, reply

    def send(self, event_type: str = "node_execution", **changes: Any) -> str:
        """The id of an event that was accepted; without one of its own, it is like no other."""
        values = factories.event_json(event_type, **{"event_id": new_event_id()} | changes)
        reply = self.call("POST", "/v1/events", values)
        assert reply.status == 202, reply
        event_id: str = reply.body["event_id"]
        return event_id

    def stream(self) -> list[Json]:
        """What the stream's filter lets through of what was written since the last time."""
        read, self._iterator = self.account.read_stream(self._iterator)
        return [record for record in map(stream_record, read) if passes_the_filter(record)]

    def fan_out(self) -> list[str]:
        """Hand to fanout what was accepted since the last time; give the records that came back."""
        records = self.stream()
        return came_back(self.invoke("fanout", {"Records": records})) if records else []

    def receive(self, queue: str) -> list[Json]:
        """Up to ten messages as the event source mapping hands them over."""
        return [sqs_record(queue, message) for message in self.account.receive(queue)]

    def work(self, queue: str) -> list[str]:
        """Hand a batch to the queue's function, delete what it is done with, give the others."""
        return self.work_on(queue, self.receive(queue))

    def work_on(self, queue: str, records: list[Json]) -> list[str]:
        if not records:
            return []
        undone = came_back(self.invoke(consumer_of(queue), {"Records": records}))
        for record in records:
            if record["messageId"] not in undone:
                self.account.delete(queue, record["receiptHandle"])
        return undone

    def put_message(self, queue: str, body: Any) -> None:
        self.account.send(queue, body if isinstance(body, str) else json.dumps(body))

    def purge(self, *queues: str) -> None:
        self.account.purge(*queues)

    def depth(self, queue: str) -> int:
        return self.account.depth(queue)

    def deliver(self, **changes: Any) -> str:
        """An event all the way to its first attempts; its id."""
        event_id = self.send(**changes)
        self.fan_out()
        self.work("DispatchQueue")
        return event_id

    def wait(self, seconds: float) -> None:
        """Let time pass, then make the attempts that came due."""
        self.clock.advance(seconds)
        self.work("RetryQueue")

    def redeliver(self) -> None:
        """Let pass the time after which SQS hands out again what nobody deleted."""
        self.clock.advance(VISIBILITY_S + 1)

    def sweep(self) -> Json:
        swept: Json = self.invoke("repair", {"operation": "sweep"})
        return swept

    def jobs(self) -> list[Json]:
        return [item for item in self.items("ConfigTable") if item["pk"] == config_keys.JOBS]

    def run_jobs(self, seconds: float = 5) -> None:
        """A sweep every minute, and whatever comes meanwhile, until there is nothing more to do."""
        for number in range(JOB_ROUNDS):
            if number % 12 == 0:
                self.sweep()
            for _ in range(3):
                self.work("RetryQueue")
            self.clock.advance(seconds)
            if not self.jobs() and not self.depth("RetryQueue"):
                return

    def forget(self, event_id: str) -> None:
        """As the table does when an event expires."""
        self.account.delete_item("EventTable", self._event_key(event_id))

    def tamper(self, event_id: str, payload: bytes | str) -> None:
        """Put something else in the place of what is stored of an event."""
        self.account.set_attribute("EventTable", self._event_key(event_id), "payload", payload)

    def set_of_delivery(self, event_id: str, name: str, value: Any) -> None:
        key = self._delivery_key(event_id, "crm")
        self.account.set_attribute("EventTable", key, name, value)

    def forget_delivery(self, event_id: str, config_id: str = "crm") -> None:
        self.account.delete_item("EventTable", self._delivery_key(event_id, config_id))

    def forget_body(self, event_id: str, config_id: str = "crm") -> None:
        self.account.delete_item("EventTable", self._body_key(event_id, config_id))

    @contextmanager
    def failing(self, target: type, step: str, after: bool = False) -> Iterator[None]:
        """The process dies once, before or after this step, if it comes so far."""
        real, died = getattr(target, step), list[str]()

        def call(*arguments: Any, **named: Any) -> Any:
            answer = real(*arguments, **named) if died or after else None
            if not died:
                died.append(step)
                raise CrashError
            return answer

        with patch.object(target, step, call):
            yield

    # ── Looking ───────────────────────────────────────────────────────────────────────────────────

    def request_id(self, event_id: str, config_id: str = "crm") -> str:
        return str(request_id(event_key(self.workspace_id, event_id), config_id))

    def delivery(self, event_id: str, config_id: str = "crm") -> Json:
        """As the API shows it."""
        reply = self.get(f"/v1/deliveries/{self.request_id(event_id, config_id)}")
        assert reply.status == 200, reply
        shown: Json = reply.body
        return shown

    def state(self, event_id: str, config_id: str = "crm") -> str:
        return str(self.delivery(event_id, config_id)["state"])

    def delivery_item(self, event_id: str, config_id: str = "crm") -> Json:
        """As it is stored."""
        return self.account.item("EventTable", self._delivery_key(event_id, config_id))

    def event_item(self, event_id: str) -> Json:
        return self.account.item("EventTable", self._event_key(event_id))

    def kept_body(self, event_id: str, config_id: str = "crm") -> bytes | None:
        item = self.account.item("EventTable", self._body_key(event_id, config_id))
        body: bytes | None = item.get("body")
        return body

    def events(self) -> list[Json]:
        """As they are stored."""
        return [item for item in self.items("EventTable") if item["sk"] == event_table.EVENT_SK]

    def items(self, table: str) -> list[Json]:
        return self.account.items(table)

    def sweep_cursors(self) -> dict[str, ScanCursor]:
        found = {
            shard: self.account.item("ConfigTable", {"pk": config_keys.SWEEP, "sk": shard})
            for shard in event_table.ACTIVE_SHARDS
        }
        return {
            shard: ScanCursor.model_validate(item["cursor"])
            for shard, item in found.items()
            if item
        }

    def queued(self) -> list[Queued]:
        """The pointer messages that the handlers sent, in order, since the calls were cleared."""
        entries = [
            entry
            for params in self.calls.of("SendMessageBatch")
            for entry in params["Entries"]
            if "request_id" in entry["MessageBody"]
        ]
        return [
            Queued(
                AttemptMessage.model_validate_json(entry["MessageBody"]),
                entry["DelaySeconds"],
                entry["MessageGroupId"],
            )
            for entry in entries
        ]

    def _event_key(self, event_id: str) -> dict[str, str]:
        pk = event_table.partition(self.workspace_id, event_key(self.workspace_id, event_id))
        return {"pk": pk, "sk": event_table.EVENT_SK}

    def _delivery_key(self, event_id: str, config_id: str) -> dict[str, str]:
        found = request_id(event_key(self.workspace_id, event_id), config_id)
        return delivery_key(self.workspace_id, found)

    def _body_key(self, event_id: str, config_id: str) -> dict[str, str]:
        found = request_id(event_key(self.workspace_id, event_id), config_id)
        return self._event_key(event_id) | {"sk": event_table.body_sk(found)}


def _clients() -> tuple[Any, ...]:
    return clients.dynamodb(), clients.sqs(), clients.s3(), clients.events()


class CrashError(BaseException):
    """The process is gone: nothing that catches errors catches this."""


def refuse(*_: object) -> None:
    """In place of a step that breaks."""
    raise RuntimeError


@contextmanager
def new_world(account: Account) -> Iterator[World]:
    """An empty platform. Its clock is that of the handlers and of the queues alike."""
    clock = FakeClock()
    with (
        patch.object(shared_clock, "time", SimpleNamespace(time_ns=lambda: clock() * 1_000_000)),
        account.at(clock),
        patch("shared.attempts.wiring.random", lambda: 0.5),  # no jitter
    ):
        wiring.admission_control.cache_clear()  # it keeps the chance that it was made with
        world = World(account, clock)
        for client in _clients():
            client.meta.events.register("provide-client-params", world.calls.record)
        try:
            yield world
        finally:
            wiring.admission_control.cache_clear()
            for client in _clients():
                client.meta.events.unregister("provide-client-params", world.calls.record)
            account.empty()
