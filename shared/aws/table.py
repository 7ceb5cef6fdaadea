"""One DynamoDB table: plain Python values in, plain Python values out.

A write whose condition does not hold raises no error. It returns `Refused`, which holds the stored
item. Every other error of DynamoDB is raised as botocore raises it.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import ClientError

from shared.aws.items import Condition, Update, from_item, to_item
from shared.errors import FaultError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Key = Mapping[str, str]
Item = dict[str, Any]

# DynamoDB takes 100 keys a call, and may leave some of them unread.
MAX_BATCH_KEYS = 100
_READ_ROUNDS = 5
TRANSACTION_ROUNDS = 8
FIRST_PAUSE_S = 0.02
# As DynamoDB says why a transaction was cancelled.
CONDITION_FAILED = "ConditionalCheckFailed"


class ItemsNotReadError(FaultError):
    """DynamoDB left keys of a batch unread in every round."""


class ItemBusyError(Exception):
    """A transaction held the item during each of botocore's attempts to write it."""


class StartKeyError(Exception):
    """A query cannot start after this key: it is not a key of the table or index."""


class Refused(NamedTuple):
    """The condition of a write did not hold. `item` is what is stored; None if nothing is."""

    item: Item | None


class ItemPage(NamedTuple):
    """`last` is the key after which the next page starts; None on the last page."""

    items: list[Item]
    last: Item | None


@dataclass(frozen=True)
class Query:
    """A query of the table or of one of its indexes.

    `condition` and `filter` write the values as `:name`, and the attributes in `names` as `#name`.
    Without `columns` whole items are read. DynamoDB reads `limit` items a page, and charges for the
    items that `filter` leaves out as well.
    """

    condition: str
    values: Mapping[str, Any]
    index: str = ""
    filter: str = ""
    names: Sequence[str] = ()
    columns: Sequence[str] = ()
    consistent: bool = False
    ascending: bool = True
    limit: int | None = None
    after: Mapping[str, Any] | None = None

    def request(self, table: str) -> dict[str, Any]:
        names = dict.fromkeys([*self.names, *self.columns])
        request: dict[str, Any] = {
            "TableName": table,
            "KeyConditionExpression": self.condition,
            "ExpressionAttributeValues": to_item(
                {f":{name}": value for name, value in self.values.items()}
            ),
        }
        optional = {
            "ConsistentRead": self.consistent,
            "IndexName": self.index,
            "FilterExpression": self.filter,
            "ProjectionExpression": ", ".join(f"#{name}" for name in self.columns),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "Limit": self.limit,
            "ExclusiveStartKey": None if self.after is None else to_item(self.after),
        }
        if not self.ascending:
            request["ScanIndexForward"] = False
        return request | {name: value for name, value in optional.items() if value}


class Table:
    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self.client = client
        self.name = name

    def get(self, key: Key, consistent: bool = True, columns: Sequence[str] = ()) -> Item | None:
        """The item; None if there is none."""
        answer = self.client.get_item(
            TableName=self.name, Key=to_item(key), ConsistentRead=consistent, **_only(columns)
        )
        return from_item(answer["Item"]) if "Item" in answer else None

    def get_many(
        self, keys: Iterable[Key], columns: Sequence[str] = (), consistent: bool = True
    ) -> list[Item]:
        """The items that exist, in any order. Raises ItemsNotReadError."""
        return get_across([(self, key) for key in keys], columns, consistent)

    def query(self, query: Query) -> ItemPage:
        """One page. Raises StartKeyError."""
        answer = self._ask(query)
        return ItemPage([from_item(item) for item in answer["Items"]], _last(answer))

    def count(self, query: Query) -> tuple[int, Item | None]:
        """The number of items of one page, and the key after which the next page begins."""
        answer = self._ask(query, Select="COUNT")
        return answer["Count"], _last(answer)

    def pages(self, query: Query) -> Iterator[list[Item]]:
        """The items page by page; each page is read when it is needed."""
        while True:
            page = self.query(query)
            yield page.items
            if page.last is None:
                return
            query = replace(query, after=page.last)

    def items(self, query: Query) -> Iterator[Item]:
        """The items one by one; each page is read when its first item is needed."""
        return (item for page in self.pages(query) for item in page)

    def put(self, item: Mapping[str, Any], when: Condition | None = None) -> Refused | None:
        """Write a whole item. Returns None if it is written."""
        request = self._conditional({"Item": to_item(item)}, when)
        return _refusal(self._write(self.client.put_item, request))

    def update(self, key: Key, update: Update) -> Item | Refused:
        """Update the item, or make it. Returns the item after the update. Raises ItemBusyError."""
        request = {"Key": to_item(key), "ReturnValues": "ALL_NEW", **update.request()}
        answer = self._write(self.client.update_item, request)
        return answer if isinstance(answer, Refused) else from_item(answer["Attributes"])

    def apply(self, key: Key, update: Update) -> Refused | None:
        """As `update`, without the new item. Returns None if it is written."""
        request = {"Key": to_item(key), **update.request()}
        return _refusal(self._write(self.client.update_item, request))

    def delete(self, key: Key, when: Condition | None = None) -> Refused | None:
        """Returns None if the item is deleted or did not exist."""
        request = self._conditional({"Key": to_item(key)}, when)
        return _refusal(self._write(self.client.delete_item, request))

    def putting(self, item: Mapping[str, Any], when: Condition | None = None) -> dict[str, Any]:
        """`put` as an operation of a transaction."""
        return {"Put": self._named(self._conditional({"Item": to_item(item)}, when))}

    def updating(self, key: Key, update: Update) -> dict[str, Any]:
        """`update` as an operation of a transaction."""
        return {"Update": self._named({"Key": to_item(key), **update.request()})}

    def deleting(self, key: Key, when: Condition | None = None) -> dict[str, Any]:
        """`delete` as an operation of a transaction."""
        return {"Delete": self._named(self._conditional({"Key": to_item(key)}, when))}

    def transact(self, operations: Sequence[Mapping[str, Any]]) -> frozenset[int]:
        """Write all of up to 100 operations, of this table and others, or none of them.

        A transaction that meets another one is tried again. Returns the positions of the operations
        whose condition did not hold; empty if all are written.
        """
        for number in range(TRANSACTION_ROUNDS):
            try:
                # By its token DynamoDB knows a request that botocore repeats because the answer was
                # lost: without one, the conditions of the repetition would meet its own writes.
                self.client.transact_write_items(
                    TransactItems=list(operations),  # type: ignore[arg-type]
                    ClientRequestToken=str(uuid.uuid4()),
                )
            except ClientError as error:
                reasons = _reasons(error)
                if CONDITION_FAILED in reasons:
                    failed = (code == CONDITION_FAILED for code in reasons)
                    return frozenset(position for position, is_so in enumerate(failed) if is_so)
                if "TransactionConflict" not in reasons or number == TRANSACTION_ROUNDS - 1:
                    raise
                time.sleep(FIRST_PAUSE_S * 2**number * random.random())  # noqa: S311 -- spreads, hides nothing
            else:
                break
        return frozenset()

    def _conditional(self, request: dict[str, Any], when: Condition | None) -> dict[str, Any]:
        return request if when is None else request | when.request()

    def _named(self, request: dict[str, Any]) -> dict[str, Any]:
        return {"TableName": self.name, **request}

    def _ask(self, query: Query, **more: Any) -> Any:
        try:
            return self.client.query(**query.request(self.name), **more)
        except ClientError as error:
            if query.after is None or error.response["Error"]["Code"] != "ValidationException":
                raise
            raise StartKeyError from None

    def _write(self, write: Callable[..., Any], request: dict[str, Any]) -> Item | Refused:
        """What the client answers, as it came."""
        if "ConditionExpression" in request:
            request = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD", **request}
        try:
            answer: Item = write(**self._named(request))
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "TransactionConflictException":
                raise ItemBusyError from error
            if code != "ConditionalCheckFailedException":
                raise
            item: Any = error.response.get("Item")
            return Refused(None if item is None else from_item(item))
        return answer


def _refusal(answer: Item | Refused) -> Refused | None:
    return answer if isinstance(answer, Refused) else None


def _last(answer: Mapping[str, Any]) -> Item | None:
    last = answer.get("LastEvaluatedKey")
    return None if last is None else from_item(last)


def get_across(
    keys: Sequence[tuple[Table, Key]], columns: Sequence[str] = (), consistent: bool = True
) -> list[Item]:
    """The items of several tables that exist, in any order; 100 keys in a call.

    A read that is not consistent costs half as much. Raises ItemsNotReadError.
    """
    found: list[Item] = []
    how = {"ConsistentRead": consistent} | _only(columns)
    for start in range(0, len(keys), MAX_BATCH_KEYS):
        found += _read_all(keys[start : start + MAX_BATCH_KEYS], how)
    return found


def _read_all(keys: Sequence[tuple[Table, Key]], how: Mapping[str, Any]) -> Iterator[Item]:
    client, request = keys[0][0].client, dict[str, Any]()
    for table, key in keys:
        request.setdefault(table.name, {"Keys": [], **how})["Keys"].append(to_item(key))
    for attempt in range(_READ_ROUNDS):
        answer = client.batch_get_item(RequestItems=request)
        for items in answer["Responses"].values():
            yield from map(from_item, items)
        request = answer.get("UnprocessedKeys", {})
        if not request:
            return
        time.sleep(0.05 * 2**attempt)
    raise ItemsNotReadError


def _only(columns: Sequence[str]) -> dict[str, Any]:
    names = {f"#{name}": name for name in columns}
    if not names:
        return {}
    return {"ProjectionExpression": ", ".join(names), "ExpressionAttributeNames": names}


def _reasons(error: ClientError) -> list[str]:
    """Why a transaction was cancelled, by position; empty for another error."""
    if error.response["Error"]["Code"] != "TransactionCanceledException":
        return []
    reasons: list[dict[str, str]] = error.response.get("CancellationReasons", [])  # type: ignore[assignment]
    return [reason.get("Code", "None") for reason in reasons]
