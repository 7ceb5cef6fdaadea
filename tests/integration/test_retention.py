"""How long things are kept: by the workspace, the stack, and what is still to be sent."""

from typing import Any

import pytest

from shared.errors import InvalidError
from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver, Reply

DAY_S = 86_400


def configure(world: World, **settings: Any) -> dict[str, Any]:
    command = {"operation": "configure", "workspace_id": world.workspace_id} | settings
    return dict(world.invoke("configs", command))


@pytest.fixture
def brief(world: World) -> World:
    """A workspace that keeps everything for two days, and its contents for one."""
    configure(world, retention_days=2, content_days=1)
    return world


def lifetime_s(world: World, item: dict[str, Any]) -> float:
    return float(item["expires_at"]) - world.clock() // 1000


class TestTheSettings:
    def test_stay_when_they_are_left_out(self, brief: World) -> None:
        assert configure(brief, name="New")["retention_days"] == 2

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"retention_days": 0}, "retention_days"),
            ({"retention_days": 366}, "retention_days"),
            ({"retention_days": 31}, "retention_days"),
            ({"content_days": 3}, "content_days"),
        ],
    )
    def test_have_bounds(self, brief: World, settings: dict[str, int], named: str) -> None:
        with pytest.raises(InvalidError, match=named):
            configure(brief, **settings)


class TestAnEvent:
    def test_is_kept_as_long_as_the_stack_says_unless_the_workspace_does(
        self, world: World
    ) -> None:
        assert lifetime_s(world, world.event_item(world.send())) == 30 * DAY_S

    def test_over_https_is_kept_as_long_as_the_workspace_says(self, brief: World) -> None:
        assert lifetime_s(brief, brief.event_item(brief.send())) == 2 * DAY_S

    def test_from_the_queue_is_too(self, brief: World) -> None:
        event = factories.event_json(event_id="queued", workspace_id=brief.workspace_id)
        brief.put_message("IntakeQueue", event)

        brief.work("IntakeQueue")

        assert lifetime_s(brief, brief.event_item("queued")) == 2 * DAY_S

    def test_of_funnelytics_is_too(self, brief: World) -> None:
        headers = {"x-api-key": brief.key, "x-project-id": brief.workspace_id}
        brief.call("POST", "/api/v1/webhook/Demo", factories.lead_json(), headers=headers)

        (event,) = brief.get("/v1/events").body["data"]

        assert lifetime_s(brief, brief.event_item(event["event_id"])) == 2 * DAY_S

    def test_that_has_expired_is_gone_before_it_is_deleted(self, brief: World) -> None:
        event_id = brief.send()
        brief.clock.advance(2 * DAY_S - 1)
        assert brief.get(f"/v1/events/{event_id}").status == 200

        brief.clock.advance(1)

        assert brief.get(f"/v1/events/{event_id}").status == 404
        assert brief.get("/v1/events").body == {"data": [], "next_cursor": None}
        assert brief.event_item(event_id)


class TestADelivery:
    def test_is_kept_as_long_as_the_workspace_says(self, brief: World, receiver: Receiver) -> None:
        brief.make_config(receiver.url())

        event_id = brief.deliver()

        assert lifetime_s(brief, brief.delivery_item(event_id)) == 2 * DAY_S

    def test_that_has_expired_is_gone_before_it_is_deleted(
        self, brief: World, receiver: Receiver
    ) -> None:
        brief.make_config(receiver.url())
        event_id = brief.deliver()

        brief.clock.advance(2 * DAY_S)

        assert brief.get(f"/v1/deliveries/{brief.request_id(event_id)}").status == 404
        assert brief.get("/v1/deliveries", config_id="crm").body["data"] == []
        assert brief.delivery_item(event_id)

    def test_outlives_its_next_attempt(self, world: World, receiver: Receiver) -> None:
        configure(world, retention_days=1)
        receiver.script("/", [500])
        world.make_config(receiver.url(), retrySchedule=[DAY_S])

        event_id = world.deliver()

        item = world.delivery_item(event_id)
        assert item["expires_at"] == item["next_attempt_at"] // 1000 + DAY_S

    def test_keeps_its_body_for_the_whole_schedule(self, world: World, receiver: Receiver) -> None:
        configure(world, content_days=1)
        receiver.script("/", [500])
        world.make_config(receiver.url(), retrySchedule=[DAY_S] * 3)

        world.deliver()

        (body,) = [item for item in world.items("EventTable") if item["sk"].startswith("B#")]
        assert 3 * DAY_S <= lifetime_s(world, body) < 5 * DAY_S

    def test_keeps_its_body_for_as_long_as_contents_are_kept(
        self, world: World, receiver: Receiver
    ) -> None:
        configure(world, content_days=5)
        receiver.script("/", [500])
        world.make_config(receiver.url(), retrySchedule=[1])

        world.deliver()

        (body,) = [item for item in world.items("EventTable") if item["sk"].startswith("B#")]
        assert lifetime_s(world, body) == 5 * DAY_S


class TestContents:
    def test_of_an_event_are_hidden_before_the_event_is_gone(self, brief: World) -> None:
        event_id = brief.send()
        before = brief.get(f"/v1/events/{event_id}").body["payload"]

        brief.clock.advance(DAY_S + 1)

        after = brief.get(f"/v1/events/{event_id}")
        assert before != {}
        assert (after.status, after.body["payload"]) == (200, {})

    def test_of_an_event_are_hidden_from_clients_of_clickfunnels(self, brief: World) -> None:
        brief.send()
        path = f"/api/v2/workspaces/{brief.workspace_id}/webhooks/outgoing/events"
        brief.clock.advance(DAY_S + 1)

        (listed,) = brief.get(path).body
        shown = brief.get(f"/api/v2/webhooks/outgoing/events/{listed['id']}").body

        assert (listed["data"], shown["data"]) == ({}, {})

    def test_of_an_answer_are_hidden(self, brief: World, receiver: Receiver) -> None:
        receiver.script("/", [Reply(body=b"thanks")])
        brief.make_config(receiver.url())
        event_id = brief.deliver()
        before = brief.delivery(event_id)["attempts"][0]["response_excerpt"]

        brief.clock.advance(DAY_S + 1)

        (attempt,) = brief.delivery(event_id)["attempts"]
        assert before
        assert attempt["response_excerpt"] is None
        assert attempt["status_code"] == 200
