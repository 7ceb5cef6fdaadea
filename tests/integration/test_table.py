"""What a Table promises, on moto and on the database of the fault runs, so that both agree."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.aws import clients
from shared.aws.items import EXISTS, IS_NEW, Condition, Update
from shared.aws.table import ItemBusyError, Query, Refused, StartKeyError, Table
from shared.standalone.engine.clients import DynamoDbClient, ServiceWire
from shared.standalone.engine.database import Database
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.sqlite import sqlite_tables
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.wire import FileWire
from tests.integration.account import Account
from tests.integration.moto_account import account_on_moto

NAME = "EventTable"
MOTO = ("moto", "moto, botocore untrimmed")
KEY = {"pk": "p", "sk": "s"}
ITEM = KEY | {"state": "waiting", "attempt": 1}
CLAIM = Condition("#state = :when_state", {"state": "waiting"})
# moto takes an entry for a value of DynamoDB if its name is that of a type, such as S or BOOL.
NAMES = st.text("abc_-é .", min_size=1, max_size=20)
VALUES = st.recursive(
    st.booleans()
    | st.integers(min_value=-(10**37), max_value=10**37)
    | st.text()
    | st.binary()
    | st.sets(st.text(min_size=1), min_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)


class DirectWire:
    """Every call arrives, at once."""

    def call(self, operation: str, apply: Callable[[], Json], partial: Any = None) -> Json:
        return apply()


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with account_on_moto() as account:
        yield account


@pytest.fixture(params=[*MOTO, "fault runs", "standalone"], name="table", scope="module")
def _table(
    request: pytest.FixtureRequest, account: Account, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Table]:
    properties = template().of_type("AWS::DynamoDB::Table")
    if request.param == "fault runs":
        yield engine(memory_tables(properties), DirectWire())
        return
    if request.param == "standalone":
        path = tmp_path_factory.mktemp("data") / "data.sqlite"
        with closing(DataFile(path)) as file:
            yield engine(sqlite_tables(file, properties), FileWire(file))
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIM_BOTOCORE", str(request.param == MOTO[0]).lower())
        clients._session.cache_clear()
        yield Table(clients._client("dynamodb"), NAME)
        clients._session.cache_clear()
        account.empty()


def engine(tables: Mapping[str, StoredTable], wire: ServiceWire) -> Table:
    database = Database(tables, lambda: 0, lambda *_: None)
    transactions = Transactions(database, lambda: 0)
    return Table(cast(Any, DynamoDbClient(wire, database, transactions)), NAME)


@pytest.fixture(autouse=True)
def _emptied(table: Table) -> Iterator[None]:
    yield
    for pk in ("p", "other"):
        for item in table.items(Query("pk = :pk", {"pk": pk}, columns=["pk", "sk"])):
            table.delete({"pk": item["pk"], "sk": item["sk"]})


def filled(table: Table, count: int) -> list[dict[str, str]]:
    keys = [{"pk": "p", "sk": f"{number:03}"} for number in range(count)]
    for number, key in enumerate(keys):
        table.put(key | {"number": number, "is_even": number % 2 == 0})
    return keys


def numbers(items: list[dict[str, Any]]) -> list[int]:
    return [item["number"] for item in items]


class TestGet:
    def test_gives_the_item(self, table: Table) -> None:
        table.put(ITEM)

        assert table.get(KEY) == ITEM
        assert table.get(KEY, consistent=False) == ITEM

    def test_gives_the_columns_that_are_asked_for(self, table: Table) -> None:
        table.put(ITEM)

        assert table.get(KEY, columns=["state", "lease"]) == {"state": "waiting"}

    def test_gives_none_if_there_is_no_item(self, table: Table) -> None:
        assert table.get(KEY) is None
        assert table.get(KEY, columns=["state"]) is None


class TestGetMany:
    def test_gives_the_items_that_exist(self, table: Table) -> None:
        keys = filled(table, 2)

        found = table.get_many([*keys, {"pk": "other", "sk": "000"}])

        assert sorted(numbers(found)) == [0, 1]

    def test_gives_more_items_than_fit_in_a_call(self, table: Table) -> None:
        keys = filled(table, 101)

        found = table.get_many(keys, columns=["number"], consistent=False)

        assert sorted(numbers(found)) == list(range(101))
        assert found[0].keys() == {"number"}

    def test_gives_nothing_for_no_keys(self, table: Table) -> None:
        assert table.get_many([]) == []


class TestQuery:
    def test_gives_the_items_of_a_partition_in_order(self, table: Table) -> None:
        filled(table, 3)

        page = table.query(Query("pk = :pk AND sk >= :from", {"pk": "p", "from": "001"}))

        assert numbers(page.items) == [1, 2]
        assert page.last is None

    def test_gives_them_backwards(self, table: Table) -> None:
        filled(table, 3)

        page = table.query(Query("pk = :pk", {"pk": "p"}, ascending=False, consistent=True))

        assert numbers(page.items) == [2, 1, 0]

    def test_gives_the_columns_that_are_asked_for(self, table: Table) -> None:
        filled(table, 1)

        assert table.query(Query("pk = :pk", {"pk": "p"}, columns=["number"])).items == [
            {"number": 0}
        ]

    def test_looks_at_so_many_items_before_it_filters_them(self, table: Table) -> None:
        filled(table, 4)
        values = {"pk": "p", "even": True}

        page = table.query(Query("pk = :pk", values, filter="is_even = :even", limit=2))

        assert numbers(page.items) == [0]
        assert page.last == {"pk": "p", "sk": "001"}

    def test_filters_by_an_attribute_with_a_reserved_name(self, table: Table) -> None:
        table.put(ITEM)
        table.put(ITEM | {"sk": "t", "state": "failed"})
        values = {"pk": "p", "state": "failed"}

        page = table.query(Query("pk = :pk", values, filter="#state = :state", names=["state"]))

        assert [item["sk"] for item in page.items] == ["t"]

    def test_reads_an_index(self, table: Table) -> None:
        table.put(KEY | {"log_pk": "EVENTS", "log_sk": "1", "event_id": "e", "payload": b"{}"})

        page = table.query(Query("log_pk = :log", {"log": "EVENTS"}, index="log"))

        assert [item["event_id"] for item in page.items] == ["e"]
        assert "payload" not in page.items[0]

    def test_begins_after_a_key(self, table: Table) -> None:
        filled(table, 3)

        page = table.query(Query("pk = :pk", {"pk": "p"}, after={"pk": "p", "sk": "000"}))

        assert numbers(page.items) == [1, 2]


class TestPages:
    def test_are_read_to_the_end(self, table: Table) -> None:
        filled(table, 5)

        pages = [numbers(page) for page in table.pages(Query("pk = :pk", {"pk": "p"}, limit=2))]

        assert [number for page in pages for number in page] == [0, 1, 2, 3, 4]
        assert max(map(len, pages)) == 2

    def test_are_read_when_they_are_asked_for(self, table: Table) -> None:
        filled(table, 3)
        items = table.items(Query("pk = :pk", {"pk": "p"}, limit=1))

        first = next(items)
        table.delete({"pk": "p", "sk": "001"})

        assert [first["number"], *numbers(list(items))] == [0, 2]


class TestPut:
    def test_takes_the_place_of_an_item(self, table: Table) -> None:
        table.put(ITEM)

        assert table.put(KEY | {"state": "done"}) is None
        assert table.get(KEY) == KEY | {"state": "done"}

    def test_leaves_out_values_of_none(self, table: Table) -> None:
        table.put(ITEM | {"lease": None})

        assert table.get(KEY) == ITEM

    def test_stores_a_new_item(self, table: Table) -> None:
        assert table.put(ITEM, IS_NEW) is None
        assert table.get(KEY) == ITEM

    def test_is_refused_with_the_item_that_is_stored(self, table: Table) -> None:
        table.put(ITEM)

        assert table.put(KEY | {"state": "new"}, IS_NEW) == Refused(ITEM)
        assert table.get(KEY) == ITEM

    def test_is_refused_without_an_item_if_none_is_stored(self, table: Table) -> None:
        assert table.put(ITEM, EXISTS) == Refused(None)
        assert table.get(KEY) is None

    # The table is emptied after all examples, each of which replaces the item of the one before.
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
    @given(values=st.dictionaries(NAMES, VALUES, max_size=5))
    def test_stores_values_that_come_back_as_they_were(
        self, table: Table, values: dict[str, Any]
    ) -> None:
        item = values | KEY

        table.put(item)

        assert table.get(KEY) == item


class TestUpdate:
    def test_makes_an_item(self, table: Table) -> None:
        made = table.update(KEY, Update().set({"state": "waiting"}).add("count", 2))

        assert made == table.get(KEY) == KEY | {"state": "waiting", "count": 2}

    def test_sets_and_removes_and_leaves_the_rest(self, table: Table) -> None:
        table.put(ITEM | {"lease": "l", "wait_ms": 5})

        update = Update().set({"state": "done", "lease": None}).once({"attempt": 9, "first": 3})

        assert table.update(KEY, update) == ITEM | {"state": "done", "wait_ms": 5, "first": 3}

    def test_counts_and_appends(self, table: Table) -> None:
        table.put(ITEM | {"told": ["x"]})

        update = Update().add("attempt", -1).append("told", "y").append("new", 1)

        expected = ITEM | {"attempt": 0, "told": ["x", "y"], "new": [1]}
        assert table.update(KEY, update) == expected

    def test_happens_if_its_condition_holds(self, table: Table) -> None:
        table.put(ITEM)

        update = Update().set({"state": "sending"}).when(*CLAIM)

        assert table.update(KEY, update) == ITEM | {"state": "sending"}

    def test_is_refused_with_the_item_that_is_stored(self, table: Table) -> None:
        table.put(ITEM | {"state": "done"})
        update = Update().set({"state": "sending"}).when(*CLAIM)

        assert table.update(KEY, update) == Refused(ITEM | {"state": "done"})
        assert table.apply(KEY, update) == Refused(ITEM | {"state": "done"})
        assert table.get(KEY) == ITEM | {"state": "done"}

    def test_is_refused_without_an_item_if_none_is_stored(self, table: Table) -> None:
        update = Update().set({"state": "sending"}).when(*CLAIM)

        assert table.update(KEY, update) == Refused(None)
        assert table.apply(KEY, update) == Refused(None)
        assert table.get(KEY) is None

    def test_that_is_only_applied_gives_no_item(self, table: Table) -> None:
        assert table.apply(KEY, Update().set({"attempt": 2})) is None
        assert table.get(KEY) == KEY | {"attempt": 2}


@pytest.mark.parametrize("table", MOTO, indirect=True)
class TestAnUpdateWithinADocument:
    """The database of the fault runs refuses it loudly: no function of theirs makes one."""

    def test_changes_entries_of_a_map_and_parts_of_a_list(self, table: Table) -> None:
        table.put(KEY | {"map": {"a": 1, "b": 2}, "told": [{"body": "x", "at": 1}]})

        changed = table.update(KEY, Update().set_within("map", {"b": 3}).remove("told[0].body"))

        assert changed == KEY | {"map": {"a": 1, "b": 3}, "told": [{"at": 1}]}

    def test_adds_to_a_set(self, table: Table) -> None:
        table.put(KEY | {"ids": {"a"}})

        changed = table.update(KEY, Update().add("ids", frozenset({"b"})))

        assert changed == KEY | {"ids": {"a", "b"}}


class TestDelete:
    def test_removes_an_item_and_minds_no_missing_one(self, table: Table) -> None:
        table.put(ITEM)

        assert table.delete(KEY) is None
        assert table.delete(KEY) is None
        assert table.get(KEY) is None

    def test_is_refused_with_the_item_that_is_stored(self, table: Table) -> None:
        table.put(ITEM | {"state": "done"})

        assert table.delete(KEY, CLAIM) == Refused(ITEM | {"state": "done"})
        assert table.get(KEY) is not None

    def test_is_refused_without_an_item_if_none_is_stored(self, table: Table) -> None:
        assert table.delete(KEY, EXISTS) == Refused(None)


class TestTransact:
    def test_writes_all_operations(self, table: Table) -> None:
        table.put(ITEM)
        table.put(ITEM | {"sk": "gone"})
        done = Update().set({"state": "done"}).when(*CLAIM)

        refused = table.transact(
            [
                table.putting(KEY | {"sk": "new"}, IS_NEW),
                table.updating(KEY, done),
                table.deleting(KEY | {"sk": "gone"}, EXISTS),
            ]
        )

        assert not refused
        items = table.items(Query("pk = :pk", {"pk": "p"}))
        assert [(item["sk"], item.get("state")) for item in items] == [("new", None), ("s", "done")]

    def test_writes_nothing_if_a_condition_fails_and_names_its_position(self, table: Table) -> None:
        table.put(ITEM)

        refused = table.transact(
            [
                table.putting(KEY | {"sk": "new"}, IS_NEW),
                table.putting(ITEM | {"attempt": 2}, IS_NEW),
                table.deleting(KEY | {"sk": "none"}, EXISTS),
            ]
        )

        assert refused == {1, 2}
        assert list(table.items(Query("pk = :pk", {"pk": "p"}))) == [ITEM]


class TestAnotherError:
    @pytest.mark.parametrize("code", ["AccessDeniedException", "ValidationException"])
    def test_is_raised_as_it_comes(
        self, table: Table, monkeypatch: pytest.MonkeyPatch, code: str
    ) -> None:
        _answering(monkeypatch, table, "update_item", code)

        with pytest.raises(ClientError, match=code):
            table.update(KEY, Update().set({"attempt": 2}).when("attempt = :when_one", {"one": 1}))

    def test_of_an_item_that_a_transaction_holds_is_a_busy_error(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _answering(monkeypatch, table, "update_item", "TransactionConflictException")

        with pytest.raises(ItemBusyError):
            table.update(KEY, Update().set({"attempt": 2}))
        with pytest.raises(ItemBusyError):
            table.apply(KEY, Update().set({"attempt": 2}))

    def test_of_a_start_key_that_no_page_gave_is_named(
        self, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _answering(monkeypatch, table, "query", "ValidationException")

        with pytest.raises(StartKeyError):
            table.query(Query("pk = :pk", {"pk": "p"}, after={"pk": "p"}))
        with pytest.raises(ClientError, match="ValidationException"):
            table.query(Query("pk = :pk", {"pk": "p"}))


def _answering(monkeypatch: pytest.MonkeyPatch, table: Table, call: str, code: str) -> None:
    def refuse(**_: Any) -> None:
        raise client_error(call, code)

    monkeypatch.setattr(table.client, call, refuse)
