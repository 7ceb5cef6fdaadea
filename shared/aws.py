"""One botocore session for the process, and plain Python values in and out of DynamoDB."""

import base64
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, NoCredentialsError
from botocore.session import Session, get_session

from shared.observability import fault, logger
from shared.sdk import Loader, Parsers
from shared.version import VERSION

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

_config = Config(
    # Otherwise botocore puts one together for every request, and checks every parameter in Python
    # that the service checks again: a fifth of the CPU of a call.
    user_agent=f"Funnelhooks/{VERSION}",
    parameter_validation=False,
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=25,
    tcp_keepalive=True,
    # The host of the region in us-east-1 too: for the old one it would need the list of all hosts.
    s3={"us_east_1_regional_endpoint": "regional"},
)
# DynamoDB takes 100 keys a call; it may leave some of them to be asked for again.
MAX_BATCH_KEYS = 100
_READ_ROUNDS = 5


def is_condition(error: ClientError) -> bool:
    """Whether the write was refused by its own condition, and by nothing else."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


class NotReadError(Exception):
    """DynamoDB left keys of a batch unread, time after time."""


@cache
def _session() -> Session:
    session = get_session()
    session.register_component("data_loader", Loader(session.get_config_variable("data_path")))
    session.register_component("response_parser_factory", Parsers())
    return session


def _client(service: str) -> Any:
    """botocore comes with the Lambda runtime, which AWS renews when it likes: one that does not
    take our parts is used as it is."""
    try:
        return _session().create_client(service, config=_config)
    except Exception as error:
        logger.warning("client.plain", service_name=service, **fault(error))
        return get_session().create_client(service, config=_config)


@cache
def dynamodb() -> "DynamoDBClient":
    client: DynamoDBClient = _client("dynamodb")
    return client


@cache
def sqs() -> "SQSClient":
    client: SQSClient = _client("sqs")
    return client


@cache
def events() -> "EventBridgeClient":
    client: EventBridgeClient = _client("events")
    return client


@cache
def s3() -> "S3Client":
    client: S3Client = _client("s3")
    return client


@cache
def credentials() -> Credentials:
    """Those of the function's role; they renew themselves when they are frozen for a request."""
    found = _session().get_credentials()
    if found is None:
        raise NoCredentialsError
    return found


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an item; a value of None is left out."""
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(attribute) for name, attribute in item.items()}


def _attribute(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": {name: _attribute(inner) for name, inner in value.items()}}
        case list() | tuple():
            return {"L": [_attribute(element) for element in value]}
        case set() | frozenset():  # of text
            return {"SS": sorted(value)}
        case _:
            raise TypeError(f"DynamoDB is given no {type(value).__name__} here")


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, content),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return int(content)
        case "B":  # text as it comes over the wire
            return base64.b64decode(content) if isinstance(content, str) else content
        case "M":
            return from_item(content)
        case "L":
            return [_value(element) for element in content]
        case "SS":
            return set(content)
        case "NULL":
            return None
        case _:
            raise TypeError(f"DynamoDB has nothing of kind {kind} here")


def batch_get(
    dynamodb: "DynamoDBClient",
    keys: Mapping[str, Iterable[Mapping[str, str]]],
    columns: Sequence[str] = (),
    consistent: bool = True,
) -> dict[str, list[dict[str, Any]]]:
    """The items that exist, by table. At most 100 keys in all go in one call.

    Of each item all, or these `columns`. What may be a second old is read for half the price.
    """
    wanted = [(table, dict(key)) for table, some in keys.items() for key in some]
    found: dict[str, list[dict[str, Any]]] = {table: [] for table in keys}
    how = {"ConsistentRead": consistent} | _only(columns)
    for start in range(0, len(wanted), MAX_BATCH_KEYS):
        for table, item in _read_all(dynamodb, wanted[start : start + MAX_BATCH_KEYS], how):
            found[table].append(item)
    return found


def _read_all(
    dynamodb: "DynamoDBClient", wanted: list[tuple[str, dict[str, str]]], how: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    request: dict[str, Any] = {}
    for table, key in wanted:
        request.setdefault(table, {"Keys": [], **how})["Keys"].append(to_item(key))
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
