"""A delivery that is not to be attempted is held or cancelled, and can be seen to be."""

from typing import Any

import pytest

from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver

ASIDE = [
    ({"enabled": False}, "held", "config_disabled"),
    ({"status": "archived"}, "held", "config_archived"),
    ({"status": "deleted"}, "cancelled", "config_deleted"),
]


@pytest.mark.parametrize(("changes", "state", "reason"), ASIDE)
class TestAConfigThatDoesNotReceive:
    def test_has_a_first_attempt_set_aside(
        self, world: World, receiver: Receiver, changes: Any, state: str, reason: str
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        world.save_config(receiver.url("/in"), **changes)

        came_back = world.work("DispatchQueue")

        shown = world.delivery(event_id)
        assert came_back == []
        assert receiver.requests() == []
        assert (shown["state"], shown["reason"], shown["attempt"]) == (state, reason, 0)
        assert shown["settled_at"] is not None

    def test_has_a_later_attempt_set_aside(
        self, world: World, receiver: Receiver, changes: Any, state: str, reason: str
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.save_config(receiver.url("/in"), **changes)

        world.wait(1)

        shown = world.delivery(event_id)
        assert len(receiver.requests()) == 1
        assert (shown["state"], shown["reason"], shown["attempt"]) == (state, reason, 1)
        assert len(shown["attempts"]) == 1
        assert shown["next_attempt_at"] is None

    def test_is_not_asked_of_again_by_the_sweep(
        self, world: World, receiver: Receiver, changes: Any, state: str, reason: str
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.save_config(receiver.url("/in"), **changes)
        world.wait(1)

        world.clock.advance(3600)

        assert world.sweep() == {"requeued": 0, "begun": 0, "behind_ms": 0}
        assert "wake_at" not in world.delivery_item(event_id)

    def test_has_its_deliveries_listed_by_that_state(
        self, world: World, receiver: Receiver, changes: Any, state: str, reason: str
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        world.save_config(receiver.url("/in"), **changes)
        world.work("DispatchQueue")

        listed = world.get("/v1/deliveries", config_id="crm", state=state).body["data"]

        assert [delivery["event_id"] for delivery in listed] == [event_id]
        assert listed[0]["reason"] == reason

    def test_sets_aside_a_message_that_comes_twice_once(
        self, world: World, receiver: Receiver, changes: Any, state: str, reason: str
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        world.save_config(receiver.url("/in"), **changes)
        records = world.receive("DispatchQueue")

        world.work_on("DispatchQueue", records)
        before = world.delivery_item(event_id)
        world.clock.advance(1)
        came_back = world.work_on("DispatchQueue", records)

        assert came_back == []
        assert world.delivery_item(event_id) == before


class TestADelivery:
    def test_to_a_config_that_nobody_knows_is_cancelled(self, world: World) -> None:
        event_id = world.deliver(webhook_config_ids=["nobody"])

        shown = world.delivery(event_id, "nobody")
        assert (shown["state"], shown["reason"]) == ("cancelled", "config_unknown")

    def test_that_the_dialect_cannot_express_is_cancelled(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event = factories.resource_json(webhook_config_ids=["crm"])

        event_id = world.call("POST", "/v1/events", event).body["event_id"]
        world.fan_out()
        world.work("DispatchQueue")

        shown = world.delivery(event_id)
        assert (shown["state"], shown["reason"]) == ("cancelled", "not_expressible")
        assert receiver.requests() == []

    def test_that_is_done_stays_delivered_when_its_config_goes(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")
        world.work_on("DispatchQueue", records)
        world.call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": "crm"})

        world.work_on("DispatchQueue", records)

        assert world.state(event_id) == "delivered"

    @pytest.mark.parametrize("changes", [{"enabled": False}, {"status": "archived"}])
    def test_to_a_config_off_duty_is_made_all_the_same(
        self, world: World, receiver: Receiver, changes: Any
    ) -> None:
        world.make_config(receiver.url("/in"), **changes)

        event_id = world.deliver()

        assert world.state(event_id) == "held"

    def test_to_a_deleted_config_is_not_made(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": "crm"})

        event_id = world.deliver()

        assert world.get(f"/v1/events/{event_id}").body["deliveries"] == []
