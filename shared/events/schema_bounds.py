"""How large a workspace's JSON Schema is, so that the cost of checking an event by it is bounded.

A schema comes from one tenant and runs in the workers of all. Every `$ref` is written out for the
measure, so neither a circle nor a tower of references hides what a schema costs. What an evaluator
would need more than one pass for, or would look up elsewhere, is refused.
"""

import re
from collections.abc import Iterator
from typing import Any

from shared.errors import InvalidError
from shared.model import Model

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MAX_BYTES = 16 * 1024
# With references written out.
MAX_DEPTH = 64
MAX_VALUES = 4_000
MAX_PATTERNS = 100
# A string costs one value more for so many characters.
_CHARACTERS_A_VALUE = 64
# Measured: to search a text for a pattern costs what it costs to compare it to so many values.
_VALUES_A_PATTERN = 1_000

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


class Size(Model):
    """`values` are the JSON values of a schema, `patterns` its regular expressions."""

    values: int
    patterns: int

    @property
    def weight(self) -> int:
        return self.values + _VALUES_A_PATTERN * self.patterns


def measured(schema: Schema) -> Size:
    """Raises InvalidError, with a path within the schema, for what is out of bounds."""
    return _Measure(schema).size()


class _Measure:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        definitions = schema.get("$defs")
        self._definitions = definitions if isinstance(definitions, dict) else {}
        self._values = 0
        self._patterns = 0

    def size(self) -> Size:
        self._walk(self._schema, ())
        return Size(values=self._values, patterns=self._patterns)

    def _walk(self, value: Any, path: tuple[str, ...], depth: int = 0) -> None:
        if depth > MAX_DEPTH:
            raise refused(path, f"lies deeper than {MAX_DEPTH} levels; a $ref must not lead back")
        self._count(value, path)
        if isinstance(value, dict):
            self._check(value, path)
        for name, inner in _inner(value):
            self._walk(inner, (*path, name), depth + 1)
        if isinstance(value, dict) and isinstance(value.get("$ref"), str):
            self._walk(self._referred(value["$ref"], path), path, depth + 1)

    def _count(self, value: Any, path: tuple[str, ...]) -> None:
        self._values += 1
        if isinstance(value, str):
            self._values += len(value) // _CHARACTERS_A_VALUE
        if isinstance(value, dict):
            self._patterns += _patterns(value)
        if self._values > MAX_VALUES:
            raise refused(path, f"makes it more than {MAX_VALUES} values, each $ref written out")
        if self._patterns > MAX_PATTERNS:
            raise refused(path, f"makes it more than {MAX_PATTERNS} patterns, each $ref counted")

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


def _inner(value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            yield from value.items()
        case list():
            yield from ((str(number), inner) for number, inner in enumerate(value))


def _patterns(value: Schema) -> int:
    by_name = value.get("patternProperties")
    return isinstance(value.get("pattern"), str) + (
        len(by_name) if isinstance(by_name, dict) else 0
    )
