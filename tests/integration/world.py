"""The platform in one process: the template's tables and queues on moto, its handlers by name.

What API Gateway, the stream and the event source mappings do on AWS is done here by hand, one step
at a time, so that a test says when anything happens.
"""

import base64
import importlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest.mock import patch
from urllib.parse import urlencode

import boto3
from moto import mock_aws

from shared import aws
from shared import clock as shared_clock
from shared.aws import from_item, to_item
from shared.configs import keys as config_keys
from shared.delivery.ledger import delivery_key
from shared.delivery.queues import Pointer
from shared.events import keys
from shared.ids import event_key, request_id
from tests import factories
from tests.fakes import FakeClock, FakeContext
from tests.integration.documented import assert_documented
from tests.template import Json, resolved, template

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

ACCOUNT = "123456789012"
VISIBILITY_S = 180


class Reply(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


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


class Queued(NamedTuple):
    pointer: Pointer
    delay_s: int
    group: str


class World:
    def __init__(self, clock: FakeClock, **parameters: str) -> None:
        self.clock = clock
        self.calls = Calls()
        self.context = FakeContext()
        self._parameters = {"AllowPrivateTargets": "true"} | parameters
        self._attributes: dict[str, Json] = {}
        self._queue_urls: dict[str, str] = {}
        self._make_tables()
        self._make_queues()
        self._iterator = _stream_iterator()
        made = self.invoke("configs", {"operation": "bootstrap", "name": "Test"})
        self.workspace_id: str = made["workspace_id"]
        self.key: str = made["api_key"]
        self.calls.clear()

    # ── Invoking ──────────────────────────────────────────────────────────────────────────────────

    def invoke(self, function: str, event: Json) -> Any:
        """As Lambda does it: JSON in, JSON out, the function's own environment."""
        properties = template().functions()[f"{function.capitalize()}Function"]
        variables = resolved(properties["Environment"]["Variables"], self._ref, self._attributes)
        module, _, name = properties["Handler"].rpartition(".")
        handler = getattr(importlib.import_module(module), name)
        with patch.dict(os.environ, variables):
            return json.loads(json.dumps(handler(json.loads(json.dumps(event)), self.context)))

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
        answer = self.invoke(_function_for(method, path), event)
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
        """The id of an event that was accepted."""
        reply = self.call("POST", "/v1/events", factories.event_json(event_type, **changes))
        assert reply.status == 202, reply
        event_id: str = reply.body["event_id"]
        return event_id

    def fan_out(self) -> list[str]:
        """Hand to fanout what was accepted since the last time; give the records that came back."""
        records = self.stream()
        if not records:
            return []
        return _came_back(self.invoke("fanout", {"Records": records}))

    def stream(self) -> list[Json]:
        """What the stream's filter lets through of what was written since the last time."""
        answer = _streams().get_records(ShardIterator=self._iterator)
        self._iterator = answer["NextShardIterator"]
        records = map(_as_lambda_hands_it_over, answer["Records"])
        return [record for record in records if _passes_the_filter(record)]

    def receive(self, queue: str) -> list[Json]:
        """Up to ten messages as the event source mapping hands them over."""
        received = _sqs().receive_message(
            QueueUrl=self._queue_urls[queue],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
        )
        return [_sqs_record(queue, message) for message in received.get("Messages", [])]

    def work(self, queue: str) -> list[str]:
        """Hand a batch to the queue's function, delete what it is done with, give the others."""
        return self.work_on(queue, self.receive(queue))

    def work_on(self, queue: str, records: list[Json]) -> list[str]:
        if not records:
            return []
        came_back = _came_back(self.invoke(_consumer(queue), {"Records": records}))
        for record in records:
            if record["messageId"] not in came_back:
                self.delete(queue, record)
        return came_back

    def delete(self, queue: str, record: Json) -> None:
        url = self._queue_urls[queue]
        _sqs().delete_message(QueueUrl=url, ReceiptHandle=record["receiptHandle"])

    def put_message(self, queue: str, body: Any) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        _sqs().send_message(QueueUrl=self._queue_urls[queue], MessageBody=text)

    def purge(self, *queues: str) -> None:
        for queue in queues:
            _sqs().purge_queue(QueueUrl=self._queue_urls[queue])

    def depth(self, queue: str) -> int:
        """Messages that are there: visible, delayed or in flight."""
        names = ("", "Delayed", "NotVisible")
        wanted = [f"ApproximateNumberOfMessages{name}" for name in names]
        answer = _sqs().get_queue_attributes(
            QueueUrl=self._queue_urls[queue],
            AttributeNames=wanted,  # type: ignore[arg-type]
        )
        return sum(int(count) for count in answer["Attributes"].values())

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

    def forget(self, event_id: str) -> None:
        """As the table does when an event expires."""
        _dynamodb().delete_item(TableName="EventTable", Key=to_item(self._event_key(event_id)))

    def forget_delivery(self, event_id: str, config_id: str = "crm") -> None:
        found = request_id(event_key(self.workspace_id, event_id), config_id)
        key = delivery_key(self.workspace_id, found)
        _dynamodb().delete_item(TableName="EventTable", Key=to_item(key))

    def forget_body(self, event_id: str, config_id: str = "crm") -> None:
        key = self._body_key(event_id, config_id)
        _dynamodb().delete_item(TableName="EventTable", Key=to_item(key))

    def sweep(self) -> Json:
        swept: Json = self.invoke("retry", {"operation": "sweep"})
        return swept

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
        found = request_id(event_key(self.workspace_id, event_id), config_id)
        return self._item("EventTable", delivery_key(self.workspace_id, found))

    def event_item(self, event_id: str) -> Json:
        return self._item("EventTable", self._event_key(event_id))

    def kept_body(self, event_id: str, config_id: str = "crm") -> bytes | None:
        item = self._item("EventTable", self._body_key(event_id, config_id))
        body: bytes | None = item.get("body")
        return body

    def sweep_cursors(self) -> Json:
        found = {
            shard: self._item("ConfigTable", {"pk": config_keys.SWEEP, "sk": shard})
            for shard in keys.EVENT_SHARDS
        }
        return {shard: item["read_to"] for shard, item in found.items() if item}

    def queued(self) -> list[Queued]:
        """The pointer messages that the handlers sent, in order, since the calls were cleared."""
        entries = [
            entry for params in self.calls.of("SendMessageBatch") for entry in params["Entries"]
        ]
        return [
            Queued(
                Pointer.model_validate_json(entry["MessageBody"]),
                entry["DelaySeconds"],
                entry["MessageGroupId"],
            )
            for entry in entries
        ]

    def items(self, table: str) -> list[Json]:
        return [from_item(item) for item in _dynamodb().scan(TableName=table)["Items"]]

    def _event_key(self, event_id: str) -> dict[str, str]:
        pk = keys.partition(self.workspace_id, event_key(self.workspace_id, event_id))
        return {"pk": pk, "sk": keys.EVENT_SK}

    def _body_key(self, event_id: str, config_id: str) -> dict[str, str]:
        found = request_id(event_key(self.workspace_id, event_id), config_id)
        return self._event_key(event_id) | {"sk": keys.body_sk(found)}

    def _item(self, table: str, key: dict[str, str]) -> Json:
        answer = _dynamodb().get_item(TableName=table, Key=to_item(key))
        return from_item(answer.get("Item", {}))

    # ── The template's resources ──────────────────────────────────────────────────────────────────

    def _ref(self, name: str) -> str:
        if name in template().parameters:
            return str(self._parameters.get(name, template().parameters[name].get("Default")))
        return self._queue_urls.get(name, name)

    def _make_tables(self) -> None:
        for name, table in template().of_type("AWS::DynamoDB::Table").items():
            stream = table.get("StreamSpecification")
            extra: Any = {"StreamSpecification": stream | {"StreamEnabled": True}} if stream else {}
            if "GlobalSecondaryIndexes" in table:
                extra["GlobalSecondaryIndexes"] = table["GlobalSecondaryIndexes"]
            _dynamodb().create_table(
                TableName=name,
                AttributeDefinitions=table["AttributeDefinitions"],
                KeySchema=table["KeySchema"],
                BillingMode=table["BillingMode"],
                **extra,
            )

    def _make_queues(self) -> None:
        queues = template().of_type("AWS::SQS::Queue")
        for name in sorted(queues, key=lambda name: "RedrivePolicy" in queues[name]):
            self._queue_urls[name] = _sqs().create_queue(
                QueueName=name,
                Attributes={
                    attribute: self._queue_attribute(value)  # type: ignore[misc]
                    for attribute, value in queues[name].items()
                },
            )["QueueUrl"]
            self._attributes[name] = {"Arn": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{name}"}

    def _queue_attribute(self, value: Any) -> str:
        plain = resolved(value, self._ref, self._attributes)
        return plain if isinstance(plain, str) else json.dumps(plain)


@contextmanager
def new_world(**parameters: str) -> Iterator[World]:
    """An empty platform. Its clock is that of the handlers and of moto's queues alike."""
    clock = FakeClock()
    with (
        mock_aws(),
        patch.object(shared_clock, "time", SimpleNamespace(time_ns=lambda: clock() * 1_000_000)),
        patch("moto.sqs.models.unix_time", lambda: clock() / 1000),
        patch("moto.sqs.models.unix_time_millis", clock),
        patch("shared.delivery.wiring.random", lambda: 0.5),  # no jitter
    ):
        world = World(clock, **parameters)
        for client in (aws.dynamodb(), aws.sqs()):
            client.meta.events.register("provide-client-params", world.calls.record)
        try:
            yield world
        finally:
            for client in (aws.dynamodb(), aws.sqs()):
                client.meta.events.unregister("provide-client-params", world.calls.record)


class CrashError(BaseException):
    """The process is gone: nothing that catches errors catches this."""


def http_event(
    method: str, path: str, body: Any, query: Mapping[str, str], headers: Mapping[str, str]
) -> Json:
    """What an HTTP API hands to a function, payload format 2.0."""
    event: Json = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "headers": {"host": "api.example.com", "user-agent": "pytest"} | dict(headers),
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "api",
            "domainName": "api.example.com",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.42",
                "userAgent": "pytest",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "29/Apr/2026:18:04:15 +0000",
            "timeEpoch": 1777485855000,
        },
        "isBase64Encoded": isinstance(body, bytes),
    }
    if query:
        event["queryStringParameters"] = dict(query)
    if isinstance(body, bytes):
        event["body"] = base64.b64encode(body).decode()
    elif body is not None:
        event["body"] = body if isinstance(body, str) else json.dumps(body)
    return event


def _function_for(method: str, path: str) -> str:
    """API Gateway's choice: the longest path that matches; there, a method before ANY."""
    best, chosen = (-1, False), ""
    for route in template().of_type("AWS::ApiGatewayV2::Route").values():
        wanted, _, pattern = route["RouteKey"].partition(" ")
        regex = re.escape(pattern).replace(r"\{proxy\+\}", ".+")
        if wanted not in (method, "ANY", "$default") or not re.fullmatch(regex or ".*", path):
            continue
        if (rank := (len(pattern), wanted == method)) > best:
            best, chosen = rank, route["Target"]["Fn::Sub"]
    integration = re.fullmatch(r"integrations/\$\{(\w+)Integration\}", chosen)
    assert integration, f"{method} {path} leads nowhere"
    return integration[1].lower()


def _consumer(queue: str) -> str:
    for function, source in template().events("SQS"):
        if source["Queue"] == {"Fn::GetAtt": [queue, "Arn"]}:
            return function.removesuffix("Function").lower()
    raise AssertionError(f"{queue} has no consumer")


def _came_back(answer: Json) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def _sqs_record(queue: str, message: Any) -> Json:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-1:{ACCOUNT}:{queue}",
        "awsRegion": "us-east-1",
    }


def _passes_the_filter(record: Json) -> bool:
    ((_, source),) = template().events("DynamoDB")
    patterns = [json.loads(entry["Pattern"]) for entry in source["FilterCriteria"]["Filters"]]
    return any(_matches(pattern, record) for pattern in patterns)


def _matches(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, list):
        return value in pattern
    return isinstance(value, dict) and all(
        name in value and _matches(inner, value[name]) for name, inner in pattern.items()
    )


def _stream_iterator() -> str:
    client = _streams()
    (stream,) = client.list_streams(TableName="EventTable")["Streams"]
    shards = client.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]["Shards"]
    iterator: str = client.get_shard_iterator(
        StreamArn=stream["StreamArn"],
        ShardId=shards[0]["ShardId"],
        ShardIteratorType="TRIM_HORIZON",
    )["ShardIterator"]
    return iterator


def _as_lambda_hands_it_over(record: Any) -> Json:
    change = dict(record["dynamodb"])
    change["ApproximateCreationDateTime"] = change["ApproximateCreationDateTime"].timestamp()
    for image in ("Keys", "NewImage"):
        change[image] = _base64ed(change[image])
    return dict(record) | {"dynamodb": change, "eventSource": "aws:dynamodb"}


def _base64ed(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _base64ed(inner) for name, inner in value.items()}
    return value


@cache
def _dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb")


@cache
def _streams() -> Any:
    return boto3.client("dynamodbstreams")


@cache
def _sqs() -> "SQSClient":
    return boto3.client("sqs")
