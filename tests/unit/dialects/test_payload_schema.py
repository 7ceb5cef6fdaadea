"""The contract `webhook_outbound_payload_v1`: every key, and what a receiver may rely on."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from functions.configs.routes import public
from shared.dialects import DIALECTS
from shared.dialects.funnelflux import PAYLOAD_SCHEMA, SCHEMA_VERSION
from shared.dialects.payload import Head, OutboundPayload
from shared.errors import InvalidError
from shared.events import accept
from shared.events.models import CONTROL_FIELDS, IN_FLOW_FIELDS, TrackingEvent, TriggerType
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW
from tests.local.demo_samples import PUBLISHED
from tests.local.schema import text

REQUEST = UUID("afa7f540-76d9-4bfe-a18d-4bc4d690ea56")
# Source: FunnelFlux Pro, "Webhook Payloads", Common Fields to Object Fields.
KEYS = {
    "": """schema_version event_type request_id timestamp visitor funnel traffic_source hit
        tracking_fields visitor_tags session url_buffer is_action action_number action_data
        conversion custom_event""",
    "visitor": """visitor_id ip user_agent country_code country_name region city timezone language
        device_type os browser connection_type""",
    "funnel": "funnel_id funnel_name node_id node_name",
    "traffic_source": "traffic_source_id name",
    "hit": """hit_id hit_timestamp tracking_domain entrance_id entrance_timestamp is_new_visitor
        is_entrance is_unique_node_view visitor_id traffic_source_id funnel_id node_id page_id
        page_group_id node_type nodes_path time_on_page referrer filtered_traffic
        tracking_fields""",
    "session": """visitor_id hit_id entrance_id entrance_timestamp hit_timestamp reference_hit_id
        most_recent_page_id referrer""",
    "conversion": """conversion_id hit_id transaction revenue conversion_timestamp conversion_time
        event_data1 event_data2 pii_email pii_phone passthrough_params""",
    "custom_event": """custom_event_id event_number hit_id revenue timestamp conversion_time
        event_data1 event_data2 pii_email pii_phone passthrough_params""",
}


@cache
def schema() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(public.PAYLOAD_SCHEMA.read_text())
    return loaded


@cache
def validators() -> tuple[Draft202012Validator, jsonschema_rs.Draft202012Validator]:
    """Two that know nothing of each other."""
    formats = Draft202012Validator.FORMAT_CHECKER
    return (
        Draft202012Validator(schema(), format_checker=formats),
        jsonschema_rs.Draft202012Validator(schema(), validate_formats=True),
    )


def is_valid(payload: Any) -> bool:
    verdicts = {validator.is_valid(payload) for validator in validators()}
    assert len(verdicts) == 1
    return verdicts.pop()


def definition(name: str) -> dict[str, Any]:
    if not name:
        return schema()
    target: str = schema()["properties"][name]["$ref"].rpartition("/")[2]
    found: dict[str, Any] = schema()["$defs"][target]
    return found


def delivered(values: dict[str, Any]) -> Any:
    event = accept.identify(accept.read(values), WORKSPACE, NOW)
    return json.loads(
        DIALECTS["funnelflux"].render(event, factories.workspace(), REQUEST, NOW).body
    )


def payload(kind: str = "node_execution", /, **changes: Any) -> dict[str, Any]:
    sent: dict[str, Any] = delivered(factories.event_json(kind))
    return sent | changes


def within(value: Any) -> Iterator[dict[str, Any]]:
    for inner in value.values() if isinstance(value, dict) else value:
        if isinstance(inner, dict | list):
            yield from within(inner)
    if isinstance(value, dict):
        yield value


def test_the_committed_schema_is_that_of_the_models() -> None:
    assert public.PAYLOAD_SCHEMA.read_text() == text(), (
        f"{public.PAYLOAD_SCHEMA} is old: make schema"
    )


class TestTheModels:
    @pytest.mark.parametrize("name", KEYS)
    def test_have_every_key_of_the_contract_and_no_other(self, name: str) -> None:
        assert definition(name)["properties"].keys() == set(KEYS[name].split())

    def test_tell_what_an_event_can_tell_and_nothing_else(self) -> None:
        told = OutboundPayload.model_fields.keys() - Head.model_fields.keys()

        assert told == TrackingEvent.model_fields.keys() - CONTROL_FIELDS

    @pytest.mark.parametrize("sample", PUBLISHED, ids=lambda sample: sample.name)
    def test_read_what_is_delivered(self, sample: Any) -> None:
        OutboundPayload.model_validate(sample.json())
        OutboundPayload.model_validate_json(json.dumps(delivered(sample.json())))


class TestTheSchema:
    def test_is_json_schema_2020_12(self) -> None:
        assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(schema())
        jsonschema_rs.meta.validate(schema())

    def test_says_which_contract_it_is(self) -> None:
        assert schema()["title"] == PAYLOAD_SCHEMA == "webhook_outbound_payload_v1"
        assert PAYLOAD_SCHEMA in schema()["$id"]
        assert schema()["description"]
        assert schema()["properties"]["schema_version"]["const"] == SCHEMA_VERSION

    def test_describes_every_object(self) -> None:
        for name, described in schema()["$defs"].items():
            assert described["description"], name

    @pytest.mark.parametrize("sample", PUBLISHED, ids=lambda sample: sample.name)
    def test_takes_the_published_examples(self, sample: Any) -> None:
        assert is_valid(sample.json())
        assert is_valid(delivered(sample.json()))

    @pytest.mark.parametrize("event_type", list(TriggerType))
    def test_takes_what_says_no_more_than_it_must(self, event_type: str) -> None:
        extension = {
            "conversion_triggered": {"conversion": {"conversion_id": "c"}},
            "custom_event_triggered": {"custom_event": {"custom_event_id": "c"}},
        }.get(event_type, {})

        assert is_valid(delivered({"event_type": event_type} | extension))

    @pytest.mark.parametrize("name", ["schema_version", "event_type", "request_id", "timestamp"])
    def test_wants_the_head(self, name: str) -> None:
        sent = payload()
        del sent[name]

        assert not is_valid(sent)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("schema_version", "2.0"),
            ("schema_version", 1.0),
            ("event_type", "contact.created"),
            ("request_id", "42"),
            ("timestamp", "1780062493221"),
            ("timestamp", 1780062493.5),
            ("timestamp", -1),
            ("visitor", {"ip": 5}),
            ("visitor_tags", "tag"),
            ("visitor_tags", [5]),
            ("hit", {"hit_timestamp": "2026-05-29T13:48:13Z"}),
            ("hit", {"is_entrance": "true"}),
            ("tracking_fields", {"a": {"b": 1}}),
            ("url_buffer", {"a": []}),
            ("action_data", {"a": {}}),
            ("is_action", "true"),
            ("action_number", "1"),
        ],
    )
    def test_refuses_what_is_of_another_type(self, name: str, value: Any) -> None:
        assert not is_valid(payload(**{name: value}))

    @pytest.mark.parametrize("revenue", [19.99, 20, "", "1,50", "1e3"])
    def test_refuses_money_that_is_no_decimal_text(self, revenue: Any) -> None:
        conversion = {"conversion_id": "c", "revenue": revenue}

        assert not is_valid(payload("conversion_triggered", conversion=conversion))

    @pytest.mark.parametrize("name", KEYS[""].split())
    def test_refuses_null(self, name: str) -> None:
        assert not is_valid(payload(**{name: None}))

    @pytest.mark.parametrize("name", ["visitor", "funnel", "traffic_source", "hit", "session",
        "tracking_fields", "url_buffer", "visitor_tags"])  # fmt: skip
    def test_refuses_what_is_empty(self, name: str) -> None:
        assert not is_valid(payload(**{name: [] if name == "visitor_tags" else {}}))
        assert not is_valid(payload(hit={"tracking_fields": {}}))

    def test_takes_action_data_that_is_empty(self) -> None:
        assert is_valid(payload(action_data={}))
        assert is_valid(payload(action_data={"a": None, "b": 1.5, "c": True, "d": ""}))

    @pytest.mark.parametrize("name", IN_FLOW_FIELDS)
    @pytest.mark.parametrize("event_type", ["conversion_triggered", "custom_event_triggered"])
    def test_takes_a_live_session_in_the_flow_only(self, event_type: str, name: str) -> None:
        value = payload(is_action=False)[name]

        assert is_valid(payload(**{name: value}))
        assert not is_valid(payload(event_type, **{name: value}))

    @pytest.mark.parametrize("name", ["conversion", "custom_event"])
    def test_wants_an_extension_for_its_type_only(self, name: str) -> None:
        extended = payload(f"{name}_triggered")

        assert is_valid(extended)
        assert not is_valid({key: extended[key] for key in extended if key != name})
        for other in set(TriggerType) - {f"{name}_triggered"}:
            assert not is_valid(payload(other, **{name: extended[name]}))

    @pytest.mark.parametrize("name", ["conversion", "custom_event"])
    def test_wants_the_id_of_an_extension(self, name: str) -> None:
        for told in ({"revenue": "1.00"}, {f"{name}_id": ""}, {}):
            assert not is_valid(payload(f"{name}_triggered", **{name: told}))

    def test_wants_the_number_of_an_action(self) -> None:
        sent = payload(is_action=True)
        del sent["action_number"]

        assert not is_valid(sent)
        assert is_valid(sent | {"is_action": False})

    @pytest.mark.parametrize("name", KEYS)
    def test_is_open_to_keys_that_are_yet_to_come(self, name: str) -> None:
        assert definition(name)["additionalProperties"] is True

    def test_names_where_it_is_open(self) -> None:
        assert "additionalProperties is true" in schema()["$comment"]
        assert is_valid(payload(shade="red", visitor={"shade": ["red"]}))

    def test_closes_free_keys_to_nested_values_and_nothing_else(self) -> None:
        closed = [
            part["additionalProperties"]
            for part in within(schema())
            if part.get("additionalProperties", True) is not True
        ]

        assert closed == [{"type": ["string", "number", "boolean", "null"]}] * 6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@given(
    st.sampled_from(list(TriggerType)),
    st.sampled_from([name for name in KEYS if name]),
    st.sampled_from(sorted({key for keys in KEYS.values() for key in keys.split()})),
    JSON,
)
def test_whatever_is_accepted_goes_out_as_the_schema_says(
    event_type: str, name: str, key: str, value: Any
) -> None:
    values = factories.event_json(event_type)
    inner = values.get(name, {}) | {key: value}
    for attempt in (values | {key: value}, values | {name: inner}):
        try:
            sent = delivered(attempt | {"event_type": event_type})
        except InvalidError:
            continue
        assert is_valid(sent), sent
        OutboundPayload.model_validate_json(json.dumps(sent))
