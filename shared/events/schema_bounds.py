"""Bounds for a workspace's JSON Schema, so that checking an event against it has a bounded cost.

A schema comes from one tenant and runs in the workers of all. It is measured with every `$ref`
replaced by its target, so neither circular nor nested references hide its cost. Keywords for which
an evaluator needs several passes, or other documents, are refused.
"""

import json
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any

from shared.errors import InvalidError
from shared.model import Model

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 16 * 1024
# Counted with each reference replaced by its target.
MAX_DEPTH = 64
MAX_VALUES = 4_000
MAX_SEARCHES = 100
# One second of one processor: the slowest comparison takes 60 ns.
MAX_WORK = 16_000_000
# Measured, in comparisons. Numbers are compared digit by digit, exactly as written.
_OF_A_NUMBER = 8
_OF_A_SEARCHED_CHARACTER = 42
_BITS_A_VALUE = 16
# A string counts as one value more for each of so many characters.
_CHARACTERS_A_VALUE = 64
# Measured: a search takes as much memory as so many values.
_WEIGHT_OF_A_SEARCH = 50

_REFERENCE = re.compile(r"#/\$defs/([A-Za-z0-9_.-]+)")
_REFUSED = (
    "$id",
    "$anchor",
    "$dynamicRef",
    "$dynamicAnchor",
    "$recursiveRef",
    "$recursiveAnchor",
    "$vocabulary",
    "unevaluatedItems",
    "unevaluatedProperties",
)

Schema = dict[str, Any]


class Role(Enum):
    """The role of a value in a schema: a schema, schemas by name, or data to compare with."""

    SCHEMA = auto()
    NAMES = auto()
    DATA = auto()


_NAMES = (
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
)
_ROLES = dict.fromkeys(_NAMES, Role.NAMES) | dict.fromkeys(
    ("const", "default", "enum", "examples"), Role.DATA
)


class Size(Model):
    """The cost of a schema, with each reference replaced by its target.

    `values` are its JSON values. Each value of an event needs up to `comparisons` comparisons.
    `searches` read every character: patterns, and multipleOf, which divides exactly.
    """

    values: int
    comparisons: int
    searches: int

    @property
    def weight(self) -> int:
        """The memory that the compiled schema needs, in values."""
        return self.values + _WEIGHT_OF_A_SEARCH * self.searches

    def work(self, data: Any) -> int:
        """The time that a check of `data` needs, in comparisons."""
        searched = len(json.dumps(data)) * _OF_A_SEARCHED_CHARACTER
        return count(data) * self.comparisons + searched * self.searches


def count(data: Any) -> int:
    """The number of values in an event's data; a long integer counts as several."""
    match data:
        case dict():
            return 1 + sum(map(count, data.values()))
        case list():
            return 1 + sum(map(count, data))
        case int():
            return 1 + data.bit_length() // _BITS_A_VALUE
        case _:
            return 1


def measured(schema: Schema) -> Size:
    """The cost of a schema. Raises InvalidError, with a path in the schema, if it is too high."""
    return _Measure(schema).size()


class _Measure:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        definitions = schema.get("$defs")
        self._definitions = definitions if isinstance(definitions, dict) else {}
        self._values = 0
        self._comparisons = 0
        self._searches = 0

    def size(self) -> Size:
        self._walk(self._schema, ())
        return Size(values=self._values, comparisons=self._comparisons, searches=self._searches)

    def _walk(
        self, value: Any, path: tuple[str, ...], depth: int = 0, role: Role = Role.SCHEMA
    ) -> None:
        if depth > MAX_DEPTH:
            raise refused(path, f"lies deeper than {MAX_DEPTH} levels; a $ref must not lead back")
        self._count(value, path)
        is_schema = isinstance(value, dict) and role is Role.SCHEMA
        if is_schema:
            self._check(value, path)
            self._search(value, path)
        for name, inner in _inner(value):
            self._walk(inner, (*path, name), depth + 1, _role(value, role, name))
        if is_schema and isinstance(value.get("$ref"), str):
            self._walk(self._referred(value["$ref"], path), path, depth + 1)

    def _count(self, value: Any, path: tuple[str, ...]) -> None:
        values = 1 + (len(value) // _CHARACTERS_A_VALUE if isinstance(value, str) else 0)
        self._values += values
        self._comparisons += _of_number(value) if isinstance(value, int | float) else values
        if self._values > MAX_VALUES:
            raise refused(path, f"makes it more than {MAX_VALUES} values, each $ref written out")

    def _search(self, value: Schema, path: tuple[str, ...]) -> None:
        self._searches += _searches(value)
        if self._searches > MAX_SEARCHES:
            message = (
                f"makes it more than {MAX_SEARCHES} patterns and multipleOf, each $ref counted"
            )
            raise refused(path, message)

    def _check(self, value: Schema, path: tuple[str, ...]) -> None:
        for name in _REFUSED:
            if name in value:
                raise refused((*path, name), "is not supported")
        if value.get("$schema", DRAFT) != DRAFT:
            raise refused((*path, "$schema"), f"must be {DRAFT}, or left out")

    def _referred(self, reference: str, path: tuple[str, ...]) -> Any:
        found = _REFERENCE.fullmatch(reference)
        if not found or found[1] not in self._definitions:
            raise refused((*path, "$ref"), "must be #/$defs/NAME, with a NAME that $defs has")
        return self._definitions[found[1]]


def refused(path: tuple[str | int, ...], message: str) -> InvalidError:
    return InvalidError.at(".".join(map(str, ("schema", *path))), message)


def _role(value: Any, role: Role, name: str) -> Role:
    """The role of the value under `name`, or in a list, inside a value with `role`."""
    if role is Role.DATA:
        return Role.DATA
    if role is Role.NAMES or isinstance(value, list):
        return Role.SCHEMA
    return _ROLES.get(name, Role.SCHEMA)


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            yield from value.items()
        case list():
            yield from ((str(number), inner) for number, inner in enumerate(value))


def _of_number(value: float) -> int:
    return _OF_A_NUMBER * (count(value) if isinstance(value, int) else 1)


def _searches(value: Schema) -> int:
    by_name = value.get("patternProperties")
    return (
        isinstance(value.get("pattern"), str)
        + isinstance(value.get("multipleOf"), int | float)
        + (len(by_name) if isinstance(by_name, dict) else 0)
    )
