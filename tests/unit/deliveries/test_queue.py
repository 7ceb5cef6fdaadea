import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.deliveries.queue import TRANSIT_MS, AttemptMessage, MessagesNotSentError, Queue, delay_s
from shared.deliveries.transitions import EARLY_MS
from tests import factories
from tests.fakes import FakeSqs


def queue(sqs: FakeSqs) -> Queue:
    return Queue(cast(Any, sqs), "https://sqs/retry")


class TestDelays:
    @given(st.integers(min_value=-(10**12), max_value=10**12))
    def test_are_what_sqs_takes(self, delay_ms: int) -> None:
        assert 0 <= delay_s(delay_ms) <= 900

    @given(st.integers(min_value=0, max_value=900_000))
    def test_leave_a_message_time_for_its_way(self, delay_ms: int) -> None:
        assert -TRANSIT_MS <= delay_s(delay_ms) * 1000 - delay_ms < 1000 - TRANSIT_MS

    def test_are_early_by_no_more_than_a_claim_lets_pass(self) -> None:
        assert TRANSIT_MS < EARLY_MS

    @pytest.mark.parametrize(
        ("delay_ms", "seconds"),
        [(-5, 0), (0, 0), (200, 0), (201, 1), (1000, 1), (1201, 2), (900_000, 900), (900_201, 900)],
    )
    def test_are_rounded_up(self, delay_ms: int, seconds: int) -> None:
        assert delay_s(delay_ms) == seconds


class TestAMessage:
    def test_holds_ids_and_nothing_else(self) -> None:
        sqs, pointer = FakeSqs(), factories.pointer(attempt=3)

        queue(sqs).send([pointer], 1500)

        ((entry,),) = sqs.batches
        assert json.loads(entry["MessageBody"]) == {
            "workspace_id": pointer.workspace_id,
            "config_id": "crm",
            "request_id": str(pointer.request_id),
            "attempt": 3,
        }
        assert entry["DelaySeconds"] == 2

    def test_is_grouped_by_its_workspace_and_config(self) -> None:
        sqs = FakeSqs()

        queue(sqs).send([factories.pointer("crm"), factories.pointer("mail")])

        workspace_id = factories.pointer().workspace_id
        groups = [entry["MessageGroupId"] for entry in sqs.batches[0]]
        assert groups == [f"{workspace_id}.crm", f"{workspace_id}.mail"]

    def test_is_read_back_as_it_was_sent(self) -> None:
        sqs, pointer = FakeSqs(), factories.pointer()

        queue(sqs).send([pointer])

        assert AttemptMessage.model_validate_json(sqs.batches[0][0]["MessageBody"]) == pointer


class TestABatch:
    @pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (21, [10, 10, 1])])
    def test_has_at_most_ten_messages(self, count: int, sizes: list[int]) -> None:
        sqs = FakeSqs()

        queue(sqs).send([factories.pointer(f"config-{number}") for number in range(count)])

        assert [len(batch) for batch in sqs.batches] == sizes
        for batch in sqs.batches:
            assert len({entry["Id"] for entry in batch}) == len(batch)

    def test_of_which_a_part_is_refused_raises(self) -> None:
        pointers = [factories.pointer("crm"), factories.pointer("mail")]

        with pytest.raises(MessagesNotSentError, match="1 of 2 messages"):
            queue(FakeSqs(refuse="1")).send(pointers)
