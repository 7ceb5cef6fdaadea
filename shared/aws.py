"""One botocore session for the process, and plain Python values in and out of DynamoDB."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, NoCredentialsError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_config = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=25,
    tcp_keepalive=True,
)
# DynamoDB takes 100 keys a call; it may leave some of them to be asked for again.
MAX_BATCH_KEYS = 100
_READ_ROUNDS = 5

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


def is_condition(error: ClientError) -> bool:
    """Whether the write was refused by its own condition, and by nothing else."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


class NotReadError(Exception):
    """DynamoDB left keys of a batch unread, time after time."""


@cache
def _session() -> boto3.Session:
    return boto3.Session()


@cache
def dynamodb() -> "DynamoDBClient":
    return _session().client("dynamodb", config=_config)


@cache
def sqs() -> "SQSClient":
    return _session().client("sqs", config=_config)


@cache
def events() -> "EventBridgeClient":
    return _session().client("events", config=_config)


@cache
def s3() -> "S3Client":
    return _session().client("s3", config=_config)


@cache
def credentials() -> Credentials:
    """Those of the function's role; they renew themselves when they are frozen for a request."""
    found = _session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an item; a value of None is left out."""
    return {name: _serialize(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _plain(_deserialize(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value)
        case Binary():
            return bytes(value)  # type: ignore[call-overload]  # it has __bytes__
        case list():
            return [_plain(element) for element in value]
        case dict():
            return {name: _plain(element) for name, element in value.items()}
        case _:
            return value


def batch_get(
    dynamodb: "DynamoDBClient",
    keys: Mapping[str, Iterable[Mapping[str, str]]],
    columns: Sequence[str] = (),
) -> dict[str, list[dict[str, Any]]]:
    """The items that exist, by table, read consistently. At most 100 keys in all go in one call.

    Of each item all, or these `columns`.
    """
    wanted = [(table, dict(key)) for table, some in keys.items() for key in some]
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in keys}
    for start in range(0, len(wanted), MAX_BATCH_KEYS):
        for table, item in _read_all(dynamodb, wanted[start : start + MAX_BATCH_KEYS], columns):
            found[table].append(item)
    return found


def _read_all(
    dynamodb: "DynamoDBClient", wanted: list[tuple[str, dict[str, str]]], columns: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    request: dict[str, Any] = {}
    for table, key in wanted:
        asked = request.setdefault(table, {"Keys": [], "ConsistentRead": True} | _only(columns))
        asked["Keys"].append(to_item(key))
    for attempt in range(_READ_ROUNDS):
        answer = dynamodb.batch_get_item(RequestItems=request)
        for table, items in answer["Responses"].items():
            yield from ((table, from_item(item)) for item in items)
        request = answer.get("UnprocessedKeys", {})
        if not request:
            return
        time.sleep(0.05 * 2**attempt)
    raise NotReadError


def _only(columns: Sequence[str]) -> dict[str, Any]:
    names = {f"#{name}": name for name in columns}
    if not names:
        return {}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}
