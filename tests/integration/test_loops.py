"""A config that points at our own intake: its deliveries are refused there, and said to be."""

import pytest

from shared.version import USER_AGENT
from tests import factories
from tests.integration.world import Reply, World
from tests.local.receiver import Receiver

ADDRESSES = ["/v1/events", "/api/v1/webhook/Lead", "/v1/actions/funnel_1/node_1/1"]


def send_back(world: World, path: str, **headers: str) -> Reply:
    body = factories.event_json() if path == "/v1/events" else {"email": "a@example.com"}
    credentials = {"x-api-key": world.key, "x-project-id": world.workspace_id}
    return world.call("POST", path, body, headers=credentials | headers)


@pytest.mark.parametrize("path", ADDRESSES)
def test_a_delivery_that_comes_straight_back_is_refused(world: World, path: str) -> None:
    request_id = world.request_id("order-1")

    reply = send_back(world, path, **{"user-agent": USER_AGENT, "webhook-id": request_id})

    assert reply.status == 410
    assert reply.body["error"]["code"] == "loop"
    assert world.get("/v1/events").body["data"] == []


@pytest.mark.parametrize("path", ADDRESSES)
def test_what_a_server_makes_of_a_delivery_is_an_event(world: World, path: str) -> None:
    reply = send_back(world, path, **{"webhook-id": world.request_id("order-1")})

    assert reply.status == 202
    assert len(world.get("/v1/events").body["data"]) == 1


def test_every_delivery_can_be_known_by_its_headers(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))
    world.deliver()
    (delivery,) = receiver.requests("/in")

    reply = send_back(world, "/v1/events", **dict(delivery.headers))

    assert reply.status == 410


def test_a_loop_is_refused_before_a_key_is_looked_up(world: World) -> None:
    headers = {"user-agent": USER_AGENT, "webhook-id": world.request_id("order-1")}
    world.calls.clear()

    world.call("POST", "/v1/events", {}, headers=headers)

    assert world.calls.names == []
