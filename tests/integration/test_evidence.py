"""A delivery shows what was sent to the byte, and no secret with it."""

import json
from typing import Any

import pytest

from shared.outbound.redaction import MASK
from tests.integration.world import World
from tests.local.receiver import Receiver


def sent(world: World, event_id: str) -> Any:
    path = f"/v1/deliveries/{world.request_id(event_id)}"
    return world.get(path, include="request").body["request"]


def secretive(world: World, receiver: Receiver, **changes: Any) -> str:
    """A config with a secret wherever one can be; its signing secret."""
    return world.make_config(
        receiver.url("/in?api_key=sesame&source=funnel"),
        headers={"X-Source": "funnel", "X-Api-Key": "sesame", "X-Custom": "Bearer sesame"},
        basicAuth={"username": "alice", "password": "sesame"},
        **changes,
    )


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("dialect", ["funnelflux", "flowestate", "clickfunnels"])
class TestWhatWasSent:
    def test_is_the_body_that_came_in(
        self, world: World, receiver: Receiver, status: int, dialect: str
    ) -> None:
        receiver.script("/in", [status])
        secretive(world, receiver, dialect=dialect)
        event_id = world.deliver()
        world.clock.advance(5)

        shown = sent(world, event_id)

        (received,) = receiver.requests()
        assert shown["body"].encode() == received.body

    def test_has_the_headers_that_came_in_without_their_secrets(
        self, world: World, receiver: Receiver, status: int, dialect: str
    ) -> None:
        receiver.script("/in", [status])
        secret = secretive(world, receiver, dialect=dialect)
        event_id = world.deliver()

        shown = sent(world, event_id)

        (received,) = receiver.requests()
        hidden = {name for name, value in shown["headers"].items() if value == MASK}
        assert hidden >= {"X-Api-Key", "X-Custom", "Authorization", "webhook-signature"}
        for name in shown["headers"].keys() - hidden:
            assert shown["headers"][name] == received.headers[name]
        text = json.dumps(shown)
        assert "sesame" not in text
        assert secret not in text
        assert not any(received.headers[name] in text for name in hidden)
        assert shown["url"].endswith(f"/in?api_key={MASK}&source=funnel")


class TestNothingIsShown:
    def test_unless_it_is_asked_for(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))

        assert world.delivery(world.deliver())["request"] is None

    def test_of_what_was_not_sent_yet(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"), enabled=False)

        assert sent(world, world.deliver()) is None

    def test_of_what_is_gone(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.forget(event_id)

        assert sent(world, event_id) is None

    @pytest.mark.parametrize("status", [200, 500])
    def test_of_an_erased_person(self, world: World, receiver: Receiver, status: int) -> None:
        receiver.script("/in", [status])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver(visitor={"visitor_id": "v1"})
        world.call("DELETE", "/v1/visitors/v1")

        assert sent(world, event_id) is None

    def test_for_what_else_is_asked_for(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        path = f"/v1/deliveries/{world.request_id(world.deliver())}"

        assert world.get(path, include="secrets").status == 400
