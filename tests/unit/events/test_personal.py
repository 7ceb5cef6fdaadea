"""What stays of an event whose visitor is erased."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.apis.clickfunnels import outgoing_events as clickfunnels
from shared.events import accept, personal
from shared.events.models import TriggerType
from tests import factories
from tests.fakes import NOW

CONTEXTS = ["visitor", "hit", "session", "tracking_fields", "action_data", "url_buffer", "data"]
VALUES = st.dictionaries(st.sampled_from(["email", "ip", "visitor_id", "q"]), st.just("secret@x"))


def remains(event_type: str = "node_execution", **changes: Any) -> dict[str, Any]:
    event = accept.read(factories.event_json(event_type, **changes))
    return personal.remains(event.payload())


def test_ids_and_moments_stay() -> None:
    left = remains()

    assert left["visitor"] == {"visitor_id": "visitor_123"}
    assert left["funnel"].keys() <= {"funnel_id", "node_id"}
    assert left["hit"]["hit_id"] == "hit_123"


def test_everything_that_a_person_is_known_by_goes() -> None:
    visitor = {"visitor_id": "v", "ip": "203.0.113.7", "user_agent": "Mozilla", "city": "Zürich"}
    text = json.dumps(
        remains(
            "on_action",
            visitor=visitor,
            tracking_fields={"email": "alice"},
            url_buffer={"email": "alice"},
            action_data={"name": "alice", "origin_node_id": "alice"},
            visitor_tags=["alice"],
            hit={"hit_id": "h", "referrer": "https://example.com/?email=alice"},
            session={"hit_id": "h", "referrer": "https://example.com/?email=alice"},
        )
    )

    assert "alice" not in text
    assert "203.0.113.7" not in text
    assert "Mozilla" not in text


def test_money_stays_with_its_currency() -> None:
    left = remains(
        "conversion_triggered",
        conversion={
            "conversion_id": "c",
            "transaction": "123",
            "revenue": "19.99",
            "pii_email": "alice@example.com",
            "pii_phone": "+41",
            "event_data1": "alice",
            "passthrough_params": {"currency": "EUR", "name": "alice"},
        },
    )

    assert left["conversion"] == {
        "conversion_id": "c",
        "transaction": "123",
        "revenue": "19.99",
        "passthrough_params": {"currency": "EUR"},
    }


def test_what_calls_itself_a_currency_and_is_none_goes() -> None:
    for params in ({"currency": "alice"}, {"currency": 5}, "EUR"):
        extension = {"custom_event_id": "c", "passthrough_params": params}
        left = remains("custom_event_triggered", custom_event=extension)

        assert left["custom_event"] == {"custom_event_id": "c"}


def test_an_address_is_no_id() -> None:
    left = remains(
        "conversion_triggered",
        visitor={"visitor_id": "alice@example.com"},
        conversion={"conversion_id": "alice@example.com", "revenue": "1.00"},
    )

    assert left["visitor"] == {"visitor_id": "erased"}
    assert left["conversion"] == {"conversion_id": "erased", "revenue": "1.00"}


@pytest.mark.parametrize(
    "values",
    [
        *(factories.event_json(kind) for kind in TriggerType),
        factories.event_json("conversion_triggered", conversion={"conversion_id": "a@b"}),
        factories.event_json("custom_event_triggered", custom_event={"custom_event_id": "a@b"}),
        factories.event_json(visitor=None, hit=None, funnel=None, session=None),
        factories.resource_json(subject_id="alice@example.com"),
    ],
)
def test_what_is_left_can_still_be_shown(values: dict[str, Any]) -> None:
    event = accept.identify(accept.read(values), factories.WORKSPACE, NOW)

    left = personal.remains(json.loads(event.payload))

    erased = event.model_copy(update={"payload": json.dumps(left)})
    assert "@" not in clickfunnels.shown(erased).model_dump_json()


def test_a_resource_keeps_its_name_and_nothing_of_its_data() -> None:
    event = accept.read(factories.resource_json(data={"email": "alice@example.com"}))

    left = personal.remains(event.payload())

    assert left == {"subject_type": "Contact", "subject_id": 42, "data": {}}


def test_an_erased_event_can_be_erased_again() -> None:
    left = remains()

    assert personal.remains(left) == left


@given(st.dictionaries(st.sampled_from(CONTEXTS), VALUES))
def test_no_address_stays_wherever_it_stood(context: dict[str, Any]) -> None:
    assert "secret@x" not in json.dumps(personal.remains(context))


class TestAnEvent:
    def test_is_of_the_visitor_whom_it_names(self) -> None:
        assert accept.visitor_of({"visitor": {"visitor_id": "a"}}) == "a"

    def test_may_name_the_visitor_in_its_hit_or_session(self) -> None:
        assert accept.visitor_of({"visitor": {}, "hit": {"visitor_id": "b"}}) == "b"
        assert accept.visitor_of({"session": {"visitor_id": "c"}}) == "c"

    def test_may_be_nobodys(self) -> None:
        assert accept.visitor_of({"visitor": {"visitor_id": ""}, "data": {}}) is None
