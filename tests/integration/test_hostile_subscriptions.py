"""What a client of FlowEstate's calls may try, by malice or by mistake."""

import json
from typing import Any

import pytest

from tests import factories
from tests.integration.test_flowestate_api import (
    SUBSCRIPTIONS,
    key_of,
    listed,
    subscribe,
    subscribed,
)
from tests.integration.world import World
from tests.local.receiver import Receiver

HOUR = 3_600


@pytest.fixture
def make(world: World) -> str:
    return key_of(world, "make")


def save(world: World, config_id: str, **changes: Any) -> None:
    read = world.get("/v1/webhookconfig/find/byId", idWebhookConfig=config_id).body
    assert world.call("PUT", "/v1/webhookconfig/save", read | changes).status == 204


@pytest.mark.parametrize(
    "external_id", ["\0", "a\0b", " ", "\n", "ID#", "ASKS#", "../..", "😀" * 255, "'\"\\<&%{}"]
)
def test_any_external_id_comes_back_as_it_is_and_is_one_of_its_own(
    world: World, make: str, external_id: str
) -> None:
    made = subscribed(world, make, external_id=external_id)
    other = subscribed(world, make, external_id=external_id[:254] + "x")

    again = subscribe(world, make, external_id=external_id)

    assert made["external_id"] == external_id
    assert (again.status, again.body["id"]) == (200, made["id"])
    assert other["id"] != made["id"]


@pytest.mark.parametrize(
    "external_id", ['"\\ud800"', '"' + "x" * 100_000 + '"', "7", "[]", "{}", "true"]
)
def test_an_external_id_that_is_none_is_refused(world: World, make: str, external_id: str) -> None:
    body = f'{{"target_url": "https://a.example.com", "event": "x", "external_id": {external_id}}}'

    reply = world.call("POST", SUBSCRIPTIONS, body, key=make)

    assert reply.status == 400
    assert reply.body["error"]["code"] in {"VALIDATION_ERROR", "BAD_REQUEST"}
    assert len(json.dumps(reply.body)) < 2_000


@pytest.mark.parametrize("offset", ["1", "100", "1000000"])
def test_a_page_beyond_the_end_is_empty(world: World, make: str, offset: str) -> None:
    subscribed(world, make)

    page = listed(world, make, offset=offset)

    assert page["data"] == []
    assert page["pagination"]["total"] == 1
    assert page["pagination"]["hasMore"] is False


@pytest.mark.parametrize("offset", ["-1", "1000001", "9" * 400, "x", "1.5", ""])
def test_an_offset_that_is_none_is_refused(world: World, make: str, offset: str) -> None:
    reply = world.call("GET", SUBSCRIPTIONS, query={"offset": offset}, key=make)

    assert (reply.status, reply.body["error"]["code"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("name", ["wh_" + "x" * 2_000, "wh_%00", "%2e%2e", "wh_é", "#"])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_id_of_any_shape_is_unknown(world: World, make: str, name: str, method: str) -> None:
    reply = world.call(method, f"{SUBSCRIPTIONS}/{name}", key=make)

    assert (reply.status, reply.body["error"]["code"]) == (404, "NOT_FOUND")


def test_two_keys_of_one_client_are_one_client(world: World, make: str) -> None:
    second = key_of(world, "make")
    made = subscribed(world, make)

    again = subscribe(world, second)

    assert (again.status, again.body["id"]) == (200, made["id"])
    assert [one["id"] for one in listed(world, second)["data"]] == [made["id"]]
    assert world.call("DELETE", f"{SUBSCRIPTIONS}/{made['id']}", key=second).status == 200
    assert listed(world, make)["data"] == []


def test_a_key_of_another_workspace_finds_nothing(world: World, make: str) -> None:
    made = subscribed(world, make)
    other = world.invoke("configs", {"operation": "bootstrap", "name": "Neighbour"})["api_key"]

    for method in ("GET", "DELETE"):
        assert world.call(method, f"{SUBSCRIPTIONS}/{made['id']}", key=other).status == 404


def test_a_claim_keeps_what_was_asked_for_when_the_owner_changes_the_url(
    world: World, make: str
) -> None:
    old, new = "https://old.example.com/in", "https://new.example.com/in"
    made = subscribed(world, make, target_url=old, external_id=None)

    save(world, made["id"], url=new)

    assert listed(world, make)["data"][0]["target_url"] == new
    assert subscribe(world, make, target_url=old, external_id=None).status == 409
    assert subscribe(world, make, target_url=new, external_id=None).status == 201
    world.call("DELETE", f"{SUBSCRIPTIONS}/{made['id']}", key=make)
    assert subscribe(world, make, target_url=old, external_id=None).status == 201


def test_a_subscription_that_is_deleted_while_it_is_delivered_is_sent_no_more(
    world: World, make: str, receiver: Receiver
) -> None:
    receiver.script("/in", [500], repeat=True)
    made = subscribed(world, make, target_url=receiver.url("/in"))
    for event_id in ("order-1", "order-2"):
        lead = factories.resource_json("lead.created", event_id=event_id)
        world.call("POST", "/v1/events", lead)
        world.fan_out()
        if event_id == "order-1":
            world.work("DispatchQueue")

    world.call("DELETE", f"{SUBSCRIPTIONS}/{made['id']}", key=make)
    world.work("DispatchQueue")
    world.wait(HOUR)

    assert len(receiver.requests()) == 1
    assert world.depth("DispatchQueue") == world.depth("RetryQueue") == 0
    (shown,) = world.get("/v1/events/order-1").body["deliveries"]
    assert shown["state"] == "cancelled"


def test_one_that_is_made_again_gets_nothing_of_the_old_ones(
    world: World, make: str, receiver: Receiver
) -> None:
    receiver.script("/in", [500])
    made = subscribed(world, make, target_url=receiver.url("/in"))
    world.call("POST", "/v1/events", factories.resource_json("lead.created", event_id="order-1"))
    world.fan_out()
    world.work("DispatchQueue")

    world.call("DELETE", f"{SUBSCRIPTIONS}/{made['id']}", key=make)
    again = subscribed(world, make, target_url=receiver.url("/in"))
    world.wait(HOUR)

    assert again["id"] != made["id"]
    assert again["secret"] != made["secret"]
    assert len(receiver.requests()) == 1
