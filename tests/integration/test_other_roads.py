"""Events from EventBridge, from the intake queue and by direct invocation."""

from typing import Any

import pytest

from shared.errors import FunnelhooksError
from tests import factories
from tests.integration.world import World


def addressed(world: World, **changes: Any) -> dict[str, Any]:
    return {"workspace_id": world.workspace_id} | factories.event_json(**changes)


def envelope(world: World, detail: Any = None, **changes: Any) -> dict[str, Any]:
    """What EventBridge puts into the queue."""
    visit = {"workspace_id": world.workspace_id, "visitor": {"visitor_id": "v1"}}
    values: dict[str, Any] = {
        "version": "0",
        "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
        "detail-type": "node_execution",
        "source": "com.example.shop",
        "account": "123456789012",
        "time": "2026-04-29T18:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": visit if detail is None else detail,
    }
    return values | changes


def listed(world: World) -> list[str]:
    return [event["event_id"] for event in world.get("/v1/events").body["data"]]


class TestADirectInvocation:
    def test_is_answered_with_the_id_of_the_event(self, world: World) -> None:
        answer = world.invoke("ingest", addressed(world, event_id="order-1"))

        assert answer == {"event_id": "order-1"}
        assert listed(world) == ["order-1"]

    def test_may_carry_a_batch(self, world: World) -> None:
        events = [factories.event_json(event_id="a"), {"event_type": "on_action", "colour": "red"}]

        answer = world.invoke("ingest", {"workspace_id": world.workspace_id, "events": events})

        assert answer["results"][0] == {"event_id": "a"}
        assert answer["results"][1]["error"]["fields"][0]["path"] == "colour"

    def test_may_carry_an_envelope(self, world: World) -> None:
        answer = world.invoke("ingest", envelope(world))

        assert answer == {"event_id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718"}

    @pytest.mark.parametrize(
        "changes",
        [
            {"colour": "red"},
            {"workspace_id": None},
            {"workspace_id": "unknown"},
            {"workspace_id": 5},
        ],
    )
    def test_that_is_refused_raises(self, world: World, changes: dict[str, Any]) -> None:
        with pytest.raises(FunnelhooksError):
            world.invoke("ingest", addressed(world) | changes)

        assert listed(world) == []

    def test_that_repeats_an_id_with_another_body_raises(self, world: World) -> None:
        world.invoke("ingest", addressed(world, event_id="order-1"))

        with pytest.raises(FunnelhooksError, match="taken"):
            world.invoke("ingest", addressed(world, event_id="order-1", action_number=9))


class TestAnEventOfEventBridge:
    def test_is_what_its_detail_says(self, world: World) -> None:
        world.put_message("IntakeQueue", envelope(world))

        came_back = world.work("IntakeQueue")

        (event_id,) = listed(world)
        event = world.get(f"/v1/events/{event_id}").body
        assert came_back == []
        assert event_id == "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
        assert event["event_type"] == "node_execution"
        assert event["occurred_at"] == "2026-04-29T18:00:00.000Z"
        assert event["payload"] == {"visitor": {"visitor_id": "v1"}}

    def test_that_comes_twice_is_one_event(self, world: World) -> None:
        world.put_message("IntakeQueue", envelope(world))
        world.put_message("IntakeQueue", envelope(world))

        world.work("IntakeQueue")

        assert len(listed(world)) == 1

    def test_may_say_itself_what_it_is_called_and_when_it_happened(self, world: World) -> None:
        detail = {
            "workspace_id": world.workspace_id,
            "event_id": "order-1",
            "occurred_at": "2026-04-01T00:00:00Z",
        }

        world.put_message("IntakeQueue", envelope(world, detail))
        world.work("IntakeQueue")

        event = world.get("/v1/events/order-1").body
        assert event["occurred_at"] == "2026-04-01T00:00:00.000Z"

    @pytest.mark.parametrize("detail", [[], "text", {}, {"workspace_id": "unknown"}])
    def test_that_makes_no_sense_comes_back(self, world: World, detail: Any) -> None:
        world.put_message("IntakeQueue", envelope(world, detail))

        assert len(world.work("IntakeQueue")) == 1

    def test_without_an_id_takes_the_one_of_its_message(self, world: World) -> None:
        values = {name: value for name, value in envelope(world).items() if name != "id"}
        world.put_message("IntakeQueue", values)
        records = world.receive("IntakeQueue")

        world.work_on("IntakeQueue", records)
        world.work_on("IntakeQueue", records)

        assert listed(world) == [records[0]["messageId"]]

    def test_that_is_told_twice_is_one_event_if_it_is_known_by_nature(self, world: World) -> None:
        detail = factories.event_json("conversion_triggered") | {"workspace_id": world.workspace_id}
        for number, time in (("1", "2026-04-29T18:00:00Z"), ("2", "2026-04-29T18:00:01Z")):
            told = envelope(world, detail, id=number, time=time)
            world.put_message("IntakeQueue", told | {"detail-type": "conversion_triggered"})

        came_back = world.work("IntakeQueue")

        assert came_back == []
        assert len(listed(world)) == 1


class TestAMessage:
    def test_is_an_event(self, world: World) -> None:
        world.put_message("IntakeQueue", addressed(world, event_id="order-1"))

        world.work("IntakeQueue")

        assert listed(world) == ["order-1"]
        assert world.depth("IntakeQueue") == 0

    def test_that_comes_twice_is_one_event(self, world: World) -> None:
        world.put_message("IntakeQueue", addressed(world, funnel=None, hit=None))
        records = world.receive("IntakeQueue")

        world.work_on("IntakeQueue", records)
        came_back = world.work_on("IntakeQueue", records)

        assert came_back == []
        assert listed(world) == [records[0]["messageId"]]

    def test_is_known_by_nature_before_it_is_by_its_own_id(self, world: World) -> None:
        for _ in range(2):
            world.put_message("IntakeQueue", addressed(world))

        came_back = world.work("IntakeQueue")

        assert came_back == []
        assert len(listed(world)) == 1

    @pytest.mark.parametrize(
        "poison", ["{", "[]", "5", '{"event_type": "on_action"}', '{"workspace_id": "unknown"}']
    )
    def test_that_is_poison_comes_back_alone(self, world: World, poison: str) -> None:
        world.put_message("IntakeQueue", addressed(world, event_id="a"))
        world.put_message("IntakeQueue", poison)
        world.put_message("IntakeQueue", addressed(world, event_id="b"))

        came_back = world.work("IntakeQueue")

        assert len(came_back) == 1
        assert sorted(listed(world)) == ["a", "b"]

    def test_that_is_poison_for_good_ends_among_the_dead_letters(self, world: World) -> None:
        world.put_message("IntakeQueue", "{")

        for _ in range(4):
            world.work("IntakeQueue")
            world.redeliver()

        assert world.depth("IntakeDeadLetters") == 1
        assert world.depth("IntakeQueue") == 0

    def test_may_hold_a_batch_and_comes_twice_as_one(self, world: World) -> None:
        events = [factories.event_json(), factories.event_json("on_action")]
        batch = {"workspace_id": world.workspace_id, "events": events}
        world.put_message("IntakeQueue", batch)
        records = world.receive("IntakeQueue")

        world.work_on("IntakeQueue", records)
        came_back = world.work_on("IntakeQueue", records)

        assert came_back == []
        assert len(listed(world)) == 2

    def test_with_a_batch_of_which_a_part_is_refused_comes_back(self, world: World) -> None:
        events = [factories.event_json(event_id="a"), {"event_type": "on_action", "colour": "red"}]
        world.put_message("IntakeQueue", {"workspace_id": world.workspace_id, "events": events})

        came_back = world.work("IntakeQueue")

        assert len(came_back) == 1
        assert listed(world) == ["a"]


def test_every_road_leads_to_a_delivery(world: World) -> None:
    world.make_config("http://127.0.0.1:9/in")
    world.put_message("IntakeQueue", addressed(world, event_id="queue"))
    world.put_message("IntakeQueue", envelope(world, id="bridge"))

    world.work("IntakeQueue")
    world.invoke("ingest", addressed(world, event_id="direct"))
    world.send(event_id="https")
    world.fan_out()

    assert world.depth("DispatchQueue") == 4
