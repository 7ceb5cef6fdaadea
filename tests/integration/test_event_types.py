"""/v1/eventtypes, and what a schema does to events on every road."""

import json
from typing import Any

import pytest

from shared.errors import InvalidError
from shared.events.catalogue import ENTRIES
from shared.events.own_types import EventTypeStore
from tests import factories
from tests.integration.world import Reply, World

PATH = "/v1/eventtypes"
SCHEMA = {
    "type": "object",
    "required": ["items"],
    "properties": {
        "items": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
        "note": {"const": None},
        "share": {"multipleOf": 0.01},
    },
}
GOOD = {"items": [{"sku": "a-1"}], "note": None, "share": 0.25}
BAD = {"items": [{"sku": "a-1"}, {"sku": 5}]}
WRONG = [{"path": "data.items.1.sku", "message": 'the value is not of type "string"'}]


def save(world: World, name: str = "parcel.sent", **fields: Any) -> Reply:
    return world.call("POST", PATH, {"name": name} | fields)


def find(world: World, name: str = "parcel.sent") -> Reply:
    return world.get(PATH, name=name)


def delete(world: World, name: str = "parcel.sent") -> Reply:
    return world.call("DELETE", PATH, query={"name": name})


def listed(world: World, **query: str) -> list[str]:
    reply = world.get(PATH, **query)
    assert reply.status == 200
    assert reply.body["next_cursor"] is None
    return [each["name"] for each in reply.body["data"]]


def parcel(**changes: Any) -> dict[str, Any]:
    return factories.resource_json("parcel.sent") | changes


def send(world: World, **changes: Any) -> Reply:
    return world.call("POST", "/v1/events", parcel(**changes))


def key_with(world: World, *scopes: str) -> str:
    body = {"name": "Other", "client": "api", "scopes": list(scopes)}
    secret: str = world.call("POST", "/v1/integration/apikeys", body).body["secret"]
    return secret


class TestTheList:
    def test_is_all_that_is_built_in_by_system(self, world: World) -> None:
        reply = world.get(PATH)

        assert reply.body["data"] == [entry.model_dump() for entry in ENTRIES]

    def test_ends_with_what_the_workspace_has_itself_by_name(self, world: World) -> None:
        for name in ("parcel.sent", "parcel.lost", "a"):
            save(world, name)

        assert listed(world)[len(ENTRIES) :] == ["a", "parcel.lost", "parcel.sent"]
        assert listed(world, own="true") == ["a", "parcel.lost", "parcel.sent"]
        assert len(listed(world, own="false")) == len(ENTRIES)

    def test_may_be_of_one_group(self, world: World) -> None:
        save(world, group="Units")
        save(world, "parcel.lost", group="Parcels")

        assert listed(world, group="Units") == [
            "unit.created",
            "unit.updated",
            "unit.status_changed",
            "parcel.sent",
        ]
        assert listed(world, group="Units", own="true") == ["parcel.sent"]
        assert listed(world, group="Nothing") == []

    def test_says_which_types_have_a_schema_and_leaves_it_out(self, world: World) -> None:
        save(world, schema=SCHEMA)
        save(world, "parcel.lost")

        lost, sent = world.get(PATH, own="true").body["data"]
        assert lost == {
            "name": "parcel.lost",
            "group": "",
            "description": "",
            "system": "own",
            "has_schema": False,
            "created_at": "2026-04-29T18:04:15.000Z",
            "updated_at": "2026-04-29T18:04:15.000Z",
        }
        assert sent["has_schema"] is True

    def test_is_read_by_one_query(self, world: World) -> None:
        save(world)
        world.calls.clear()

        listed(world)

        assert sorted(world.calls.names) == ["Query", "UpdateItem"]


class TestOneType:
    def test_is_shown_with_its_schema_as_it_was_saved(self, world: World) -> None:
        created = save(world, group="Parcels", description="It left.", schema=SCHEMA)

        assert created.status == 201
        assert created.body == {
            "name": "parcel.sent",
            "group": "Parcels",
            "description": "It left.",
            "system": "own",
            "schema": SCHEMA,
            "created_at": "2026-04-29T18:04:15.000Z",
            "updated_at": "2026-04-29T18:04:15.000Z",
        }
        assert find(world).body == created.body
        assert json.dumps(find(world).body["schema"]) == json.dumps(SCHEMA)

    def test_may_be_one_that_is_built_in(self, world: World) -> None:
        assert find(world, "lead.won").body == {
            "name": "lead.won",
            "group": "Leads",
            "description": "A lead was won.",
            "system": "flowestate",
        }

    def test_that_is_not_known_is_not_found(self, world: World) -> None:
        assert find(world).status == 404

    def test_is_replaced_by_saving_it_again(self, world: World) -> None:
        save(world, group="Parcels", schema=SCHEMA)
        world.clock.advance(60)

        again = save(world, group="Parcels", schema=SCHEMA)
        other = save(world, description="It left.")

        assert again.status == other.status == 200
        assert again.body["schema"] == SCHEMA
        assert other.body == find(world).body
        assert other.body["schema"] is None
        assert other.body["group"] == ""
        assert other.body["created_at"] == "2026-04-29T18:04:15.000Z"
        assert other.body["updated_at"] == "2026-04-29T18:05:15.000Z"

    @pytest.mark.parametrize("name", ["lead.created", "on_action", "contact.identified"])
    def test_cannot_have_the_name_of_one_that_is_built_in(self, world: World, name: str) -> None:
        assert save(world, name).status == 409
        assert delete(world, name).status == 409

    def test_is_deleted_once(self, world: World) -> None:
        save(world)

        assert delete(world).status == 204
        assert delete(world).status == 404
        assert listed(world, own="true") == []

    @pytest.mark.parametrize(
        ("fields", "path"),
        [
            ({"name": "Parcel.sent"}, "name"),
            ({"name": "x" * 129}, "name"),
            ({"group": "x" * 65}, "group"),
            ({"description": "x" * 513}, "description"),
            ({"colour": "red"}, "colour"),
            ({"schema": "object"}, "schema"),
            ({"schema": []}, "schema"),
            ({"schema": {"type": "strin"}}, "schema.type"),
            ({"schema": {"properties": {"a": {"pattern": "("}}}}, "schema.properties.a.pattern"),
            ({"schema": {"$ref": "https://example.com"}}, "schema.$ref"),
            ({"schema": {"description": "x" * 16_400}}, "schema"),
        ],
    )
    def test_is_refused_with_the_field_that_is_wrong(
        self, world: World, fields: dict[str, Any], path: str
    ) -> None:
        reply = save(world, **fields)

        assert reply.status == 400
        assert [field["path"] for field in reply.body["error"]["fields"]] == [path]
        assert listed(world, own="true") == []

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_is_reached_at_both_spellings_of_the_path(self, world: World, method: str) -> None:
        save(world)
        body = {"name": "parcel.sent"} if method == "POST" else None
        query = {} if method == "POST" else {"name": "parcel.sent"}

        reply = world.call(method, PATH + "/", body, query=query)

        assert reply.status in (200, 204)

    @pytest.mark.parametrize(
        ("method", "scope"), [("GET", "configs:read"), ("POST", "configs:write")]
    )
    def test_needs_a_scope(self, world: World, method: str, scope: str) -> None:
        powerless = key_with(world, "events:write", "keys:manage")
        body = {"name": "parcel.sent"} if method == "POST" else None

        reply = world.call(method, PATH, body, key=powerless)

        assert reply.status == 403
        assert scope in reply.body["error"]["message"]


class TestThePlan:
    def test_allows_so_many_types_and_says_so(self, world: World) -> None:
        limits = {"limits": {"event_types": 2}}
        world.invoke(
            "configs", {"operation": "configure", "workspace_id": world.workspace_id} | limits
        )
        world.clock.advance(60)  # until the key's workspace is read again
        assert save(world, "a").status == save(world, "b").status == 201

        full = save(world, "c")

        assert full.status == 403
        assert full.body["error"]["message"] == "The plan limit of 2 own event types is reached."
        assert save(world, "b", group="B").status == 200
        assert delete(world, "a").status == 204
        assert save(world, "c").status == 201


class TestAnotherWorkspace:
    def test_sees_changes_and_deletes_none_of_them(self, world: World) -> None:
        save(world, schema=SCHEMA)
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Next door"})["api_key"]

        assert world.call("GET", PATH, query={"own": "true"}, key=other).body["data"] == []
        assert world.call("GET", PATH, query={"name": "parcel.sent"}, key=other).status == 404
        assert world.call("DELETE", PATH, query={"name": "parcel.sent"}, key=other).status == 404
        assert world.call("POST", PATH, {"name": "parcel.sent"}, key=other).status == 201
        assert find(world).body["schema"] == SCHEMA

    def test_sends_events_of_that_name_as_it_likes(self, world: World) -> None:
        save(world, schema=SCHEMA)
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Next door"})["api_key"]

        assert world.call("POST", "/v1/events", parcel(data=BAD), key=other).status == 202
        assert send(world, data=BAD).status == 400


class TestAnEvent:
    def test_that_keeps_to_the_schema_of_its_type_is_accepted(self, world: World) -> None:
        save(world, schema=SCHEMA)

        assert send(world, data=GOOD).status == 202

    def test_that_breaks_it_is_refused_with_the_paths(self, world: World) -> None:
        save(world, schema=SCHEMA)

        reply = send(world, data=BAD)

        assert reply.status == 400
        assert reply.body["error"]["code"] == "invalid"
        assert reply.body["error"]["fields"] == WRONG
        assert world.get("/v1/events").body["data"] == []

    def test_of_a_type_that_is_not_registered_is_accepted(self, world: World) -> None:
        assert send(world, data=BAD).status == 202

    def test_of_an_own_type_without_a_schema_is_accepted(self, world: World) -> None:
        save(world)

        assert send(world, data=BAD).status == 202

    def test_of_a_deleted_type_is_checked_for_30_seconds_more(self, world: World) -> None:
        save(world, schema=SCHEMA)
        send(world, data=GOOD)
        delete(world)

        assert send(world, data=BAD).status == 400
        world.clock.advance(30)
        assert send(world, data=BAD).status == 202

    def test_of_a_batch_is_refused_by_itself(self, world: World) -> None:
        save(world, schema=SCHEMA)
        events = [parcel(data=GOOD, event_id="good"), parcel(data=BAD), factories.event_json()]

        reply = world.call("POST", "/v1/events", {"events": events})

        good, bad, tracking = reply.body["results"]
        assert reply.status == 202
        assert good == {"event_id": "good"}
        assert bad["error"]["fields"] == WRONG
        assert "event_id" in tracking

    def test_of_a_direct_invocation_is_refused_by_raising(self, world: World) -> None:
        save(world, schema=SCHEMA)

        with pytest.raises(InvalidError, match=r"data\.items\.1\.sku"):
            world.invoke("ingest", parcel(workspace_id=world.workspace_id, data=BAD))

    @pytest.mark.parametrize("data", [GOOD, BAD], ids=["good", "bad"])
    def test_of_the_queue_is_accepted_or_goes_to_the_dead_letters(
        self, world: World, data: dict[str, Any]
    ) -> None:
        save(world, schema=SCHEMA)
        world.put_message("IntakeQueue", parcel(workspace_id=world.workspace_id, data=data))

        world.work("IntakeQueue")

        assert bool(world.depth("IntakeDeadLetters")) is (data is BAD)
        assert bool(world.get("/v1/events").body["data"]) is (data is GOOD)

    def test_of_eventbridge_is_checked_too(self, world: World) -> None:
        save(world, schema=SCHEMA)
        detail = parcel(workspace_id=world.workspace_id, data=BAD)
        del detail["event_type"]
        envelope = {"id": "e-1", "detail-type": "parcel.sent", "detail": detail}
        world.put_message("IntakeQueue", envelope)

        world.work("IntakeQueue")

        assert world.depth("IntakeDeadLetters") == 1


def test_a_save_that_meets_a_delete_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    save(world)
    replace = EventTypeStore._replace

    def after_a_delete(store: EventTypeStore, own: Any) -> Any:
        store.delete(own.workspace_id, own.name)
        return replace(store, own)

    monkeypatch.setattr(EventTypeStore, "_replace", after_a_delete)

    assert save(world).status == 409
