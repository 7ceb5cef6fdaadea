"""The main job: an event comes in, the signed webhook goes out."""

import json
import time
from uuid import UUID

import pytest

from tests import factories
from tests.fakes import NOW
from tests.integration.world import World
from tests.local.receiver import Receiver, verify_standard_webhook

TYPES = ["node_execution", "on_action", "conversion_triggered", "custom_event_triggered"]


@pytest.mark.parametrize("event_type", TYPES)
def test_an_event_goes_out_as_the_payload_contract_says(
    world: World, receiver: Receiver, event_type: str
) -> None:
    world.make_config(receiver.url("/in"))

    event_id = world.deliver(event_type=event_type)

    (request,) = receiver.requests()
    sent = json.loads(request.body)
    assert (request.method, request.path) == ("POST", "/in")
    assert sent == factories.event_json(event_type) | {
        "request_id": world.request_id(event_id),
        "timestamp": NOW,
    }
    assert request.headers["X-Funnelflux-Trigger-Type"] == event_type
    assert request.headers["X-Funnelflux-Request-ID"] == sent["request_id"]
    assert request.headers["Content-Type"] == "application/json"
    assert UUID(sent["request_id"]).version == 8


def test_the_signature_is_one_that_the_standards_library_verifies(
    world: World, receiver: Receiver
) -> None:
    world.clock.now_ms = time.time_ns() // 1_000_000
    secret = world.make_config(receiver.url("/in"))

    world.deliver()

    (request,) = receiver.requests()
    assert verify_standard_webhook(request, secret)["event_type"] == "node_execution"


def test_headers_and_basic_auth_of_the_config_go_along(world: World, receiver: Receiver) -> None:
    world.make_config(
        receiver.url("/in"),
        headers={"X-Team": "growth"},
        basicAuth={"username": "jo", "password": "hunter2"},
    )

    world.deliver()

    (request,) = receiver.requests()
    assert request.headers["X-Team"] == "growth"
    assert request.headers["Authorization"] == "Basic am86aHVudGVyMg=="


def test_what_became_of_it_can_be_looked_up(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [201])
    world.make_config(receiver.url("/in"))

    event_id = world.deliver()

    shown = world.delivery(event_id)
    (attempt,) = shown.pop("attempts")
    assert shown == {
        "request_id": world.request_id(event_id),
        "event_id": event_id,
        "event_type": "node_execution",
        "config_id": "crm",
        "state": "delivered",
        "reason": None,
        "attempt": 1,
        "status_code": 201,
        "created_at": "2026-04-29T18:04:15.000Z",
        "next_attempt_at": None,
        "settled_at": "2026-04-29T18:04:15.000Z",
        "replay_id": None,
        "request": None,
    }
    assert attempt["number"] == 1
    assert attempt["trigger"] == "schedule"
    assert attempt["succeeded"] is True
    assert attempt["status_code"] == 201
    assert attempt["cause"] is None
    assert attempt["address"] == "127.0.0.1"
    assert attempt["timings_ms"]["total"] >= 0


def test_an_event_goes_to_every_config_that_wants_it(world: World, receiver: Receiver) -> None:
    for config_id in ("crm", "mail"):
        world.make_config(receiver.url(f"/{config_id}"), config_id)
    world.make_config(receiver.url("/ads"), "ads", triggers=[{"eventType": "on_action"}])
    world.make_config(
        receiver.url("/f2"), "f2", triggers=[{"eventType": "node_execution", "idFunnel": "f2"}]
    )

    event_id = world.deliver()

    assert sorted(request.path for request in receiver.requests()) == ["/crm", "/mail"]
    shown = world.get(f"/v1/events/{event_id}").body
    assert sorted(delivery["config_id"] for delivery in shown["deliveries"]) == ["crm", "mail"]
    assert len({delivery["request_id"] for delivery in shown["deliveries"]}) == 2


def test_an_event_that_names_its_config_goes_there_and_nowhere_else(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/crm"), "crm")
    world.make_config(receiver.url("/ads"), "ads", triggers=[{"eventType": "on_action"}])

    world.deliver(webhook_config_ids=["ads"])

    assert [request.path for request in receiver.requests()] == ["/ads"]


def test_an_event_that_nobody_wants_is_kept(world: World) -> None:
    event_id = world.deliver()

    shown = world.get(f"/v1/events/{event_id}")
    assert shown.status == 200
    assert shown.body["deliveries"] == []
    assert shown.body["payload"]["visitor"]["visitor_id"] == "visitor_123"


def test_a_config_made_after_an_event_does_not_get_it(world: World, receiver: Receiver) -> None:
    world.send()
    world.clock.advance(0.001)
    world.make_config(receiver.url("/in"))

    world.fan_out()
    world.work("DispatchQueue")

    assert receiver.requests() == []


def test_an_event_of_another_workspace_goes_to_its_own_configs(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/mine"))
    other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})

    world.call("POST", "/v1/events", factories.event_json(), key=other["api_key"])
    world.fan_out()
    world.work("DispatchQueue")

    assert receiver.requests() == []


def test_a_full_batch_of_messages_is_delivered_at_once(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_ids = [world.send() for _ in range(12)]
    world.fan_out()

    came_back = world.work("DispatchQueue")

    assert came_back == []
    assert len(receiver.requests()) == 10
    assert world.work("DispatchQueue") == []
    assert {world.state(event_id) for event_id in event_ids} == {"delivered"}
    assert world.depth("DispatchQueue") == 0


def test_an_event_that_nobody_can_read_comes_back_alone(
    world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    world.make_config(receiver.url("/in"))
    torn, whole = world.send(), world.send()
    world.fan_out()
    world.tamper(torn, b"\x01torn")

    came_back = world.work("DispatchQueue")

    assert len(came_back) == 1
    assert world.state(whole) == "delivered"
    assert "attempt.broke" in caplog.messages


def test_an_event_that_was_written_by_hand_is_delivered(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.send()
    world.fan_out()
    world.tamper(event_id, '{"visitor":{"visitor_id":"v2"}}')

    world.work("DispatchQueue")

    (request,) = receiver.requests()
    assert json.loads(request.body)["visitor"] == {"visitor_id": "v2"}
