"""Reads of DynamoDB, and why a write was refused."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.items import from_item, to_item

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# DynamoDB takes 100 keys a call; it may leave some of them to be asked for again.
MAX_BATCH_KEYS = 100
_READ_ROUNDS = 5


def is_condition(error: ClientError) -> bool:
    """Whether the write was refused by its own condition, and by nothing else."""
    return error.response["Error"]["Code"] == "ConditionalCheckFailedException"


class NotReadError(Exception):
    """DynamoDB left keys of a batch unread, time after time."""


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
