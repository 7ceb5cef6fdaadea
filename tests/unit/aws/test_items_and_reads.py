from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws import clients
from shared.aws.items import from_item, to_item
from shared.aws.table import ItemsNotReadError, Table
from tests.fakes import FakeDynamoDb

KEYS = [{"pk": "W#1", "sk": f"CONFIG#{number}"} for number in range(250)]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**37), max_value=10**37)
    | st.text()
    | st.binary()
    | st.sets(st.text(min_size=1), min_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr("shared.aws.table.time.sleep", taken.append)
    return taken


def table(lazy_rounds: int = 0) -> FakeDynamoDb:
    return FakeDynamoDb({"configs": [to_item(key) for key in KEYS]}, lazy_rounds)


def read(dynamodb: FakeDynamoDb, keys: list[dict[str, str]]) -> list[dict[str, Any]]:
    return Table(cast(Any, dynamodb), "configs").get_many(keys)


class TestItems:
    @given(st.dictionaries(st.text(min_size=1), VALUES))
    def test_come_back_as_they_were_stored(self, values: dict[str, Any]) -> None:
        stored = {name: value for name, value in values.items() if value is not None}

        assert from_item(to_item(values)) == stored

    def test_bytes_come_from_a_stream_as_text(self) -> None:
        assert from_item({"payload": {"B": "AQID"}}) == {"payload": b"\x01\x02\x03"}

    @pytest.mark.parametrize("value", [1.5, object()])
    def test_hold_nothing_that_would_not_come_back(self, value: object) -> None:
        with pytest.raises(TypeError):
            to_item({"value": value})

    def test_hold_nothing_that_was_not_put_there(self) -> None:
        with pytest.raises(TypeError):
            from_item({"value": {"NS": ["1"]}})


class TestABatchRead:
    def test_gives_what_exists(self, naps: list[float]) -> None:
        assert read(table(), [KEYS[1], {"pk": "W#1", "sk": "CONFIG#none"}]) == [KEYS[1]]
        assert naps == []

    def test_asks_for_100_keys_at_a_time(self) -> None:
        dynamodb = table()

        found = read(dynamodb, KEYS)

        assert len(found) == 250
        assert dynamodb.calls == 3

    def test_of_nothing_asks_nobody(self) -> None:
        dynamodb = table()

        assert read(dynamodb, []) == []
        assert dynamodb.calls == 0

    def test_asks_again_for_what_was_left_unread(self, naps: list[float]) -> None:
        dynamodb = table(lazy_rounds=2)

        found = read(dynamodb, KEYS[:5])

        assert sorted(item["sk"] for item in found) == sorted(key["sk"] for key in KEYS[:5])
        assert naps == [0.05, 0.1]

    def test_gives_up_after_five_rounds(self, naps: list[float]) -> None:
        with pytest.raises(ItemsNotReadError):
            read(table(lazy_rounds=99), KEYS[:9])

        assert len(naps) == 5


def test_a_worker_makes_each_client_once() -> None:
    assert clients.dynamodb() is clients.dynamodb()
    assert clients.sqs() is clients.sqs()
