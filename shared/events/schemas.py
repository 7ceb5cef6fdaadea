"""The JSON Schema that a workspace gives to a type of its own, and what an event breaks of it.

Both come from tenants, so every cost is bounded (docs/decisions/0011-schemas-of-event-types.md).
jsonschema-rs is imported when the first schema is compiled, and not by every cold start.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from shared.errors import Field, InvalidError
from shared.events.schema_bounds import MAX_BYTES, MAX_WORK, Schema, count, measured, refused

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

MAX_FIELDS = 20
MAX_MESSAGE = 256
# Values of an event, times those of its schema: so many mistakes may be found at once.
MAX_SEARCH = 100_000
# Compiled; a search takes time in proportion to it and to the text, whatever the two are.
_MAX_PATTERN_BYTES = 64 * 1024
_MASK = "the value"
_DATA = ("data",)


class DataSchema:
    """A schema, ready to check the data of events."""

    def __init__(self, schema: Schema) -> None:
        """Raises InvalidError, with a path within the schema, for what is none or out of bounds."""
        _check_bytes(schema)
        self._size = measured(schema)
        self._validator = _compiled(schema)

    @property
    def weight(self) -> int:
        return self._size.weight

    def check(self, data: dict[str, Any]) -> None:
        """Raises InvalidError with up to MAX_FIELDS places where `data` breaks the schema."""
        try:
            mistakes = tuple(islice(self._mistakes(data), MAX_FIELDS))
        except ValueError:  # half of a surrogate pair, or more levels than any road but one lets in
            mistakes = (_field(_DATA, "is not JSON as JSON Schema knows it"),)
        if mistakes:
            text = "; ".join(f"{field.path}: {field.message}" for field in mistakes)
            raise InvalidError(text, mistakes)

    def _mistakes(self, data: dict[str, Any]) -> Iterator[Field]:
        if self._size.work(data) > MAX_WORK:
            yield _field(_DATA, "is too large for the schema of its type")
        elif self._validator.is_valid(data):
            return
        # They are found all at once, each with what was expected in its place.
        elif count(data) * self._size.values > MAX_SEARCH:
            yield _field(_DATA, "breaks the schema of its type, and is too large to say where")
        else:
            for error in self._validator.iter_errors(data):
                yield from _fields(error)


def _check_bytes(schema: Schema) -> None:
    size = len(json.dumps(schema, separators=(",", ":"), ensure_ascii=False).encode())
    if size > MAX_BYTES:
        raise refused((), f"has {size} bytes, the limit is {MAX_BYTES}")


def _compiled(schema: Schema) -> "Draft202012Validator":
    import jsonschema_rs

    # The engine without backtracking: it knows no look-around and no back-references.
    patterns = jsonschema_rs.RegexOptions(
        size_limit=_MAX_PATTERN_BYTES, dfa_size_limit=_MAX_PATTERN_BYTES
    )
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, pattern_options=patterns, mask=_MASK, validate_formats=False, offline=True
        )
    except jsonschema_rs.ValidationError as error:
        raise refused(tuple(error.instance_path), _why_no_schema(error)) from None


def _why_no_schema(error: "ValidationError") -> str:
    if error.kind.name == "format":
        return (
            "is not a regular expression, or one with look-around, back-references or large "
            "repetitions; for a length use maxLength"
        )
    return _short(error.message)


def _fields(error: "ValidationError") -> Iterator[Field]:
    from jsonschema_rs import ValidationErrorKind as Kind

    path = (*_DATA, *error.instance_path)
    match error.kind:
        case Kind.Required(property=name):
            yield _field((*path, name), "is required")
        case Kind.AdditionalProperties(unexpected=names):
            yield from (_field((*path, name), "is not a known field") for name in names)
        case _:
            yield _field(path, error.message)


def _field(path: tuple[str | int, ...], message: str) -> Field:
    return Field(path=_short(".".join(map(str, path))), message=_short(message))


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
