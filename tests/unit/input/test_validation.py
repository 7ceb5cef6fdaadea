from typing import Any

import pytest
from pydantic import ValidationError, field_validator

from shared.errors import InvalidError
from shared.input.validation import MAX_FIELDS, from_problems, invalid
from shared.model import Model


class Inner(Model):
    size: int


class Outer(Model):
    name: str
    inner: tuple[Inner, ...] = ()

    @field_validator("name")
    @classmethod
    def _no_shouting(cls, name: str) -> str:
        if name.isupper():
            raise ValueError("must not shout")
        return name


def refusal(values: Any) -> InvalidError:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(values)
    return invalid(caught.value)


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ({}, "name", "is required"),
        ({"name": "a", "colour": "red"}, "colour", "is not a known field"),
        ({"name": "A"}, "name", "must not shout"),
        ({"name": "a", "inner": [{"size": 1}, {"size": "x"}]}, "inner.1.size", "valid integer"),
    ],
)
def test_a_wrong_field_is_named_with_what_is_wrong(values: Any, path: str, message: str) -> None:
    (field,) = refusal(values).fields

    assert field.path == path
    assert message in field.message


def test_the_message_says_the_same_as_the_fields() -> None:
    error = refusal({"name": "A", "colour": "red"})

    assert error.message == "name: must not shout; colour: is not a known field"


def test_a_wrong_whole_has_no_path() -> None:
    error = refusal([])

    assert error.fields[0].path == ""
    assert not error.message.startswith(":")


def test_no_more_fields_are_named_than_anybody_reads() -> None:
    error = refusal({"name": "a"} | {f"extra{number}": 1 for number in range(MAX_FIELDS + 5)})

    assert len(error.fields) == MAX_FIELDS


def test_the_value_is_never_told() -> None:
    error = refusal({"name": "HUNTER2", "inner": [{"size": "hunter2"}], "x": "hunter2"})

    assert "hunter2" not in error.message.lower()


def test_leading_parts_of_a_path_can_be_left_out() -> None:
    problem = {"type": "missing", "loc": ("body", "name"), "msg": "Field required"}

    assert from_problems([problem], skip=1).fields[0].path == "name"
