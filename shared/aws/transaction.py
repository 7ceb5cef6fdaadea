"""TransactWriteItems, tried again when another transaction held an item at the same moment."""

import random
import time
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ROUNDS = 8
FIRST_PAUSE_S = 0.02
# DynamoDB takes 100 items a transaction.
MAX_ITEMS = 100


class TransactionRefusedError(Exception):
    """Conditions failed, and nothing was written. `failed` are the positions of their items."""

    def __init__(self, failed: frozenset[int]) -> None:
        super().__init__()
        self.failed = failed


def transact(dynamodb: "DynamoDBClient", items: Sequence[Any]) -> None:
    """All of the items, or a CancelledError.

    The token tells DynamoDB a request that botocore repeats, because its answer was lost, from
    another one: what was written is then not refused for standing there.
    """
    for number in range(ROUNDS):
        try:
            dynamodb.transact_write_items(TransactItems=items, ClientRequestToken=str(uuid.uuid4()))
        except ClientError as error:
            reasons = _reasons(error)
            if "ConditionalCheckFailed" in reasons:
                raise TransactionRefusedError(_positions(reasons)) from None
            if "TransactionConflict" not in reasons or number == ROUNDS - 1:
                raise
            time.sleep(FIRST_PAUSE_S * 2**number * random.random())  # noqa: S311 -- spreads, hides nothing
        else:
            return


def _reasons(error: ClientError) -> list[str]:
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return []
    reasons: list[dict[str, str]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [reason.get("Code", "None") for reason in reasons]


def _positions(reasons: list[str]) -> frozenset[int]:
    return frozenset(i for i, code in enumerate(reasons) if code == "ConditionalCheckFailed")
