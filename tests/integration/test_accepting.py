"""POST /v1/events: what is accepted, once; what is refused, and how the refusal says why."""

import json
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from shared.events.accept import MAX_EVENT_BYTES
from shared.events.models import Event, TriggerType
from shared.events.store import EventStore
from tests import factories
from tests.integration.invocations import http_event
from tests.integration.world import Reply, World


def post(world: World, body: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return world.call("POST", "/v1/events", body, headers=named)


def code(reply: Reply) -> str:
    return str(reply.body["error"]["code"])


def fields(reply: Reply) -> list[str]:
    return [field["path"] for field in reply.body["error"]["fields"]]


class TestAnEvent:
    def test_is_answered_202_with_its_id(self, world: World) -> None:
        reply = post(world, factories.event_json(event_id="order-1"))

        assert (reply.status, reply.body) == (202, {"event_id": "order-1"})

    def test_without_an_id_is_given_one(self, world: World) -> None:
        one, other = (post(world, factories.resource_json()).body["event_id"] for _ in range(2))

        assert one != other
        assert world.get(f"/v1/events/{one}").status == 200

    def test_may_take_its_id_from_the_header(self, world: World) -> None:
        reply = post(world, factories.event_json(), Idempotency_Key="order-1")

        assert reply.body == {"event_id": "order-1"}
        assert world.get("/v1/events/order-1").status == 200

    def test_with_two_different_ids_is_refused(self, world: World) -> None:
        reply = post(world, factories.event_json(event_id="a"), Idempotency_Key="b")

        assert reply.status == 400
        assert fields(reply) == ["event_id"]

    def test_with_the_same_id_twice_is_fine(self, world: World) -> None:
        reply = post(world, factories.event_json(event_id="a"), Idempotency_Key="a")

        assert reply.status == 202

    def test_may_be_an_outbound_payload_sent_back_in(self, world: World) -> None:
        reply = post(world, factories.event_json("conversion_triggered"))

        assert reply.status == 202

    def test_may_come_without_a_content_type(self, world: World) -> None:
        body = json.dumps(factories.event_json())

        assert post(world, body, Content_Type="application/json; charset=utf-8").status == 202

    def test_may_come_in_base64(self, world: World) -> None:
        assert post(world, json.dumps(factories.event_json()).encode()).status == 202

    def test_of_the_greatest_size_is_accepted(self, world: World) -> None:
        values = factories.resource_json(data={"text": ""})
        filler = "x" * (MAX_EVENT_BYTES - len(json.dumps(values)))

        assert post(world, factories.resource_json(data={"text": filler})).status == 202


class TestAnIdThatComesTwice:
    def test_with_the_same_body_gets_the_same_answer(self, world: World) -> None:
        values = factories.event_json(event_id="order-1")
        first = post(world, values)

        world.clock.advance(3600)
        second = post(world, dict(reversed(values.items())))

        assert second[:2] == first[:2] == (202, {"event_id": "order-1"})
        assert len(world.get("/v1/events").body["data"]) == 1

    def test_with_another_body_is_a_conflict(self, world: World) -> None:
        post(world, factories.event_json(event_id="order-1"))

        reply = post(world, factories.event_json(event_id="order-1", action_number=9))

        assert (reply.status, code(reply)) == (409, "conflict")
        assert "order-1 is taken" in reply.body["error"]["message"]
        stored = world.get("/v1/events/order-1").body["payload"]
        assert stored["action_number"] == 1

    def test_with_another_type_is_a_conflict(self, world: World) -> None:
        values = {"event_id": "order-1", "event_type": "on_action"}
        post(world, values)

        assert post(world, values | {"event_type": "node_execution"}).status == 409

    def test_in_another_workspace_is_another_event(self, world: World) -> None:
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        post(world, factories.event_json(event_id="order-1"))

        values = factories.event_json(event_id="order-1", action_number=9)
        reply = world.call("POST", "/v1/events", values, key=other["api_key"])

        assert reply.status == 202


class TestAnEventThatIsKnownByNature:
    @pytest.mark.parametrize("event_type", list(TriggerType))
    def test_is_one_event_however_often_it_comes(self, world: World, event_type: str) -> None:
        values = factories.event_json(event_type, action_number=None, is_action=None)
        first = post(world, values)

        world.clock.advance(3600)
        second = post(world, dict(reversed(values.items())))

        assert second[:2] == first[:2]
        assert first.status == 202
        assert len(world.get("/v1/events").body["data"]) == 1

    def test_with_another_body_is_a_conflict(self, world: World) -> None:
        post(world, factories.event_json("conversion_triggered"))

        reply = post(world, factories.event_json("conversion_triggered", visitor_tags=["other"]))

        assert (reply.status, code(reply)) == (409, "conflict")
        assert "known by its conversion_id" in reply.body["error"]["message"]

    def test_is_another_one_in_another_workspace(self, world: World) -> None:
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        values = factories.event_json("conversion_triggered")
        mine = post(world, values)

        theirs = world.call(
            "POST", "/v1/events", values | {"visitor_tags": ["x"]}, key=other["api_key"]
        )

        assert (mine.status, theirs.status) == (202, 202)

    def test_is_another_one_under_an_id_that_it_is_given(self, world: World) -> None:
        values = factories.event_json("conversion_triggered")

        replies = [post(world, values), post(world, values, Idempotency_Key="again")]

        assert [reply.status for reply in replies] == [202, 202]
        assert len(world.get("/v1/events").body["data"]) == 2

    def test_is_the_same_by_its_legacy_names(self, world: World) -> None:
        conversion = {"event_type": "conversion_triggered", "conversion": {"conversion_id": "c"}}
        legacy = {"event_type": "conversion_triggered", "ConversionID": "c"}

        assert post(world, legacy).body == post(world, conversion).body

    def test_is_the_same_whenever_it_is_said_to_have_happened(self, world: World) -> None:
        values = factories.event_json("conversion_triggered")

        first = post(world, values | {"occurred_at": "2026-04-01T00:00:00Z"})
        second = post(world, values | {"occurred_at": "2026-04-02T00:00:00Z"})

        assert second[:2] == first[:2]

    def test_for_other_configs_is_a_conflict_and_not_silently_dropped(self, world: World) -> None:
        values = factories.event_json("conversion_triggered")
        post(world, values)

        assert post(world, values | {"webhook_config_ids": ["ads"]}).status == 409

    def test_is_one_event_within_a_batch(self, world: World) -> None:
        reply = post(world, {"events": [factories.event_json("conversion_triggered")] * 3})

        assert len({result["event_id"] for result in reply.body["results"]}) == 1
        assert len(world.events()) == 1


class TestABatch:
    def test_is_answered_event_by_event_in_its_order(self, world: World) -> None:
        post(world, factories.event_json(event_id="taken"))
        events = [
            factories.event_json(event_id="new"),
            factories.event_json(event_id="taken"),
            factories.event_json(event_id="taken", action_number=9),
            {"event_type": "on_action", "colour": "red"},
            "not an event",
        ]

        reply = post(world, {"events": events})

        results = reply.body["results"]
        assert reply.status == 202
        assert results[:2] == [{"event_id": "new"}, {"event_id": "taken"}]
        assert [result["error"]["code"] for result in results[2:]] == [
            "conflict",
            "invalid",
            "invalid",
        ]
        assert results[3]["error"]["fields"][0]["path"] == "colour"

    def test_of_100_is_accepted(self, world: World) -> None:
        events = [{"event_type": "on_action", "event_id": f"e{n}"} for n in range(100)]

        reply = post(world, {"events": events})

        assert reply.body["results"] == [{"event_id": f"e{n}"} for n in range(100)]
        assert len(world.events()) == 100

    @pytest.mark.parametrize("events", [[], [{}] * 101, None, {}, "events"])
    def test_of_another_size_is_refused(self, world: World, events: Any) -> None:
        reply = post(world, {"events": events})

        assert reply.status == 400
        assert fields(reply) == ["events"]

    def test_has_nothing_beside_its_events(self, world: World) -> None:
        reply = post(world, {"events": [factories.event_json()], "event_type": "on_action"})

        assert reply.status == 400
        assert fields(reply) == ["event_type"]

    def test_takes_its_ids_from_its_events(self, world: World) -> None:
        reply = post(world, {"events": [factories.event_json()]}, Idempotency_Key="a")

        assert reply.status == 400
        assert "give each its event_id" in reply.body["error"]["message"]

    def test_refuses_an_event_that_is_too_large_and_keeps_the_others(self, world: World) -> None:
        large = factories.resource_json(data={"text": "x" * MAX_EVENT_BYTES})

        reply = post(world, {"events": [large, factories.event_json(event_id="small")]})

        assert reply.body["results"][0]["error"]["code"] == "too_large"
        assert reply.body["results"][1] == {"event_id": "small"}

    def test_answers_by_itself_for_an_event_at_which_we_fail(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        add = EventStore.add

        def fussy(store: EventStore, event: Event) -> Event | None:
            if event.event_id == "broken":
                raise ClientError({"Error": {"Code": "ItemTooLarge"}}, "PutItem")
            return add(store, event)

        events = [factories.resource_json(event_id=name) for name in ("one", "broken", "two")]
        with patch.object(EventStore, "add", fussy):
            reply = post(world, {"events": [*events, factories.resource_json()]})

        one, broken, two, other = reply.body["results"]
        assert reply.status == 202
        assert (one, two) == ({"event_id": "one"}, {"event_id": "two"})
        assert broken["error"]["code"] == "internal"
        assert "Send this event again" in broken["error"]["message"]
        assert world.get(f"/v1/events/{other['event_id']}").status == 200
        (failed,) = [one for one in caplog.records if one.getMessage() == "event.failed"]
        assert failed.__dict__["faults"] == 1

    def test_of_the_same_id_twice_is_one_event(self, world: World) -> None:
        values = {"event_type": "on_action", "event_id": "same"}

        reply = post(world, {"events": [values] * 10})

        assert reply.body["results"] == [{"event_id": "same"}] * 10
        assert len(world.events()) == 1


class TestARefusal:
    @pytest.mark.parametrize("body", ["", "   ", "{", '{"event_type": }', b"\xff\xfe", "NaN"])
    def test_of_what_is_no_json_is_a_400(self, world: World, body: Any) -> None:
        reply = post(world, body)

        assert (reply.status, code(reply)) == (400, "invalid")

    @pytest.mark.parametrize("body", ["[]", "null", '"event"', "5"])
    def test_of_what_is_no_object_is_a_400(self, world: World, body: str) -> None:
        assert post(world, body).status == 400

    @pytest.mark.parametrize("body", ["***", "é"])
    def test_of_what_is_no_base64_is_a_400(self, world: World, body: str) -> None:
        headers = {"authorization": f"Bearer {world.key}"}
        event = http_event("POST", "/v1/events", body, {}, headers) | {"isBase64Encoded": True}

        assert world.invoke("ingest", event)["statusCode"] == 400

    def test_of_a_missing_body_is_a_400(self, world: World) -> None:
        assert post(world).status == 400

    def test_of_two_names_that_disagree_names_both(self, world: World) -> None:
        reply = post(world, factories.event_json(hit={"hit_id": "a", "HitID": "b"}))

        assert (reply.status, fields(reply)) == (400, ["hit.HitID"])
        assert "differs from hit.hit_id" in reply.body["error"]["message"]

    def test_names_every_wrong_field(self, world: World) -> None:
        values = factories.event_json(visitor={"ip": 5}, occurred_at="soon", colour="red")

        reply = post(world, values)

        assert reply.status == 400
        assert sorted(fields(reply)) == ["colour", "occurred_at", "visitor.ip"]
        assert "colour: is not a known field" in reply.body["error"]["message"]

    def test_of_a_bad_idempotency_key_is_a_400(self, world: World) -> None:
        assert post(world, factories.event_json(), Idempotency_Key="with blank").status == 400

    @pytest.mark.parametrize(
        "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""]
    )
    def test_of_another_content_type_is_a_415(self, world: World, content_type: str) -> None:
        reply = post(world, json.dumps(factories.event_json()), Content_Type=content_type)

        assert (reply.status, code(reply)) == (415, "unsupported_media_type")

    def test_of_an_event_that_is_too_large_is_a_413(self, world: World) -> None:
        reply = post(world, factories.resource_json(data={"text": "x" * MAX_EVENT_BYTES}))

        assert (reply.status, code(reply)) == (413, "too_large")
        assert f"the limit is {MAX_EVENT_BYTES}" in reply.body["error"]["message"]

    def test_of_a_batch_that_is_too_large_is_a_413(self, world: World) -> None:
        events = [factories.resource_json(data={"text": "x" * 250_000})] * 17

        assert post(world, {"events": events}).status == 413

    def test_stores_nothing(self, world: World) -> None:
        post(world, factories.event_json(colour="red"))

        assert world.items("EventTable") == []


class TestAnAnswer:
    @pytest.mark.parametrize(
        "event",
        [
            {"webhook_config_ids": ["a"] * 100},
            {"event_id": "._:~@+=-"},
            {"occurred_at": 0},
            {"visitor": {"city": "Zürich 😀"}},
        ],
    )
    def test_leads_to_the_event(self, world: World, event: dict[str, Any]) -> None:
        event_id = world.send(**event)

        assert world.get(f"/v1/events/{event_id}").body["event_id"] == event_id

    def test_leads_to_an_event_whose_id_is_escaped_in_the_address(self, world: World) -> None:
        world.send(event_id="order:1@shop")

        assert world.get("/v1/events/order%3A1%40shop").body["event_id"] == "order:1@shop"

    def test_of_a_fault_says_what_repeating_may_do_and_nothing_else(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("hunter2")

        monkeypatch.setattr("shared.events.store.EventStore.add", broken)
        reply = post(world, factories.event_json())

        assert (reply.status, code(reply)) == (500, "internal")
        assert "may be repeated" in reply.body["error"]["message"]
        assert "unless it has an id" in reply.body["error"]["message"]
        assert "hunter2" not in json.dumps(reply.body)
