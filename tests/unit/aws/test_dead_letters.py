from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws.dead_letters import (
    MAX_MESSAGE,
    MAX_PATH,
    MAX_PATHS,
    DeadLetter,
    DeadLetters,
    DeadLettersNotSentError,
    dead_letter,
    sendable,
)
from shared.errors import ConflictError, Field, InvalidError
from tests.fakes import FakeClock, FakeSqs

# Source: Amazon SQS API Reference, SendMessage.
ALLOWED = {0x9, 0xA, 0xD} | {*range(0x20, 0xD800)} | {*range(0xE000, 0xFFFE)}


def put(*letters: DeadLetter, sqs: FakeSqs | None = None) -> list[dict[str, Any]]:
    sqs = sqs or FakeSqs()
    DeadLetters(sqs, "url", FakeClock()).put(letters)  # type: ignore[arg-type]
    return [entry for batch in sqs.batches for entry in batch]


def attributes(entry: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in entry["MessageAttributes"].items()}


def test_a_letter_says_what_was_wrong_and_where() -> None:
    fields = (Field(path="a", message="no"), Field(path="b", message="no"))
    error = InvalidError("a: no; b: no", fields)

    (entry,) = put(dead_letter("{}", "message-1", error))

    assert entry["MessageBody"] == "{}"
    assert attributes(entry) == {
        "error_code": "invalid",
        "error_message": "a: no; b: no",
        "error_fields": '["a", "b"]',
        "source_id": "message-1",
        "refused_at": "2026-04-29T18:04:15.000Z",
    }


def test_a_letter_without_fields_names_none() -> None:
    (entry,) = put(dead_letter("{}", "message-1", ConflictError("taken")))

    assert attributes(entry).keys() == {"error_code", "error_message", "source_id", "refused_at"}


def test_the_place_in_a_batch_is_a_number() -> None:
    found = dead_letter("{}", "m", InvalidError("no")).model_copy(update={"batch_index": 0})

    (entry,) = put(found)

    assert entry["MessageAttributes"]["batch_index"] == {"DataType": "Number", "StringValue": "0"}


@given(st.text(max_size=2000), st.lists(st.text(max_size=300), max_size=20))
def test_whatever_was_wrong_can_be_sent(message: str, paths: list[str]) -> None:
    error = InvalidError(message, tuple(Field(path=path, message="") for path in paths))

    (entry,) = put(dead_letter("{}", "message-1", error))

    for value in attributes(entry).values():
        assert value
        assert all(ord(one) in ALLOWED or ord(one) > 0xFFFF for one in value)
    # Ten attributes at most; beside them there is room for a message of nearly 1 MiB.
    assert len(entry["MessageAttributes"]) <= 10
    assert len(str(attributes(entry)).encode()) < 4 * MAX_MESSAGE + 6 * MAX_PATH * MAX_PATHS + 500


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (10, [10]), (21, [10, 10, 1])])
def test_letters_are_sent_ten_at_a_time(count: int, sizes: list[int]) -> None:
    sqs = FakeSqs()

    put(*[dead_letter("{}", "m", InvalidError("no"))] * count, sqs=sqs)

    assert [len(batch) for batch in sqs.batches] == sizes


def test_letters_that_sqs_does_not_take_are_an_error() -> None:
    with pytest.raises(DeadLettersNotSentError, match="1 of 2"):
        put(*[dead_letter("{}", "m", InvalidError("no"))] * 2, sqs=FakeSqs(refuse=["1"]))


def test_characters_that_sqs_takes_stay() -> None:
    assert sendable("a\tb\né😀", 10) == "a\tb\né😀"
    assert sendable("a\0b\uffffc\ud800", 10) == "a�b�c�"
