"""What webhook configs and categories have in common: a status, and changes of many at once."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shared.aws.items import Update, to_item
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_DAY
from shared.configs.models import Status
from shared.errors import NotFoundError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# What is deleted stays visible, and its id taken, for as long.
KEEP_DELETED_MS = 30 * MS_PER_DAY


def change_all(
    dynamodb: "DynamoDBClient",
    table: str,
    keys: Mapping[str, Mapping[str, str]],
    changes: Mapping[str, Any],
) -> None:
    """Change up to 100 items, all or none. Raises NotFoundError that names every unknown id."""
    ids = list(keys)
    update = Update().set(changes).add("version", 1)
    update.when("attribute_exists(pk) AND #status <> :when_deleted", {"deleted": Status.DELETED})
    request = update.request()
    items = [
        {"Update": {"TableName": table, "Key": to_item(keys[name]), **request}} for name in ids
    ]
    try:
        transact(dynamodb, items)
    except TransactionRefusedError as error:
        raise unknown([ids[position] for position in sorted(error.failed)]) from None


def unknown(ids: Sequence[str]) -> NotFoundError:
    return NotFoundError(f"Not known here: {', '.join(ids)}. Nothing was changed.")
