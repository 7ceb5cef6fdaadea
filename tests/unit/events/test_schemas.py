"""What a workspace may give as a schema, and what is said about data that breaks it."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Field, InvalidError
from shared.events.schema_bounds import (
    DRAFT,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_SEARCHES,
    MAX_VALUES,
    Size,
    measured,
)
from shared.events.schemas import MAX_FIELDS, MAX_MESSAGE, DataSchema

ORDER = {
    "$schema": DRAFT,
    "type": "object",
    "required": ["order_id"],
    "additionalProperties": False,
    "properties": {
        "order_id": {"type": "integer"},
        "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
        "items": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/item"}},
    },
    "$defs": {
        "item": {
            "type": "object",
            "required": ["sku"],
            "properties": {"sku": {"type": "string", "maxLength": 8}},
        }
    },
}


def why_refused(schema: dict[str, Any]) -> Field:
    with pytest.raises(InvalidError) as refusal:
        DataSchema(schema)
    (field,) = refusal.value.fields
    return field


def mistakes(schema: dict[str, Any], data: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(InvalidError) as refusal:
        DataSchema(schema).check(data)
    return {field.path: field.message for field in refusal.value.fields}


def of_data(schema: dict[str, Any]) -> dict[str, Any]:
    return {"properties": {"x": schema}}


def tower(levels: int) -> dict[str, Any]:
    """Each level refers twice to the next one: 2 ** levels schemas, written out."""
    twice = {
        f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}, {"$ref": f"#/$defs/l{n + 1}"}]}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/l0", "$defs": {**twice, f"l{levels}": {"type": "object"}}}


def nested(keyword: str, levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {keyword: schema}
    return schema


class TestData:
    @pytest.mark.parametrize(
        "data",
        [
            {"order_id": 1},
            {"order_id": 1.0, "country": "DE"},
            {"order_id": 2**70, "items": [{"sku": "a", "colour": None}]},
        ],
    )
    def test_that_keeps_to_the_schema_passes(self, data: dict[str, Any]) -> None:
        DataSchema(ORDER).check(data)

    def test_that_breaks_it_is_told_every_place(self) -> None:
        data = {"country": "Germany", "items": [{"sku": 5}, {}, {"sku": "x" * 9}], "colour": "red"}

        assert mistakes(ORDER, data) == {
            "data.order_id": "is required",
            "data.colour": "is not a known field",
            "data.country": 'the value does not match "^[A-Z]{2}$"',
            "data.items.0.sku": 'the value is not of type "string"',
            "data.items.1.sku": "is required",
            "data.items.2.sku": "the value is longer than 8 characters",
        }

    def test_is_told_in_one_sentence_too(self) -> None:
        with pytest.raises(InvalidError, match=r"^data\.order_id: is required$"):
            DataSchema(ORDER).check({})

    def test_is_not_repeated_in_what_is_said_about_it(self) -> None:
        schema = of_data({"enum": ["a"], "minLength": 99, "not": {"type": "string"}})

        assert "hunter2" not in " ".join(mistakes(schema, {"x": "hunter2"}).values())

    def test_of_many_mistakes_is_told_twenty(self) -> None:
        schema = of_data({"items": {"type": "integer"}})

        assert len(mistakes(schema, {"x": ["a"] * 1_000})) == MAX_FIELDS

    def test_is_told_in_messages_of_bounded_length(self) -> None:
        schema = of_data({"const": "c" * 10_000})

        (message,) = mistakes(schema, {"x": "y"}).values()
        assert len(message) == MAX_MESSAGE

    def test_too_large_to_search_is_told_only_that_it_is_wrong(self) -> None:
        schema = of_data({"items": {"enum": [f"v{n}" for n in range(500)]}})

        assert mistakes(schema, {"x": ["a"] * 10_000}) == {
            "data": "breaks the schema of its type, and is too large to say where"
        }

    def test_too_large_for_all_the_patterns_is_refused(self) -> None:
        schema = of_data({"items": {"allOf": [{"pattern": "^a"}] * 50}})

        DataSchema(schema).check({"x": ["a"] * 1_000})
        too_large = mistakes(schema, {"x": ["a"] * 2_000})
        assert too_large == {"data": "is too large for the schema of its type"}

    @pytest.mark.parametrize("name", ["a.b", "~1", "0", "é"])
    def test_may_have_any_names(self, name: str) -> None:
        schema = {"properties": {name: {"type": "integer"}}}

        assert list(mistakes(schema, {name: "x"})) == [f"data.{name}"]

    @pytest.mark.parametrize("value", ["\ud800", float("nan"), 10**400, -(10**4000)])
    def test_of_odd_values_is_checked_or_refused(self, value: Any) -> None:
        assert list(mistakes(of_data({"type": "object"}), {"x": value})) in (["data"], ["data.x"])

    def test_of_absurd_depth_is_refused(self) -> None:
        assert list(mistakes({"type": "array"}, nested("a", 400))) == ["data"]

    def test_formats_describe_and_are_not_checked(self) -> None:
        DataSchema(of_data({"format": "email"})).check({"x": "nobody"})


class TestASchema:
    @pytest.mark.parametrize(
        ("schema", "path"),
        [
            ({"type": "strin"}, "schema.type"),
            ({"properties": {"a": {"minLength": -1}}}, "schema.properties.a.minLength"),
            ({"items": [{}]}, "schema.items"),
            ({"required": "a"}, "schema.required"),
        ],
    )
    def test_must_be_one(self, schema: dict[str, Any], path: str) -> None:
        assert why_refused(schema).path == path

    def test_may_be_empty(self) -> None:
        DataSchema({}).check({"anything": ["goes"]})

    def test_may_hold_so_many_bytes(self) -> None:
        room = MAX_BYTES - len('{"description":""}')

        DataSchema({"description": "x" * room})
        assert why_refused({"description": "x" * (room + 1)}) == Field(
            path="schema", message="has 16385 bytes, the limit is 16384"
        )

    def test_counts_the_bytes_of_letters_not_the_letters(self) -> None:
        assert why_refused({"description": "é" * 9_000}).path == "schema"

    @pytest.mark.parametrize("draft", [DRAFT.replace("2020-12", "2019-09"), DRAFT + "#", 7, None])
    def test_is_of_draft_2020_12(self, draft: Any) -> None:
        assert why_refused({"$schema": draft}).path == "schema.$schema"

    @pytest.mark.parametrize(
        "reference",
        [
            "https://example.com/schema.json",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "other.json",
            "#",
            "#item",
            "#/properties/x",
            "#/$defs/unknown",
            "#/$defs/item/properties/sku",
            "#/$defs/%69tem",
            "",
        ],
    )
    def test_refers_to_its_own_definitions_only(self, reference: str) -> None:
        schema = {"properties": {"x": {"$ref": reference}}, "$defs": {"item": {}}}

        assert why_refused(schema).path == "schema.properties.x.$ref"

    @pytest.mark.parametrize(
        "keyword",
        ["$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "unevaluatedProperties"],
    )
    def test_has_none_of_the_keywords_that_look_elsewhere_or_twice(self, keyword: str) -> None:
        schema = {"properties": {"a": {keyword: "#"}}}

        assert why_refused(schema) == Field(
            path=f"schema.properties.a.{keyword}", message="is not supported"
        )

    @pytest.mark.parametrize(
        "schema",
        [
            {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}},
            {"$defs": {"a": {"properties": {"child": {"$ref": "#/$defs/a"}}}}},
            {
                "$defs": {
                    "a": {"anyOf": [{"$ref": "#/$defs/b"}]},
                    "b": {"items": {"$ref": "#/$defs/a"}},
                }
            },
        ],
    )
    def test_must_not_refer_in_a_circle(self, schema: dict[str, Any]) -> None:
        assert "must not lead back" in why_refused(schema).message

    def test_may_share_definitions_as_long_as_it_stays_small_without(self) -> None:
        DataSchema(tower(5)).check({})

        assert f"more than {MAX_VALUES} values" in why_refused(tower(20)).message

    def test_must_not_be_deep(self) -> None:
        DataSchema(nested("not", MAX_DEPTH))

        assert f"deeper than {MAX_DEPTH}" in why_refused(nested("not", MAX_DEPTH + 1)).message

    def test_may_have_so_many_patterns_and_divisors(self) -> None:
        searches = [{"pattern": "a", "multipleOf": 2}] * (MAX_SEARCHES // 2 - 1)

        DataSchema({"allOf": searches, "patternProperties": {"b": {}, "c": {}}})
        refusal = why_refused({"allOf": searches, "patternProperties": {"b": {}, "c": {}, "d": {}}})
        assert f"more than {MAX_SEARCHES} patterns" in refusal.message

    @pytest.mark.parametrize(
        "pattern", ["(", "(?=a)b", "(?<!a)b", r"(a)\1", "(a{1000}){1000}", "x{99999}"]
    )
    def test_has_patterns_that_can_be_searched_without_backtracking(self, pattern: str) -> None:
        refusal = why_refused(of_data({"pattern": pattern}))

        assert refusal.path == "schema.properties.x.pattern"
        assert "regular expression" in refusal.message

    @pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|a)*c", "(.*)*x", "^(a?){50}a{50}$"])
    def test_may_have_patterns_that_kill_other_engines(self, pattern: str) -> None:
        text = "a" * 100_000 + "b"

        assert list(mistakes(of_data({"pattern": pattern}), {"x": text})) == ["data.x"]

    @pytest.mark.parametrize(
        ("schema", "size"),
        [
            ({}, (1, 1, 0)),
            ({"type": "object", "required": ["a", "b"]}, (5, 5, 0)),
            ({"const": "x" * 640}, (12, 12, 0)),
            ({"minimum": 1}, (2, 9, 0)),
            ({"const": 10**300}, (2, 505, 0)),
            ({"pattern": "a", "multipleOf": 0.5}, (3, 10, 2)),
            ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}, (7, 7, 0)),
        ],
    )
    def test_is_measured_by_what_it_costs(
        self, schema: dict[str, Any], size: tuple[int, int, int]
    ) -> None:
        found = measured(schema)

        assert (found.values, found.comparisons, found.searches) == size

    def test_costs_work_by_the_values_of_the_data_and_by_its_length(self) -> None:
        size = Size(values=1, comparisons=10, searches=2)

        assert size.work({"a": ["xy"]}) == 3 * 10 + len('{"a": ["xy"]}') * 42 * 2
        assert size.work({"a": 2**160}) > size.work({"a": 2**16})

    def test_property_names_are_no_keywords(self) -> None:
        names = ("pattern", "$ref", "$id", "$schema", "properties", "const", "type")
        schema = {"properties": {name: {"type": "string"} for name in names}}

        DataSchema(schema).check(dict.fromkeys(names, "x"))

    def test_a_property_named_like_a_keyword_holds_a_schema_all_the_same(self) -> None:
        for name in ("const", "enum", "default", "properties"):
            schema = {"properties": {name: {"$ref": "#/$defs/unknown"}}}

            assert why_refused(schema).path == f"schema.properties.{name}.$ref"

    def test_data_to_compare_with_is_no_schema(self) -> None:
        data = {"$id": 1, "$ref": "https://example.com", "pattern": "(", "properties": {"a": 5}}

        DataSchema({"const": data, "examples": [data], "default": data}).check(data)

    def test_keywords_that_it_does_not_know_say_nothing(self) -> None:
        DataSchema({"x-owner": "shop", "discriminator": {"propertyName": "kind"}}).check({})


def refused(step: Callable[[], object]) -> InvalidError | None:
    try:
        step()
    except InvalidError as error:
        return error
    return None


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
SIMPLE = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["object", "array", "string", "integer", "number", "null"]),
            "minLength": st.integers(0, 9),
            "maximum": st.integers() | st.floats(allow_nan=False, allow_infinity=False),
            "multipleOf": st.floats(1e-9, 1e9),
            "pattern": st.sampled_from(["^a", "[0-9]+", ".", r"\d{2}$"]),
            "required": st.lists(st.text(max_size=4), unique=True, max_size=3),
            "enum": st.lists(JSON, min_size=1, max_size=3),
            "const": JSON,
            "uniqueItems": st.booleans(),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "properties": st.dictionaries(st.text(max_size=4), inner, max_size=3),
            "additionalProperties": inner | st.booleans(),
            "propertyNames": inner,
            "items": inner,
            "contains": inner,
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "oneOf": st.lists(inner, min_size=1, max_size=3),
            "not": inner,
            "if": inner,
            "then": inner,
        },
    ),
    max_leaves=8,
)


@given(SIMPLE, st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_any_data_passes_any_schema_or_is_told_why_not(
    schema: dict[str, Any], data: dict[str, Any]
) -> None:
    checked = DataSchema(schema)

    refusal = refused(lambda: checked.check(data))

    assert refusal is None or (refusal.message and 1 <= len(refusal.fields) <= MAX_FIELDS)


@given(JSON)
def test_whatever_comes_as_a_schema_is_taken_or_refused(value: Any) -> None:
    schema = value if isinstance(value, dict) else {"properties": value, "$defs": value}

    refusal = refused(lambda: DataSchema(schema))

    assert refusal is None or refusal.fields[0].path.startswith("schema")


@pytest.mark.parametrize("function", ["ingest", "configs"])
def test_a_cold_start_does_not_load_the_library(function: str) -> None:
    program = f"import sys, functions.{function}.handler; print('jsonschema_rs' in sys.modules)"

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )

    assert run.stdout == "False\n"
