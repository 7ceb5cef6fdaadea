"""What the platform tells of itself: on the bus, and to the configs that ask for it."""

import json
from typing import Any

import pytest

from shared.events.operational import OPERATIONAL_TYPES, Bus
from shared.standalone.engine.template import template
from tests import factories
from tests.integration.world import World, refuse
from tests.local.receiver import Receiver


def subscribe(world: World, url: str, config_id: str, **changes: Any) -> None:
    """To everything operational by name, and to what any FunnelFlux config gets."""
    types = [*map(str, OPERATIONAL_TYPES), "node_execution"]
    fields = {
        "dialect": "flowestate",
        "triggers": [{"eventType": kind} for kind in types],
        "retrySchedule": [1],
    }
    world.make_config(url, config_id, **fields | changes)


def disable(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [410])
    world.make_config(receiver.url("/in"))
    world.deliver()


def on_the_bus(world: World) -> list[Any]:
    return [entry for call in world.calls.of("PutEvents") for entry in call["Entries"]]


def test_goes_to_the_bus(world: World, receiver: Receiver) -> None:
    disable(world, receiver)

    world.fan_out()

    (entry,) = on_the_bus(world)
    detail = json.loads(entry["Detail"])
    assert entry["Source"] == "funnelhooks"
    assert entry["EventBusName"] == "EventBus"
    assert entry["DetailType"] == detail["event_type"] == "webhook_config.disabled"
    assert detail["workspace_id"] == world.workspace_id
    assert (detail["subject_type"], detail["subject_id"]) == ("WebhookConfig", "crm")
    assert detail["data"]["reason"] == "endpoint_gone"
    assert detail["event_id"] in [e["event_id"] for e in world.get("/v1/events").body["data"]]


def test_goes_to_a_config_that_asks_for_it(world: World, receiver: Receiver) -> None:
    subscribe(world, receiver.url("/ops"), "ops")
    disable(world, receiver)

    world.fan_out()
    world.work("DispatchQueue")

    told = [json.loads(request.body) for request in receiver.requests("/ops")]
    assert [event["type"] for event in told] == ["node_execution", "webhook_config.disabled"]
    assert told[1]["data"]["config_id"] == "crm"
    assert told[1]["data"]["url_host"] == "127.0.0.1"


@pytest.mark.parametrize("dialect", ["flowestate", "clickfunnels", "clickfunnels_v1"])
def test_goes_to_those_alone_that_name_it(world: World, receiver: Receiver, dialect: str) -> None:
    named = [{"eventType": "webhook_config.disabled"}]
    subscribe(world, receiver.url("/named"), "named", dialect=dialect, triggers=named)
    subscribe(world, receiver.url("/all"), "all", dialect=dialect, triggers=[{"eventType": "*"}])
    disable(world, receiver)

    world.fan_out()
    for _ in range(2):
        world.work("DispatchQueue")

    (told,) = receiver.requests("/named")
    assert b'"webhook_config.disabled"' in told.body
    assert b'"node_execution"' in receiver.requests("/all")[0].body
    assert len(receiver.requests("/all")) == 1


def test_never_goes_to_the_config_that_it_is_about(world: World, receiver: Receiver) -> None:
    receiver.script("/ops", [500], repeat=True)
    subscribe(world, receiver.url("/ops"), "ops")
    for _ in range(5):
        world.deliver()

    world.fan_out()
    world.work("DispatchQueue")

    assert [entry["DetailType"] for entry in on_the_bus(world)] == ["webhook_config.tripped"]
    assert {json.loads(request.body)["type"] for request in receiver.requests()} == {
        "node_execution"
    }


def test_that_is_not_delivered_makes_no_other(world: World, receiver: Receiver) -> None:
    """Otherwise two configs that fail could tell each other of it for ever."""
    receiver.script("/ops", [500], repeat=True)
    subscribe(world, receiver.url("/ops"), "ops")
    for number in range(6):
        receiver.script("/in", [410])
        world.make_config(receiver.url("/in"), f"config-{number}")
        world.send(webhook_config_ids=[f"config-{number}"])
        world.fan_out()
        world.work("DispatchQueue")
    world.calls.clear()

    for _ in range(20):
        world.fan_out()
        world.work("DispatchQueue")
        world.wait(60)

    kinds = {entry["DetailType"] for entry in on_the_bus(world)}
    assert kinds <= {"webhook_config.disabled"}
    failed = world.get("/v1/deliveries", config_id="ops", state="failed").body["data"]
    assert failed
    assert {one["event_type"] for one in failed} == {"webhook_config.disabled"}


def test_cannot_be_made_up_by_a_client(world: World) -> None:
    forged = factories.resource_json("webhook_config.disabled", data={"config_id": "crm"})
    named = world.call("POST", "/v1/events", forged | {"event_id": "!webhook_config.disabled.x.1"})
    plain = world.call("POST", "/v1/events", forged)

    world.fan_out()

    assert (named.status, plain.status) == (400, 202)
    assert on_the_bus(world) == []


def test_that_the_bus_does_not_take_is_a_dead_letter_and_holds_up_no_delivery(
    world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(world, receiver.url("/ops"), "ops")
    disable(world, receiver)
    event_id = world.send()

    monkeypatch.setattr(Bus, "put", refuse)
    came_back = world.fan_out()
    for _ in range(2):
        world.work("DispatchQueue")

    (letter,) = world.account.receive("FanoutDeadLetters")
    assert came_back == []
    assert json.loads(letter["Body"]) == {
        "workspace_id": world.workspace_id,
        "event_id": "!webhook_config.disabled.crm.1",
    }
    assert world.state(event_id, "ops") == "delivered"
    assert len(receiver.requests("/ops")) == 3


def test_on_the_bus_does_not_come_back_in() -> None:
    rule = template().of_type("AWS::Events::Rule")["IntakeRule"]

    assert rule["EventPattern"]["source"] == [{"anything-but": ["funnelhooks"]}]
