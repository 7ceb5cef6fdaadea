"""POST /api/v1/webhook/{actionName}: a client written for Funnelytics needs another host only."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests import factories
from tests.integration.actions import COMMERCE, at_once, post
from tests.integration.world import World
from tests.local.receiver import Receiver


def listed(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.get("/v1/events").body["data"]
    return [world.get(f"/v1/events/{event['event_id']}").body for event in found]


def test_a_lead_becomes_a_custom_event(world: World) -> None:
    reply = post(world, factories.lead_json(), "Lead")

    (event,) = listed(world)
    assert (reply.status, reply.body) == (202, {"accepted": True, "events": 1})
    assert event["event_type"] == "custom_event_triggered"
    assert event["payload"]["custom_event"]["event_data1"] == "Lead"
    assert event["payload"]["visitor"] == {"visitor_id": "12345678"}


def test_a_purchase_becomes_a_conversion_for_each_item(world: World) -> None:
    items = [factories.purchase_json(), factories.purchase_json(__total_in_cents__=1999)]

    reply = post(world, factories.commerce_json(*items), COMMERCE)

    revenues = {event["payload"]["conversion"]["revenue"] for event in listed(world)}
    assert reply.body == {"accepted": True, "events": 2}
    assert revenues == {"300000.00", "19.99"}


def test_it_goes_out_as_a_funnelflux_webhook(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))

    post(world, factories.commerce_json(dateTime="2023-11-05T21:18:04+00:00"), COMMERCE)
    world.fan_out()
    world.work("DispatchQueue")

    (request,) = receiver.requests()
    sent = json.loads(request.body)
    assert sent["event_type"] == "conversion_triggered"
    assert sent["conversion"]["revenue"] == "300000.00"
    assert sent["conversion"]["conversion_timestamp"] == 1_699_219_084_000


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("Demo", factories.lead_json()),
        (COMMERCE, factories.commerce_json()),
        (COMMERCE, factories.commerce_json(factories.purchase_json(), factories.purchase_json())),
    ],
)
def test_the_same_information_twice_is_refused_with_the_way_out(
    world: World, action: str, body: dict[str, Any]
) -> None:
    post(world, body, action)
    world.clock.advance(60)

    again = post(world, dict(reversed(body.items())), action)
    dated = post(world, body | {"dateTime": "2023-11-05T21:18:04+00:00"}, action)

    assert again.status == 409
    assert "add its dateTime" in again.body["error"]["message"]
    assert dated.status == 202


def test_a_name_may_be_escaped_in_the_address(world: World) -> None:
    post(world, {}, "lead%20captured")

    assert listed(world)[0]["payload"]["custom_event"]["event_data1"] == "lead captured"


def test_a_key_may_be_sent_as_basic(world: World) -> None:
    pair = f"{world.workspace_id}:{world.key}".encode()

    reply = post(world, {}, key="Basic " + base64.b64encode(pair).decode())

    assert reply.status == 202


@pytest.mark.parametrize(
    "headers", [{"key": "fh_unknown"}, {"key": ""}, {"project": "another"}, {"key": "Basic ***"}]
)
def test_another_key_or_project_is_a_401(world: World, headers: dict[str, str]) -> None:
    reply = post(world, {}, **headers)

    assert (reply.status, reply.body["error"]["code"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("action", "body", "path"),
    [
        ("Demo", {"car": {"brand": "Lamborghini"}}, "car"),
        ("Demo", factories.commerce_json(), "purchase_data"),
        ("__reserved__", {}, "actionName"),
        (COMMERCE, factories.lead_json(), "purchase_data"),
        (COMMERCE, factories.commerce_json({}), "purchase_data.0.__sku__"),
        ("Demo", {"dateTime": "yesterday"}, "dateTime"),
    ],
)
def test_what_breaks_a_rule_is_a_400_that_names_the_place(
    world: World, action: str, body: dict[str, Any], path: str
) -> None:
    reply = post(world, body, action)

    assert reply.status == 400
    assert reply.body["error"]["fields"][0]["path"] == path


def test_content_type_is_always_json(world: World) -> None:
    headers = {"x-api-key": world.key, "x-project-id": world.workspace_id, "content-type": ""}

    assert world.call("POST", "/api/v1/webhook/Demo", "{}", headers=headers).status == 415


def test_a_body_that_is_too_large_is_a_413(world: World) -> None:
    assert post(world, {"text": "x" * 262_144}).status == 413


def test_purchases_that_are_too_large_together_are_a_413(world: World) -> None:
    items = [factories.purchase_json() for _ in range(50)]

    reply = post(world, factories.commerce_json(*items, text="x" * 200_000), COMMERCE)

    assert reply.status == 413
    assert world.items("EventTable") == []


def test_ninety_purchases_are_accepted_together_with_a_merge(world: World) -> None:
    items = [factories.purchase_json(number=number) for number in range(90)]
    post(world, {"email": "alice@example.com"})
    post(world, {"session": 12345678})

    reply = post(world, factories.commerce_json(*items), COMMERCE)

    assert reply.body == {"accepted": True, "events": 90}


# The two mistakes in the examples of Funnelytics' document.
WITH_A_COMMENT = """{
  "email": "alice@example.com",
  // ... other key-value pairs
  "carBrand": "Lamborghini"
}"""
WITHOUT_A_COMMA = """{
  "purchase_data": [
    {
      "__currency__": "USD"
      "quantity": 3
    }
  ]
}"""


@pytest.mark.parametrize(
    ("body", "place"),
    [(WITH_A_COMMENT, "line 3, column 3"), (WITHOUT_A_COMMA, "line 5, column 7")],
)
def test_what_is_not_json_is_a_400_that_points_at_the_place(
    world: World, body: str, place: str
) -> None:
    reply = post(world, body, COMMERCE)

    assert (reply.status, reply.body["error"]["code"]) == (400, "invalid")
    assert place in reply.body["error"]["message"]


def test_what_is_refused_leaves_nothing_behind(world: World) -> None:
    for body in ({"email": "alice@example.com", "car": {}}, {"dateTime": "yesterday"}, "{"):
        post(world, body)

    assert world.items("EventTable") == []


class TestADuplicate:
    def test_may_come_again_after_24_hours_and_is_a_new_event(self, world: World) -> None:
        post(world, factories.lead_json())
        world.clock.advance(24 * 60 * 60 - 1)
        too_soon = post(world, factories.lead_json())
        world.clock.advance(1)
        again = post(world, factories.lead_json())

        assert (too_soon.status, again.status) == (409, 202)
        assert len({event["event_id"] for event in listed(world)}) == 2

    def test_of_a_purchase_is_the_same_conversion_after_24_hours(self, world: World) -> None:
        post(world, factories.commerce_json(), COMMERCE)
        world.clock.advance(24 * 60 * 60)
        post(world, factories.commerce_json(), COMMERCE)

        conversions = [event["payload"]["conversion"] for event in listed(world)]
        assert [one["conversion_id"] for one in conversions] == ["123456:LAMBO007"] * 2

    def test_in_another_workspace_is_none(self, world: World) -> None:
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        post(world, factories.lead_json())

        reply = post(
            world, factories.lead_json(), key=other["api_key"], project=other["workspace_id"]
        )

        assert reply.status == 202

    def test_is_found_among_fifty_at_once(self, world: World) -> None:
        send = at_once(world)

        with ThreadPoolExecutor(50) as pool:
            statuses = sorted(pool.map(lambda _: send(factories.lead_json()), range(50)))

        assert statuses == [202] + [409] * 49
        assert len(listed(world)) == 1
