"""Validation errors of pydantic as InvalidError: a path and a sentence for each field."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from shared.errors import Field, InvalidError

MAX_FIELDS = 20


def invalid(error: ValidationError) -> InvalidError:
    return from_problems(error.errors(include_url=False, include_input=False))


def from_problems(problems: Iterable[Mapping[str, Any]], skip: int = 0) -> InvalidError:
    """`skip` is the number of leading parts that are left out of every path."""
    fields = tuple(_field(problem, skip) for problem in problems)[:MAX_FIELDS]
    text = "; ".join(
        f"{field.path}: {field.message}" if field.path else field.message for field in fields
    )
    return InvalidError(text, fields)


def _field(problem: Mapping[str, Any], skip: int) -> Field:
    path = ".".join(str(part) for part in problem["loc"][skip:])
    return Field(path=path, message=_message(problem))


def _message(problem: Mapping[str, Any]) -> str:
    match problem["type"]:
        case "extra_forbidden":
            return "is not a known field"
        case "missing":
            return "is required"
        case "value_error":
            return str(problem["msg"]).removeprefix("Value error, ")
        case _:
            return str(problem["msg"])
