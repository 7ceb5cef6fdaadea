import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.dialects import DIALECTS
from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE
from shared.events import accept
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

FUNNELFLUX = DIALECTS["funnelflux"]
REQUEST = UUID("afa7f540-76d9-4bfe-a18d-4bc4d690ea56")


def body(values: dict[str, Any]) -> bytes:
    event = accept.identify(accept.read(values), WORKSPACE, NOW)
    return FUNNELFLUX.render(event, factories.workspace(), REQUEST, NOW + 5).body


@pytest.mark.parametrize(
    "event_type", ["node_execution", "on_action", "conversion_triggered", "custom_event_triggered"]
)
def test_the_published_examples_go_out_as_they_are_published(event_type: str) -> None:
    values = factories.event_json(event_type)

    sent = json.loads(body(values))

    made_anew = {"request_id": str(REQUEST), "timestamp": NOW + 5, "schema_version": "1.0"}
    assert sent == values | made_anew


def test_the_head_comes_first_and_in_order() -> None:
    sent = json.loads(body(factories.event_json()))

    assert list(sent)[:4] == ["schema_version", "event_type", "request_id", "timestamp"]


def test_an_object_that_says_nothing_is_left_out() -> None:
    sent = json.loads(body(factories.event_json(visitor={}, visitor_tags=[], session={})))

    assert not {"visitor", "visitor_tags", "session"} & sent.keys()


def test_action_data_is_said_to_be_empty() -> None:
    sent = json.loads(body(factories.event_json("on_action", action_data={}, action_number=0)))

    assert sent["action_data"] == {}
    assert sent["action_number"] == 0


def test_money_stays_the_string_that_came_in() -> None:
    conversion = {"conversion_id": "c1", "revenue": "100.10"}

    sent = body(factories.event_json("conversion_triggered", conversion=conversion))

    assert b'"revenue":"100.10"' in sent


@given(st.permutations(list(factories.event_json())))
def test_the_same_event_gives_the_same_bytes_in_any_order(order: list[str]) -> None:
    values = factories.event_json()

    assert body({key: values[key] for key in order}) == body(values)


def test_characters_are_sent_as_they_are() -> None:
    sent = body(factories.event_json(visitor={"city": "Zürich 😀"}))

    assert "Zürich 😀".encode() in sent


def test_the_headers_name_contract_trigger_and_request() -> None:
    event = factories.event(event_type="on_action")

    headers = FUNNELFLUX.render(event, factories.workspace(), REQUEST, NOW).headers

    assert headers == {
        "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
        "X-Funnelflux-Trigger-Type": "on_action",
        "X-Funnelflux-Request-ID": str(REQUEST),
    }


@pytest.mark.parametrize(("status_code", "success"), [(199, False), (200, True), (204, True),
    (299, True), (300, False), (302, False), (404, False), (410, False), (500, False)])  # fmt: skip
def test_success_is_2xx(status_code: int, success: bool) -> None:
    assert FUNNELFLUX.is_success(status_code) is success


def test_a_tracking_event_can_be_expressed_and_another_cannot() -> None:
    assert FUNNELFLUX.can_express("on_action")
    assert not FUNNELFLUX.can_express("contact.created")
    assert not FUNNELFLUX.can_express("*")


def test_the_schedule_is_the_clickfunnels_table() -> None:
    assert FUNNELFLUX.schedule == CLICKFUNNELS_SCHEDULE
