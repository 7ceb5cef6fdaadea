"""An account on moto: slow, but of other authors, so that it shows where ours is wrong."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import RLock
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.backends import get_backend
from moto.core.botocore_stubber import BotocoreStubber

from shared.aws.items import from_item, to_item
from shared.standalone.engine.template import Json, resolved, template
from tests.integration.account import ACCOUNT, IMPORT_BUCKET, REGION, Account, unpacked

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient


@contextmanager
def account_on_moto() -> Iterator[Account]:
    """DynamoDB checks a condition and writes in one step; moto, under threads, in two."""
    lock, answer = RLock(), BotocoreStubber.process_request

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return answer(stubber, request)

    # A queue is emptied after every test, and not once a minute.
    often = patch.dict(os.environ, {"MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false"})
    with mock_aws(), often, patch.object(BotocoreStubber, "process_request", one_at_a_time):
        yield MotoAccount()


class MotoAccount(Account):
    """Made once for many tests, and emptied for each: moto takes its time to make a table."""

    def __init__(self) -> None:
        super().__init__()
        self._make_tables()
        self._make_queues()
        self._make_buses()
        _s3().create_bucket(Bucket=IMPORT_BUCKET)
        (self._stream,) = _streams().list_streams(TableName="EventTable")["Streams"]

    def empty(self) -> None:
        """Behind moto's API, on which this would take longer than most tests do."""
        for table in get_backend("dynamodb")[ACCOUNT][REGION].tables.values():
            table.items.clear()
        get_backend("s3")[ACCOUNT]["aws"].buckets[IMPORT_BUCKET].keys.clear()
        for queue in self._queue_urls:
            get_backend("sqs")[ACCOUNT][REGION].purge_queue(queue)

    def at(self, clock: Callable[[], int]) -> AbstractContextManager[Any]:
        return patch.multiple(
            "moto.sqs.models", unix_time=lambda: clock() / 1000, unix_time_millis=clock
        )

    # ── Items ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, table: str) -> list[Json]:
        pages = _dynamodb().get_paginator("scan").paginate(TableName=table)
        return [unpacked(from_item(item)) for page in pages for item in page["Items"]]

    def item(self, table: str, key: dict[str, str]) -> Json:
        answer = _dynamodb().get_item(TableName=table, Key=to_item(key))
        return unpacked(from_item(answer.get("Item", {})))

    def _by_hand(self) -> "DynamoDBClient":
        return _dynamodb()

    # ── Messages ──────────────────────────────────────────────────────────────────────────────────

    def receive(self, queue: str) -> list[Json]:
        answer = _sqs().receive_message(
            QueueUrl=self._queue_urls[queue],
            MaxNumberOfMessages=10,
            WaitTimeSeconds=0,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        messages: list[Any] = answer.get("Messages", [])
        return messages

    def delete(self, queue: str, receipt_handle: str) -> None:
        _sqs().delete_message(QueueUrl=self._queue_urls[queue], ReceiptHandle=receipt_handle)

    def send(self, queue: str, body: str) -> None:
        _sqs().send_message(QueueUrl=self._queue_urls[queue], MessageBody=body)

    def purge(self, *queues: str) -> None:
        for queue in queues:
            _sqs().purge_queue(QueueUrl=self._queue_urls[queue])

    def depth(self, queue: str) -> int:
        names = ("", "Delayed", "NotVisible")
        answer = _sqs().get_queue_attributes(
            QueueUrl=self._queue_urls[queue],
            AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],  # type: ignore[misc]
        )
        return sum(int(count) for count in answer["Attributes"].values())

    # ── Objects ───────────────────────────────────────────────────────────────────────────────────

    def upload(self, key: str, content: bytes) -> str:
        return _s3().put_object(Bucket=IMPORT_BUCKET, Key=key, Body=content)["ETag"].strip('"')

    def delete_object(self, key: str) -> None:
        _s3().delete_object(Bucket=IMPORT_BUCKET, Key=key)

    def object(self, key: str) -> bytes:
        return _s3().get_object(Bucket=IMPORT_BUCKET, Key=key)["Body"].read()

    def objects(self) -> list[str]:
        answer = _s3().list_objects_v2(Bucket=IMPORT_BUCKET)
        return [entry["Key"] for entry in answer.get("Contents", [])]

    # ── The stream ────────────────────────────────────────────────────────────────────────────────

    def stream_from_here(self) -> str:
        arn = self._stream["StreamArn"]
        (shard,) = _streams().describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
        iterator: str = _streams().get_shard_iterator(
            StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="LATEST"
        )["ShardIterator"]
        return iterator

    def read_stream(self, iterator: str) -> tuple[list[Any], str]:
        answer = _streams().get_records(ShardIterator=iterator)
        return answer["Records"], answer["NextShardIterator"]

    # ── The template's resources ──────────────────────────────────────────────────────────────────

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

    def _make_buses(self) -> None:
        for name in template().of_type("AWS::Events::EventBus"):
            boto3.client("events").create_event_bus(Name=name)

    def _queue_attribute(self, value: Any) -> str:
        plain = resolved(value, self._ref, self._attributes)
        return plain if isinstance(plain, str) else json.dumps(plain)


# Clients of the tests' own: what they ask is no part of what the handlers cost.
@cache
def _dynamodb() -> "DynamoDBClient":
    return boto3.client("dynamodb")


@cache
def _streams() -> Any:
    return boto3.client("dynamodbstreams")


@cache
def _s3() -> "S3Client":
    return boto3.client("s3")


@cache
def _sqs() -> "SQSClient":
    return boto3.client("sqs")
