"""The engine's DynamoDB held against moto's: what the handlers ask in a way, or with an outcome,
that is new to this process, moto is asked as well, about the same items."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, NamedTuple

from botocore.exceptions import ClientError
from moto import mock_aws
from moto.backends import get_backend

from shared.aws import clients
from shared.aws.items import from_item
from shared.standalone.engine.database import Database
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.values import Item
from tests.integration.account import ACCOUNT, REGION
from tests.integration.invocations import base64ed

# moto takes long for more. What reads or writes more is compared where there is less of it.
MAX_ITEMS = 40

# Of an item: its table, and its keys there.
Place = tuple[str, str, str]
Images = dict[Place, Item | None]

_IN_TRANSACTION = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem"}
LAST = "LastEvaluatedKey"
_SHOWN = ("Item", "Items", "Attributes", "Count", LAST, "Responses")


class ContractError(BaseException):
    """The engine is wrong, or moto is. Nothing that catches errors hides it."""


class Outcome(NamedTuple):
    """What came of a request: `error` is a code, `reasons` are those of a transaction."""

    answer: Any
    error: str
    reasons: tuple[str, ...]


# What moto has been asked, in this process.
_known: set[Any] = set()


class Contract:
    """`call` is what botocore does with a request of a client."""

    def __init__(self, call: Callable[[Any, str, Json], Json]) -> None:
        self._call = call
        self._moto = ExitStack()
        self._client: Any = None

    def close(self) -> None:
        self._moto.close()

    def checked(
        self, database: Database, operation: str, request: Json, ask: Callable[..., Json]
    ) -> Json:
        """The engine's answer. Fails if moto has another one, or is left with other items."""
        before = _images(database, _written(operation, request))
        try:
            answer, failure = ask(**request), None
        except ClientError as error:
            answer, failure = {}, error
        ours = _outcome(answer, failure)
        kind = (_shape(operation, request), ours.error, frozenset(ours.reasons))
        if kind not in _known:
            places = before or _images(database, _read(database, operation, request))
            if len(places) <= MAX_ITEMS:
                _known.add(kind)
                self._compare(database, operation, request, places, ours)
        if failure is not None:
            raise failure
        return answer

    def _compare(
        self, database: Database, operation: str, request: Json, before: Images, ours: Outcome
    ) -> None:
        self._fill(before)
        try:
            theirs = _outcome(self._ask_moto(operation, request), None)
        except ClientError as error:
            theirs = _outcome({}, error)
        if LAST in ours.answer and LAST not in theirs.answer:
            ours.answer.pop(LAST)  # of a page that is full, and the last one: moto looks ahead
        if ours != theirs:
            raise ContractError(operation, request, ours, theirs)
        after = _images(database, before)
        left = {place: from_item(item) for place, item in after.items() if item is not None}
        if left != (of_moto := _left()):
            raise ContractError(operation, request, left, of_moto)

    def _ask_moto(self, operation: str, request: Json) -> Json:
        return self._call(self._client, operation, request)

    def _begin(self) -> None:
        """Only now, since many tests ask nothing that is new."""
        self._moto.enter_context(mock_aws(config={"core": {"mock_credentials": False}}))
        self._client = clients._client("dynamodb")
        wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        for name, table in template().of_type("AWS::DynamoDB::Table").items():
            declared = {key: table[key] for key in wanted if key in table}
            self._ask_moto("CreateTable", {"TableName": name, **declared})

    def _fill(self, items: Images) -> None:
        if self._client is None:
            self._begin()
        for emptied in _tables().values():
            emptied.items.clear()
        for (table, _, _), item in items.items():
            if item is not None:
                _tables()[table].put_item(base64ed(item))


def _tables() -> Mapping[str, Any]:
    """moto's own, which are faster to fill and to read than by requests."""
    found: Mapping[str, Any] = get_backend("dynamodb")[ACCOUNT][REGION].tables
    return found


def _left() -> dict[Place, Json]:
    return {
        _place(name, item.to_json()["Attributes"]): from_item(item.to_json()["Attributes"])
        for name, table in _tables().items()
        for item in table.all_items()
    }


def _place(table: str, key: Item) -> Place:
    return table, key["pk"]["S"], key["sk"]["S"]


def _images(database: Database, places: Iterable[Place]) -> Images:
    return {
        (table, pk, sk): database.tables[table].get({"pk": {"S": pk}, "sk": {"S": sk}})
        for table, pk, sk in places
    }


def _written(operation: str, request: Json) -> list[Place]:
    if operation == "TransactWriteItems":
        actions = [next(iter(action.values())) for action in request["TransactItems"]]
    elif operation in _IN_TRANSACTION.values():
        actions = [request]
    else:
        return []
    return [_place(action["TableName"], action.get("Item") or action["Key"]) for action in actions]


def _read(database: Database, operation: str, request: Json) -> list[Place]:
    match operation:
        case "GetItem":
            return [_place(request["TableName"], request["Key"])]
        case "BatchGetItem":
            wanted = request["RequestItems"].items()
            return [_place(table, key) for table, some in wanted for key in some["Keys"]]
        case "Query":
            table = request["TableName"]
            return [_place(table, item) for item in database.partition(**request)]
        case _:
            raise AssertionError(operation)


def _shape(operation: str, request: Mapping[str, Any]) -> Any:
    """What is alike in requests that ask the same of different items."""
    match operation:
        case "TransactWriteItems":
            actions = [next(iter(action.items())) for action in request["TransactItems"]]
            shapes = frozenset(_shape(_IN_TRANSACTION.get(k, k), action) for k, action in actions)
            return operation, shapes
        case "BatchGetItem":
            options = [_shape("", wanted) for wanted in request["RequestItems"].values()]
            return operation, frozenset(options)
        case _:
            said = (value for name, value in request.items() if name.endswith("Expression"))
            index = request.get("IndexName"), request.get("ScanIndexForward")
            return operation, frozenset(request), index, tuple(said)


def _outcome(answer: Json, error: ClientError | None) -> Outcome:
    if error is None:
        shown = {name: _shown(name, answer[name]) for name in _SHOWN if name in answer}
        return Outcome(shown, "", ())
    response: Json = dict(error.response)
    reasons = tuple(reason["Code"] for reason in response.get("CancellationReasons", ()))
    return Outcome(from_item(response.get("Item", {})), response["Error"]["Code"], reasons)


def _shown(name: str, value: Any) -> Any:
    """A part of an answer, with the values of items as Python's."""
    match name:
        case "Items":
            return [from_item(item) for item in value]
        case "Responses":
            return {table: _in_any_order(items) for table, items in value.items()}
        case "Count":
            return value
        case "Attributes":  # moto gives the keys of a new item with whatever is asked for
            return {key: one for key, one in from_item(value).items() if key not in ("pk", "sk")}
        case _:
            return from_item(value)


def _in_any_order(items: list[Item]) -> list[Json]:
    return sorted(map(from_item, items), key=lambda item: sorted(map(repr, item.items())))
