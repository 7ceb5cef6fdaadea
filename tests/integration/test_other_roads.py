"""Events from EventBridge, from the intake queue and by direct invocation."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from shared.aws.dead_letters import DeadLetters
from shared.clock import rfc3339
from shared.errors import FunnelhooksError, InvalidError
from shared.events.store import EventStore
from tests import factories
from tests.fakes import NOW
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


def attributes(letter: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}


@contextmanager
def failing_once(target: type, step: str) -> Iterator[None]:
    """AWS fails at the first call, as a call does that the process survives."""
    real, failed = getattr(target, step), list[str]()

    def call(*arguments: Any, **named: Any) -> Any:
        if not failed:
            failed.append(step)
            raise OSError
        return real(*arguments, **named)

    with patch.object(target, step, call):
        yield


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

    def test_with_a_batch_has_its_refused_events_put_aside_for_those_who_do_not_wait(
        self, world: World
    ) -> None:
        events = [factories.event_json(), {"event_type": "on_action", "colour": "red"}]

        world.invoke("ingest", {"workspace_id": world.workspace_id, "events": events})

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert attributes(letter)["batch_index"] == "1"
        assert attributes(letter)["source_id"] == world.context.aws_request_id

    def test_that_lambda_repeats_is_one_event(self, world: World) -> None:
        sent = {"workspace_id": world.workspace_id} | factories.resource_json()

        answers = [world.invoke("ingest", sent) for _ in range(2)]

        assert answers == [{"event_id": world.context.aws_request_id}] * 2
        assert listed(world) == [world.context.aws_request_id]

    @pytest.mark.parametrize("odd", [float("inf"), float("nan"), "\ud800", [[]]])
    def test_holds_what_json_can_hold(self, world: World, odd: Any) -> None:
        for _ in range(30 if odd == [[]] else 0):
            odd = [odd]
        event = {"event_type": "lead.created", "subject_type": "lead", "subject_id": "1"}
        sent = {"workspace_id": world.workspace_id} | event | {"data": {"odd": odd}}

        with pytest.raises(InvalidError):
            world.invoke("ingest", sent)

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
    def test_that_makes_no_sense_is_put_aside(self, world: World, detail: Any) -> None:
        sent = envelope(world, detail)
        world.put_message("IntakeQueue", sent)

        came_back = world.work("IntakeQueue")

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert came_back == []
        assert json.loads(letter["Body"]) == sent

    @pytest.mark.parametrize("envelope_id", [5, "", "a b", "x" * 101, None])
    def test_with_an_odd_id_is_put_aside(self, world: World, envelope_id: Any) -> None:
        world.put_message("IntakeQueue", envelope(world, id=envelope_id))

        world.work("IntakeQueue")

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert attributes(letter)["error_fields"] == '["id"]'

    def test_may_carry_a_batch(self, world: World) -> None:
        events = [factories.event_json(event_id="a"), factories.event_json(event_id="b")]
        detail = {"workspace_id": world.workspace_id, "events": events}
        world.put_message("IntakeQueue", envelope(world, detail))

        world.work("IntakeQueue")

        assert sorted(listed(world)) == ["a", "b"]

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
        "poison",
        [
            "{",
            "[]",
            "5",
            "\ufeff",
            '"\\ud800"',
            "[" * 100_000,
            '{"event_type": "on_action"}',
            '{"workspace_id": "unknown"}',
            '{"workspace_id": 5}',
            '{"detail-type": 5}',
        ],
    )
    def test_that_is_poison_goes_to_the_dead_letters_alone(self, world: World, poison: str) -> None:
        world.put_message("IntakeQueue", addressed(world, event_id="a"))
        world.put_message("IntakeQueue", poison)
        world.put_message("IntakeQueue", addressed(world, event_id="b"))

        came_back = world.work("IntakeQueue")

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert came_back == []
        assert letter["Body"] == poison
        assert sorted(listed(world)) == ["a", "b"]
        assert world.depth("IntakeQueue") == 0

    def test_that_is_refused_is_put_aside_with_the_reason(self, world: World) -> None:
        sent = addressed(world, visitor={"nick": "a secret", "ip": 5})
        world.put_message("IntakeQueue", sent)
        (record,) = world.receive("IntakeQueue")

        world.work_on("IntakeQueue", [record])

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert json.loads(letter["Body"]) == sent
        assert attributes(letter) == {
            "error_code": "invalid",
            "error_message": "visitor.ip: Input should be a valid string; "
            "visitor.nick: is not a known field",
            "error_fields": '["visitor.ip", "visitor.nick"]',
            "source_id": record["messageId"],
            "refused_at": rfc3339(NOW),
        }

    @pytest.mark.parametrize("name", ["\u0001", "\uffff", "\U0001f600" * 2000, "'\"\n"])
    def test_is_put_aside_whatever_its_keys_are_called(self, world: World, name: str) -> None:
        world.put_message("IntakeQueue", json.dumps(addressed(world) | {name: 1}))

        came_back = world.work("IntakeQueue")

        assert came_back == []
        assert world.depth("IntakeDeadLetters") == 1

    def test_that_repeats_an_id_with_another_body_is_put_aside(self, world: World) -> None:
        world.put_message("IntakeQueue", addressed(world, event_id="a"))
        world.put_message("IntakeQueue", addressed(world, event_id="a", action_number=9))

        world.work("IntakeQueue")

        (letter,) = world.account.letters("IntakeDeadLetters")
        assert attributes(letter)["error_code"] == "conflict"

    def test_at_which_we_fail_comes_back_alone(self, world: World) -> None:
        world.put_message("IntakeQueue", addressed(world, event_id="a"))
        world.put_message("IntakeQueue", addressed(world, event_id="b"))

        with failing_once(EventStore, "add"):
            came_back = world.work("IntakeQueue")

        assert len(came_back) == 1
        assert listed(world) == ["b"]
        assert world.depth("IntakeDeadLetters") == 0

    def test_at_which_we_always_fail_ends_among_the_dead_letters(self, world: World) -> None:
        world.put_message("IntakeQueue", addressed(world))

        with patch.object(EventStore, "add", side_effect=OSError):
            for _ in range(4):
                world.work("IntakeQueue")
                world.redeliver()

        assert world.depth("IntakeDeadLetters") == 1
        assert world.depth("IntakeQueue") == 0

    def test_that_cannot_be_put_aside_comes_back(self, world: World) -> None:
        world.put_message("IntakeQueue", "{")

        with patch.object(DeadLetters, "put", side_effect=OSError):
            came_back = world.work("IntakeQueue")

        assert len(came_back) == 1

    def test_may_hold_a_batch_and_comes_twice_as_one(self, world: World) -> None:
        events = [factories.event_json(), factories.event_json("on_action")]
        batch = {"workspace_id": world.workspace_id, "events": events}
        world.put_message("IntakeQueue", batch)
        records = world.receive("IntakeQueue")

        world.work_on("IntakeQueue", records)
        came_back = world.work_on("IntakeQueue", records)

        assert came_back == []
        assert len(listed(world)) == 2

    def test_with_a_batch_at_which_we_fail_comes_back_and_makes_each_event_once(
        self, world: World
    ) -> None:
        events = [factories.resource_json(), factories.resource_json()]
        batch = {"workspace_id": world.workspace_id, "events": events}
        world.put_message("IntakeQueue", batch)

        with failing_once(EventStore, "add"):
            came_back = world.work("IntakeQueue")
        world.redeliver()
        world.work("IntakeQueue")

        assert len(came_back) == 1
        assert len(listed(world)) == 2

    def test_with_a_batch_has_its_refused_events_put_aside_one_by_one(self, world: World) -> None:
        red = {"event_type": "on_action", "colour": "red"}
        events = [factories.event_json(event_id="a"), red, 5, factories.event_json(event_id="b")]
        world.put_message("IntakeQueue", {"workspace_id": world.workspace_id, "events": events})

        came_back = world.work("IntakeQueue")

        letters = world.account.letters("IntakeDeadLetters")
        assert came_back == []
        assert sorted(listed(world)) == ["a", "b"]
        assert [attributes(letter)["batch_index"] for letter in letters] == ["1", "2"]
        assert attributes(letters[0])["error_fields"] == '["colour"]'
        assert json.loads(letters[0]["Body"]) == {
            "workspace_id": world.workspace_id,
            "events": [red],
        }

    def test_with_a_batch_of_which_all_is_refused_leaves_a_letter_for_each(
        self, world: World
    ) -> None:
        batch = {"workspace_id": world.workspace_id, "events": [{}] * 100}
        world.put_message("IntakeQueue", batch)

        came_back = world.work("IntakeQueue")

        assert came_back == []
        assert world.depth("IntakeDeadLetters") == 100

    def test_that_was_put_aside_can_be_sent_once_more(self, world: World) -> None:
        events = [{"event_id": "a", "event_type": "not yet known"}]
        world.put_message("IntakeQueue", {"workspace_id": world.workspace_id, "events": events})
        world.work("IntakeQueue")
        (letter,) = world.account.letters("IntakeDeadLetters")

        world.put_message("IntakeQueue", letter["Body"].replace("not yet known", "on_action"))
        world.work("IntakeQueue")

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
