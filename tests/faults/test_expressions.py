"""The engine's DynamoDB against moto's: the same requests, the same answers."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from shared.aws.items import to_item
from shared.standalone.engine.conditions import compiled
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.sqlite import sqlite_tables
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.updates import projection, update
from shared.standalone.engine.values import UnsupportedError

TABLE = "EventTable"
PROPERTIES = template().of_type("AWS::DynamoDB::Table")[TABLE]
KEYS = [{"pk": f"p{number}", "sk": sk} for number in range(2) for sk in ("EVENT", "D#1", "D#2")]

# moto breaks on comparing a number with a text, so each attribute has values of one kind.
OF_KIND: dict[str, st.SearchStrategy[Any]] = {
    "attempt": st.integers(-5, 5),
    "lease_until": st.integers(-5, 5),
    "state": st.sampled_from(["sending", "waiting", "wait", ""]),
    "title": st.sampled_from(["sending", "waiting", "wait", ""]),
}
names = st.sampled_from(list(OF_KIND))
lists = st.lists(st.one_of(*OF_KIND.values()), max_size=3)
comparisons = st.sampled_from(["=", "<>", "<", "<=", ">", ">="])


class Expression:
    """A condition in the making: its text, and the names and values that it uses."""

    def __init__(self, text: str, used: dict[str, str], given: Json) -> None:
        self.text = text
        self.names = used
        self.values = given


@st.composite
def simple(draw: st.DrawFn) -> Expression:
    name, number = draw(names), draw(st.integers(0, 9_999))
    used, one, two = {f"#{name}": name}, f":a{number}", f":b{number}"
    first, second = sorted((draw(OF_KIND[name]), draw(OF_KIND[name])))
    match draw(st.sampled_from(["compare", "between", "in", "exists", "missing", "begins"])):
        case "compare":
            return Expression(f"#{name} {draw(comparisons)} {one}", used, {one: first})
        case "between":
            return Expression(f"#{name} BETWEEN {one} AND {two}", used, {one: first, two: second})
        case "in":
            return Expression(f"#{name} IN ({one}, {two})", used, {one: first, two: second})
        case "exists":
            return Expression(f"attribute_exists(#{name})", used, {})
        case "missing":
            return Expression(f"attribute_not_exists(#{name})", used, {})
        case _:
            return Expression(f"begins_with(#title, {one})", {"#title": "title"}, {one: "wait"})


def joined(left: Expression, word: str, right: Expression) -> Expression:
    assume(not left.values.keys() & right.values.keys())  # each names values of its own
    text = f"({left.text}) {word} ({right.text})"
    return Expression(text, left.names | right.names, left.values | right.values)


def negated(inner: Expression) -> Expression:
    return Expression(f"NOT ({inner.text})", inner.names, inner.values)


expressions = st.recursive(
    simple(),
    lambda inner: st.one_of(
        st.builds(joined, inner, st.sampled_from(["AND", "OR"]), inner), st.builds(negated, inner)
    ),
    max_leaves=4,
)
items = st.fixed_dictionaries({}, optional=OF_KIND | {"tags": lists})


@st.composite
def changes(draw: st.DrawFn) -> Json:
    """An update of whole attributes, each touched once."""
    clauses: dict[str, list[str]] = {"SET": [], "REMOVE": [], "ADD": []}
    used: dict[str, str] = {}
    given: Json = {}
    for name in draw(st.lists(st.sampled_from([*OF_KIND, "tags"]), min_size=1, unique=True)):
        verb, clause, values = draw(change_of(name))
        clauses[verb].append(clause)
        used[f"#{name}"] = name
        given |= values
    text = " ".join(f"{verb} {', '.join(some)}" for verb, some in clauses.items() if some)
    request: Json = {"UpdateExpression": text, "ExpressionAttributeNames": used}
    return request | ({"ExpressionAttributeValues": to_item(given)} if given else {})


@st.composite
def change_of(draw: st.DrawFn, name: str) -> tuple[str, str, Json]:
    """A verb, its clause for one attribute, and the values that the clause names."""
    alias, value = f"#{name}", f":{name}"
    if draw(st.booleans()):
        return "REMOVE", alias, {}
    if name == "tags":
        added = f"list_append(if_not_exists({alias}, :none), {value})"
        return "SET", f"{alias} = {added}", {":none": [], value: draw(lists)}
    new = {value: draw(OF_KIND[name])}
    if name == "attempt":
        return "ADD", f"{alias} {value}", new
    if name == "lease_until":
        return "SET", f"{alias} = if_not_exists({alias}, {value}) + {value}", new
    if name == "title":
        return "SET", f"{alias} = if_not_exists({alias}, {value})", new
    return "SET", f"{alias} = {value}", new


class Engine:
    """What a request does to tables in memory, or to tables in a file."""

    def __init__(self, tables: Mapping[str, StoredTable]) -> None:
        self.database = Database(tables, lambda: 0, lambda *_: None)
        self._transactions = Transactions(self.database, lambda: 0)

    def asked(self, operation: str, request: Json) -> Any:
        return outcome(getattr(self.database, operation), request | {"TableName": TABLE})

    def transacted(self, request: Json) -> Any:
        return outcome(self._transactions.transact_write_items, request)


class InFile(Engine):
    def __init__(self, file: DataFile) -> None:
        super().__init__(sqlite_tables(file, {TABLE: PROPERTIES}))
        self._file = file

    def asked(self, operation: str, request: Json) -> Any:
        with self._file.transaction():
            return super().asked(operation, request)

    def transacted(self, request: Json) -> Any:
        with self._file.transaction():
            return super().transacted(request)


class Both:
    """Asks moto and the engines, and compares."""

    def __init__(self, client: Any, file: DataFile) -> None:
        self._engines = [Engine(memory_tables({TABLE: PROPERTIES})), InFile(file)]
        self.engine = self._engines[0].database
        self._client = client
        self._tokens = 0

    def ask(self, operation: str, **request: Any) -> Any:
        theirs = outcome(getattr(self._client, operation), request | {"TableName": TABLE})
        for engine in self._engines:
            assert engine.asked(operation, request) == theirs, (engine, request)
        return theirs

    def transact(self, actions: list[Json]) -> Any:
        self._tokens += 1
        request = {"TransactItems": actions, "ClientRequestToken": f"token-{self._tokens}"}
        theirs = outcome(self._client.transact_write_items, request)
        for engine in self._engines:
            assert engine.transacted(request) == theirs, (engine, request)
        return theirs

    def empty(self) -> None:
        for key in KEYS:
            self.ask("delete_item", Key=to_item(key))


def outcome(call: Any, request: Json) -> Any:
    try:
        answer = call(**request)
    except ClientError as error:
        reasons = [reason["Code"] for reason in error.response.get("CancellationReasons", [])]
        return error.response["Error"]["Code"], error.response.get("Item"), reasons
    return {name: answer[name] for name in ("Item", "Attributes", "Items") if name in answer}


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    path = tmp_path_factory.mktemp("data") / "data.sqlite"
    with mock_aws(), closing(DataFile(path)) as file:
        client = boto3.client("dynamodb")
        wanted = ("AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes")
        client.create_table(TableName=TABLE, **{name: PROPERTIES[name] for name in wanted})
        yield Both(client, file)


@settings(max_examples=30)
@given(item=items, expression=expressions, keeps=st.booleans())
def test_a_condition_holds_here_if_it_holds_there(
    both: Both, item: Json, expression: Expression, keeps: bool
) -> None:
    both.ask("put_item", Item=to_item(item | KEYS[0]))

    both.ask("put_item", Item=to_item({"title": "new"} | KEYS[0]), **condition(expression, keeps))

    both.ask("get_item", Key=to_item(KEYS[0]))


def condition(expression: Expression, keeps_old: bool) -> Json:
    request: Json = {
        "ConditionExpression": expression.text,
        "ExpressionAttributeNames": expression.names,
    }
    if expression.values:
        request["ExpressionAttributeValues"] = to_item(expression.values)
    if keeps_old:
        request["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
    return request


@settings(max_examples=30)
@given(
    item=st.none() | items,
    change=changes(),
    returned=st.sampled_from(["NONE", "ALL_NEW", "ALL_OLD"]),
)
def test_an_update_makes_the_same_item(
    both: Both, item: Json | None, change: Json, returned: str
) -> None:
    both.ask("delete_item", Key=to_item(KEYS[0]))
    if item is not None:
        both.ask("put_item", Item=to_item(item | KEYS[0]))

    both.ask("update_item", Key=to_item(KEYS[0]), ReturnValues=returned, **change)

    both.ask("get_item", Key=to_item(KEYS[0]))


@settings(max_examples=30)
@given(
    waits=st.lists(st.integers(0, 9), min_size=len(KEYS), max_size=len(KEYS), unique=True),
    bounds=st.tuples(st.integers(0, 9), st.integers(0, 9)),
    limit=st.integers(1, 4),
    forward=st.booleans(),
)
def test_an_index_is_read_in_the_same_pages(
    both: Both, waits: list[int], bounds: tuple[int, int], limit: int, forward: bool
) -> None:
    both.empty()
    for key, wait in zip(KEYS, waits, strict=True):
        shard = {"wake_shard": "A"} if wait % 3 else {}
        both.ask("put_item", Item=to_item(key | shard | {"wake_at": wait, "title": "none"}))

    request: Json = {
        "IndexName": "wake",
        "KeyConditionExpression": "wake_shard = :shard AND wake_at BETWEEN :low AND :high",
        "ExpressionAttributeValues": to_item(
            {":shard": "A", ":low": min(bounds), ":high": max(bounds)}
        ),
        "ScanIndexForward": forward,
    }
    whole = both.ask("query", **request)["Items"]

    assert pages(both.engine, request | {"Limit": limit}) == whole


def pages(database: Database, request: Json) -> list[Json]:
    found: list[Json] = []
    while True:
        page = database.query(TableName=TABLE, **request)
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            return found
        request = request | {"ExclusiveStartKey": page["LastEvaluatedKey"]}


@settings(max_examples=30)
@given(prefix=st.sampled_from(["D#", "E", "x"]), title=st.sampled_from(["a", "b"]))
def test_a_partition_is_read_by_prefix_filter_and_projection(
    both: Both, prefix: str, title: str
) -> None:
    both.empty()
    for number, key in enumerate(KEYS):
        both.ask("put_item", Item=to_item(key | {"title": "ab"[number % 2], "attempt": number}))

    both.ask(
        "query",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        FilterExpression="#title = :title",
        ProjectionExpression="sk, #title",
        ExpressionAttributeNames={"#title": "title"},
        ExpressionAttributeValues=to_item({":pk": "p0", ":prefix": prefix, ":title": title}),
    )


@settings(max_examples=30)
@given(
    there=st.lists(st.booleans(), min_size=3, max_size=3),
    wanted=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_a_transaction_is_made_or_refused_for_the_same_reasons(
    both: Both, there: list[bool], wanted: list[bool]
) -> None:
    both.empty()
    for key, is_there in zip(KEYS, there, strict=False):
        if is_there:
            both.ask("put_item", Item=to_item(key))

    both.transact([action(key, is_wanted) for key, is_wanted in zip(KEYS, wanted, strict=False)])

    for key in KEYS:
        both.ask("get_item", Key=to_item(key))


def action(key: Json, is_wanted: bool) -> Json:
    text = f"attribute_{'exists' if is_wanted else 'not_exists'}(pk)"
    update_of = {"TableName": TABLE, "Key": to_item(key), "ConditionExpression": text}
    values = {"ExpressionAttributeValues": to_item({":title": "new"})}
    return {"Update": update_of | {"UpdateExpression": "SET title = :title"} | values}


@pytest.mark.parametrize(
    "text",
    ["a == :x", "a = ", "attribute_type(a, :x)", "a = :x OR", "1 = :x", "a = :x)", "a ~ :x"],
)
def test_what_the_engine_does_not_know_fails_loudly(text: str) -> None:
    with pytest.raises(UnsupportedError):
        compiled(text, {})


@pytest.mark.parametrize("text", ["SET a[0] = :x", "DELETE a :x", "SET a = :x, a = :y", "PUT a"])
def test_an_update_that_the_engine_does_not_know_fails_loudly(text: str) -> None:
    with pytest.raises(UnsupportedError):
        update(text, {})


def test_a_projection_into_an_attribute_fails_loudly() -> None:
    with pytest.raises(UnsupportedError):
        projection("a.b", {})


def test_what_an_update_touched_is_given_back(both: Both) -> None:
    both.empty()
    both.ask("put_item", Item=to_item(KEYS[0] | {"title": "none"}))

    counted = both.ask(
        "update_item",
        Key=to_item(KEYS[0]),
        UpdateExpression="ADD calls :one",
        ExpressionAttributeValues=to_item({":one": 1}),
        ReturnValues="UPDATED_NEW",
    )

    assert counted == {"Attributes": {"calls": {"N": "1"}}}


@pytest.mark.parametrize(
    "extra",
    [
        {"ExpressionAttributeValues": to_item({":a": 1, ":b": 2})},
        {"ExpressionAttributeValues": {}},
        {"ExpressionAttributeValues": to_item({":a": 1}), "ExpressionAttributeNames": {"#a": "a"}},
    ],
)
def test_names_and_values_must_be_used_and_what_is_used_given(extra: Json) -> None:
    database = Database(memory_tables({TABLE: PROPERTIES}), lambda: 0, lambda *_: None)
    request = {"TableName": TABLE, "Item": to_item(KEYS[0]), "ConditionExpression": "attempt = :a"}

    answer = outcome(database.put_item, request | extra)

    assert answer[0] == "ValidationException"


def test_an_unknown_option_fails_loudly(both: Both) -> None:
    with pytest.raises(UnsupportedError):
        both.engine.put_item(TableName=TABLE, Item=to_item(KEYS[0]), Expected={})
