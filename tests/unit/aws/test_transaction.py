from types import SimpleNamespace
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from shared.aws.table import FIRST_PAUSE_S, TRANSACTION_ROUNDS, Table

ITEMS = [{"Put": {"TableName": "T"}}, {"Delete": {"TableName": "T"}}]
CONFLICT, FAILED, FINE = "TransactionConflict", "ConditionalCheckFailed", "None"


class FakeDynamoDb:
    """Answers each transaction with the next of its errors, and then lets them through."""

    def __init__(self, *errors: ClientError) -> None:
        self.asked: list[Any] = []
        self.tokens: list[str] = []
        self._errors = iter(errors)

    def transact_write_items(self, **request: Any) -> None:
        self.asked.append(request["TransactItems"])
        self.tokens.append(request["ClientRequestToken"])
        for error in self._errors:
            raise error

    def run(self) -> frozenset[int]:
        return Table(cast(Any, self), "T").transact(ITEMS)


def cancelled(*reasons: str) -> ClientError:
    answer: Any = {
        "Error": {"Code": "TransactionCanceledException"},
        "CancellationReasons": [{"Code": reason} for reason in reasons],
    }
    return ClientError(answer, "TransactWriteItems")


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "TransactWriteItems")


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it would have slept, at the longest."""
    paused: list[float] = []
    monkeypatch.setattr("shared.aws.table.time", SimpleNamespace(sleep=paused.append))
    monkeypatch.setattr("shared.aws.table.random", SimpleNamespace(random=lambda: 1.0))
    return paused


class TestATransaction:
    def test_is_sent_once_if_nothing_is_in_its_way(self, pauses: list[float]) -> None:
        dynamodb = FakeDynamoDb()

        refused = dynamodb.run()

        assert not refused
        assert dynamodb.asked == [ITEMS]
        assert pauses == []

    def test_is_sent_again_while_another_one_holds_an_item(self, pauses: list[float]) -> None:
        dynamodb = FakeDynamoDb(cancelled(CONFLICT, FINE), cancelled(FINE, CONFLICT))

        dynamodb.run()

        assert dynamodb.asked == [ITEMS] * 3
        assert pauses == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S]

    def test_is_another_one_to_dynamodb_whenever_it_is_sent_again(self) -> None:
        dynamodb = FakeDynamoDb(cancelled(CONFLICT, FINE), cancelled(FINE, CONFLICT))

        dynamodb.run()

        assert len(set(dynamodb.tokens)) == 3

    def test_gives_up_in_the_end(self, pauses: list[float]) -> None:
        dynamodb = FakeDynamoDb(*[cancelled(CONFLICT)] * (TRANSACTION_ROUNDS + 1))

        with pytest.raises(ClientError, match="TransactionCanceled"):
            dynamodb.run()

        assert len(dynamodb.asked) == TRANSACTION_ROUNDS
        assert len(pauses) == TRANSACTION_ROUNDS - 1
        assert sum(pauses) < 3  # well within the time of an HTTPS call

    @given(st.lists(st.sampled_from([CONFLICT, FAILED, FINE]), min_size=1, max_size=100))
    def test_says_which_conditions_failed_and_is_not_repeated_then(
        self, reasons: list[str]
    ) -> None:
        reasons.append(FAILED)
        dynamodb = FakeDynamoDb(cancelled(*reasons))

        refused = dynamodb.run()

        assert refused == {i for i, code in enumerate(reasons) if code == FAILED}
        assert len(dynamodb.asked) == 1

    @pytest.mark.parametrize(
        "error",
        [
            cancelled("ThrottlingError", FINE),
            cancelled(),
            refused("ProvisionedThroughputExceededException"),
            refused("ValidationException"),
        ],
    )
    def test_leaves_every_other_error_as_it_is(self, error: ClientError) -> None:
        dynamodb = FakeDynamoDb(error)

        with pytest.raises(ClientError) as raised:
            dynamodb.run()

        assert raised.value is error
        assert len(dynamodb.asked) == 1
