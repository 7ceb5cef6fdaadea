import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import ids
from shared.errors import InvalidError
from shared.events import accept
from shared.events.models import IN_FLOW_FIELDS, Event, TrackingEvent
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
TYPES = ["node_execution", "on_action", "conversion_triggered", "custom_event_triggered"]
IN_FLOW = [
    ("session", {"hit_id": "h"}),
    ("url_buffer", {"a": "b"}),
    ("is_action", True),
    ("action_number", 1),
    ("action_data", {}),
]


def made(values: Any, event_id: str | None = None) -> Event:
    return accept.identify(accept.read(values), WORKSPACE, NOW, event_id)


def wrong(values: Any) -> dict[str, str]:
    with pytest.raises(InvalidError) as refusal:
        accept.read(values)
    return {field.path: field.message for field in refusal.value.fields}


class TestAnEvent:
    @pytest.mark.parametrize("event_type", TYPES)
    def test_of_the_payload_contract_is_kept_as_it_came(self, event_type: str) -> None:
        values = factories.event_json(event_type)

        event = made(values)

        about = {"event_type", "schema_version", "request_id", "timestamp"}
        assert json.loads(event.payload) == {k: v for k, v in values.items() if k not in about}
        assert event.event_type == event_type

    def test_of_any_other_type_is_about_a_subject(self) -> None:
        event = made(factories.resource_json("contact.created", funnel_id=7, source="api"))

        assert json.loads(event.payload) == {
            "subject_type": "Contact",
            "subject_id": 42,
            "data": {"name": "Alice", "tags": [{"id": 1}], "score": None},
            "funnel_id": 7,
            "source": "api",
        }

    def test_is_found_again_by_the_key_of_its_id(self) -> None:
        event = made(factories.event_json(event_id="order-1"))

        assert event.event_id == "order-1"
        assert event.key == ids.event_key(WORKSPACE, "order-1")

    def test_without_an_id_gets_one(self) -> None:
        values = factories.resource_json()

        assert made(values).event_id != made(values).event_id

    def test_without_an_id_takes_the_one_of_its_message(self) -> None:
        assert made(factories.resource_json(), "message-1").event_id == "message-1"
        assert made(factories.resource_json(event_id="own"), "message-1").event_id == "own"

    def test_that_is_known_by_nature_takes_no_other_id_than_its_own(self) -> None:
        natural = made(factories.event_json()).event_id

        assert made(factories.event_json(), "message-1").event_id == natural
        assert made(factories.event_json(event_id="own"), "message-1").event_id == "own"

    def test_happened_when_it_says_or_else_now(self) -> None:
        assert made(factories.event_json()).occurred_at == NOW
        assert made(factories.event_json(occurred_at=5)).occurred_at == 5
        assert made(factories.event_json(occurred_at=0)).occurred_at == 0
        assert made(factories.event_json(occurred_at="1970-01-01T00:00:01Z")).occurred_at == 1000

    def test_may_name_the_configs_that_it_is_for(self) -> None:
        event = made(factories.event_json(webhook_config_ids=["crm", "mail", "crm"]))

        assert event.config_ids == ("crm", "mail")
        assert "webhook_config_ids" not in json.loads(event.payload)


class TestANull:
    def test_counts_as_left_out(self) -> None:
        values = factories.event_json(visitor={"visitor_id": "v1"})

        with_nulls = values | {"session": None, "visitor": {"visitor_id": "v1", "ip": None}}
        without = {name: value for name, value in values.items() if name != "session"}

        assert made(with_nulls).payload == made(without).payload
        assert "null" not in made(with_nulls).payload

    @pytest.mark.parametrize("nothing", [{}, {"ip": None}])
    def test_or_an_object_that_says_nothing_is_not_kept(self, nothing: dict[str, Any]) -> None:
        hit = {"hit_id": "h", "tracking_fields": {}, "nodes_path": []}
        values = factories.event_json(visitor=nothing, hit=hit, visitor_tags=[], action_data={})

        kept = json.loads(made(values).payload)

        assert not {"visitor", "visitor_tags"} & kept.keys()
        assert kept["hit"] == {"hit_id": "h"}
        assert kept["action_data"] == {}

    def test_among_free_values_stays(self) -> None:
        event = made(factories.event_json("on_action", action_data={"email": None}))

        assert json.loads(event.payload)["action_data"] == {"email": None}


class TestAConversion:
    @pytest.mark.parametrize(
        ("event_type", "extension"),
        [("conversion_triggered", "conversion"), ("custom_event_triggered", "custom_event")],
    )
    def test_belongs_to_its_type(self, event_type: str, extension: str) -> None:
        values = factories.event_json(event_type)
        without = {name: value for name, value in values.items() if name != extension}

        assert extension in wrong(without)

    @pytest.mark.parametrize("event_type", ["node_execution", "on_action"])
    @pytest.mark.parametrize("extension", ["conversion", "custom_event"])
    def test_is_refused_anywhere_else(self, event_type: str, extension: str) -> None:
        values = factories.event_json(event_type, **{extension: {f"{extension}_id": "x"}})

        assert "allowed only there" in wrong(values)[extension]

    @pytest.mark.parametrize("extension", ["conversion", "custom_event"])
    def test_needs_its_id(self, extension: str) -> None:
        values = factories.event_json(f"{extension}_triggered", **{extension: {"revenue": "1.00"}})

        assert f"{extension}.{extension}_id" in wrong(values)

    @pytest.mark.parametrize("extension", ["conversion", "custom_event"])
    def test_has_an_id_that_says_something(self, extension: str) -> None:
        told = {f"{extension}_id": ""}

        values = factories.event_json(f"{extension}_triggered", **{extension: told})

        assert f"{extension}.{extension}_id" in wrong(values)

    @pytest.mark.parametrize("revenue", ["0", "19.99", "-5.00", "0.000001", "9" * 18])
    def test_has_its_revenue_in_decimal_text(self, revenue: str) -> None:
        conversion = {"conversion_id": "c", "revenue": revenue}

        event = made(factories.event_json("conversion_triggered", conversion=conversion))

        assert json.loads(event.payload)["conversion"]["revenue"] == revenue

    @pytest.mark.parametrize(
        "revenue", [19.99, 20, "", "1,50", "1e3", "$5", ".5", "5.", "9" * 19, "١٢"]
    )
    def test_has_no_other_revenue(self, revenue: Any) -> None:
        conversion = {"conversion_id": "c", "revenue": revenue}
        values = factories.event_json("conversion_triggered", conversion=conversion)

        assert "conversion.revenue" in wrong(values)

    @pytest.mark.parametrize(("name", "value"), IN_FLOW)
    @pytest.mark.parametrize("event_type", ["conversion_triggered", "custom_event_triggered"])
    def test_has_no_live_session(self, event_type: str, name: str, value: Any) -> None:
        values = factories.event_json(event_type, **{name: value})

        assert "node_execution and on_action only" in wrong(values)[name]


@pytest.mark.parametrize(("name", "value"), IN_FLOW)
def test_what_happens_in_the_flow_may_have_a_live_session(name: str, value: Any) -> None:
    event = made(factories.event_json("on_action", **{name: value}))

    assert json.loads(event.payload)[name] == value


@pytest.mark.parametrize("number", [None, "left out"])
def test_an_action_has_its_number(number: str | None) -> None:
    numbered = {} if number else {"action_number": None}
    values = {"event_type": "on_action", "is_action": True} | numbered

    assert wrong(values) == {"action_number": "is required when is_action is true"}
    assert accept.read(values | {"is_action": False})
    assert accept.read(values | {"action_number": 0})


def test_every_field_of_a_live_session_is_tried() -> None:
    assert [name for name, _ in IN_FLOW] == list(IN_FLOW_FIELDS)


class TestAWrongField:
    @pytest.mark.parametrize("values", [None, [], "event", 5])
    def test_needs_an_object_around_it(self, values: Any) -> None:
        with pytest.raises(InvalidError, match="An event is a JSON object"):
            accept.read(values)

    @pytest.mark.parametrize("event_type", [None, 5, ["on_action"], {}])
    def test_may_be_the_event_type(self, event_type: Any) -> None:
        assert "event_type" in wrong({"event_type": event_type})
        assert "event_type" in wrong({})

    @pytest.mark.parametrize(
        "event_type", ["", "Contact", "contact created", ".created", "contact.", "a" * 129, "ü"]
    )
    def test_may_be_the_spelling_of_the_event_type(self, event_type: str) -> None:
        assert "event_type" in wrong(factories.resource_json(event_type))

    @pytest.mark.parametrize(
        ("path", "changes"),
        [
            ("colour", {"colour": "red"}),
            ("visitor.colour", {"visitor": {"colour": "red"}}),
            ("visitor.ip", {"visitor": {"ip": 5}}),
            ("hit.hit_timestamp", {"hit": {"hit_timestamp": "now"}}),
            ("hit.hit_timestamp", {"hit": {"hit_timestamp": 1780062493.202}}),
            ("hit.hit_timestamp", {"hit": {"hit_timestamp": -1}}),
            ("session.entrance_timestamp", {"session": {"entrance_timestamp": 10**15}}),
            ("hit.is_entrance", {"hit": {"is_entrance": 1}}),
            ("hit.nodes_path", {"hit": {"nodes_path": 5}}),
            ("hit.time_on_page", {"hit": {"time_on_page": "long"}}),
            ("hit.filtered_traffic", {"hit": {"filtered_traffic": []}}),
            ("tracking_fields.a", {"tracking_fields": {"a": {"b": 1}}}),
            ("visitor_tags.1", {"visitor_tags": ["a", 5]}),
            ("event_id", {"event_id": "with blank"}),
            ("event_id", {"event_id": "x" * 129}),
            ("event_id", {"event_id": ""}),
            ("event_id", {"event_id": 5}),
            ("occurred_at", {"occurred_at": "2026-04-29"}),
            ("occurred_at", {"occurred_at": -1}),
            ("occurred_at", {"occurred_at": 10**18}),
            ("occurred_at", {"occurred_at": True}),
            ("webhook_config_ids", {"webhook_config_ids": []}),
            ("webhook_config_ids.0", {"webhook_config_ids": ["a/b"]}),
            ("webhook_config_ids", {"webhook_config_ids": ["a"] * 101}),
            ("schema_version", {"schema_version": "2.0"}),
        ],
    )
    def test_of_a_tracking_event_is_named(self, path: str, changes: dict[str, Any]) -> None:
        assert list(wrong(factories.event_json(**changes))) == [path]

    @pytest.mark.parametrize("name", ["subject_type", "subject_id", "data"])
    def test_of_another_event_is_named_when_it_is_missing(self, name: str) -> None:
        values = factories.resource_json()
        del values[name]

        assert wrong(values) == {name: "is required"}

    @pytest.mark.parametrize(
        ("path", "changes"),
        [
            ("data", {"data": []}),
            ("subject_type", {"subject_type": ""}),
            ("subject_id", {"subject_id": 1.5}),
            ("source", {"source": "x"}),
            ("visitor", {"visitor": {}}),
        ],
    )
    def test_of_another_event_is_named(self, path: str, changes: dict[str, Any]) -> None:
        assert list(wrong(factories.resource_json(**changes))) == [path]

    def test_is_not_quoted(self) -> None:
        with pytest.raises(InvalidError) as refusal:
            accept.read(factories.event_json(visitor={"ip": {"hunter2": "hunter2"}}))

        assert "hunter2" not in refusal.value.message


class TestTheFingerprint:
    @given(st.permutations(list(factories.event_json())))
    def test_is_the_same_in_any_order_of_keys(self, order: list[str]) -> None:
        values = factories.event_json()

        reordered = made({key: values[key] for key in order})

        assert reordered.fingerprint == made(values).fingerprint

    def test_is_the_same_in_any_order_of_keys_deep_inside(self) -> None:
        one = factories.resource_json(data={"a": {"b": 1, "c": [{"d": 1, "e": 2}]}})
        other = factories.resource_json(data={"a": {"c": [{"e": 2, "d": 1}], "b": 1}})

        assert made(one).fingerprint == made(other).fingerprint

    def test_is_the_one_that_events_are_stored_with(self) -> None:
        numbers = [1.5, 1e22, -0.0, 12345678901234567890]
        data = {"z": numbers, "é": "ü😀\u2028", "a": {"b": None, "a": True}}

        stored = "942c594b95486d68afddfca50351d56c0bf8195579c23c06aef38437218cb456"

        assert made(factories.resource_json(data=data)).fingerprint == stored

    def test_heeds_no_id_and_nothing_that_is_made_anew(self) -> None:
        one = factories.event_json(event_id="a", request_id="x", timestamp=1)
        other = factories.event_json(event_id="b", request_id="y", timestamp=2)

        assert made(one).fingerprint == made(other).fingerprint

    @pytest.mark.parametrize(
        "changes",
        [
            {"visitor_tags": ["tag_xyz"]},
            {"visitor_tags": None},
            {"occurred_at": 5},
            {"webhook_config_ids": ["crm"]},
            {"action_number": 3},
        ],
    )
    def test_differs_with_what_happened(self, changes: dict[str, Any]) -> None:
        one = made(factories.event_json(event_id="a"))

        assert made(factories.event_json(event_id="a", **changes)).fingerprint != one.fingerprint

    def test_of_what_is_known_by_nature_does_not_heed_the_time(self) -> None:
        one, other = (
            made(factories.event_json()),
            made(factories.event_json(occurred_at=5)),
        )

        assert (one.event_id, one.fingerprint) == (other.event_id, other.fingerprint)

    def test_differs_with_the_order_of_a_list(self) -> None:
        one = made(factories.event_json(visitor_tags=["a", "b"]))
        other = made(factories.event_json(visitor_tags=["b", "a"]))

        assert one.fingerprint != other.fingerprint


@given(st.sampled_from(sorted(TrackingEvent.model_fields)), JSON)
def test_any_value_in_any_field_is_accepted_or_refused_and_nothing_else(
    name: str, value: Any
) -> None:
    try:
        event = made(factories.event_json() | {name: value})
    except InvalidError:
        return

    json.loads(event.payload)


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4), st.dictionaries(st.text(), JSON))
def test_any_object_is_accepted_or_refused_and_nothing_else(
    values: dict[str, Any], data: dict[str, Any]
) -> None:
    for attempt in (values, factories.resource_json(data=data) | values):
        try:
            event = made(attempt)
        except InvalidError:
            continue
        assert json.loads(event.payload)["data"] == attempt["data"]
