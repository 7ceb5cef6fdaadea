"""FlowEstate's subscription calls: every request and answer of its document, and more."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.world import Reply, World

PATH = "/api/v1/webhooks"
SUBSCRIPTIONS = f"{PATH}/subscriptions"
# Source: FlowEstate developer documentation, "List event types", response 200.
PUBLISHED: dict[str, Any] = {
    "events": [
        "lead.created", "lead.updated", "lead.stage_changed",
        "lead.assigned", "lead.unassigned",
        "lead.won", "lead.lost", "lead.deleted",
        "lead.note_added", "lead.communication_logged",
        "project.created", "project.updated", "project.deleted",
        "unit.created", "unit.updated", "unit.status_changed",
    ],
    "groups": {
        "Leads": [
            "lead.created", "lead.updated", "lead.stage_changed", "lead.assigned",
            "lead.unassigned", "lead.won", "lead.lost", "lead.deleted", "lead.note_added",
            "lead.communication_logged",
        ],
        "Projects": ["project.created", "project.updated", "project.deleted"],
        "Units": ["unit.created", "unit.updated", "unit.status_changed"],
    },
}  # fmt: skip
NEW = {
    "target_url": "https://hook.example.com/incoming",
    "event": "lead.created",
    "external_id": "make-scenario-42",
    "name": "Make: new leads",
}


def key_of(world: World, client: str, *scopes: str) -> str:
    body = {"name": client, "client": client, "scopes": scopes or ["webhooks:manage"]}
    secret: str = world.call("POST", "/v1/integration/apikeys", body).body["secret"]
    return secret


@pytest.fixture
def make(world: World) -> str:
    return key_of(world, "make")


def subscribe(world: World, key: str, **changes: Any) -> Reply:
    body = {name: value for name, value in (NEW | changes).items() if value is not None}
    return world.call("POST", SUBSCRIPTIONS, body, key=key)


def subscribed(world: World, key: str, **changes: Any) -> dict[str, Any]:
    reply = subscribe(world, key, **changes)
    assert reply.status == 201, reply
    return dict(reply.body)


def listed(world: World, key: str, **query: str) -> Any:
    return world.call("GET", SUBSCRIPTIONS, query=query, key=key).body


class TestEventTypes:
    def test_are_those_of_the_document_exactly(self, world: World, make: str) -> None:
        reply = world.call("GET", f"{PATH}/events", key=make)

        assert (reply.status, reply.body) == (200, PUBLISHED)
        assert list(reply.body["groups"]) == list(PUBLISHED["groups"])

    def test_of_the_workspace_come_after_them_in_their_groups(
        self, world: World, make: str
    ) -> None:
        for name, group in (("visit.booked", "Visits"), ("lead.scored", "Leads"), ("x.y", "")):
            world.call("POST", "/v1/eventtypes", {"name": name, "group": group})

        body = world.call("GET", f"{PATH}/events/", key=make).body

        assert body["events"] == [*PUBLISHED["events"], "lead.scored", "visit.booked", "x.y"]
        assert body["groups"]["Visits"] == ["visit.booked"]
        assert body["groups"]["Leads"] == [*PUBLISHED["groups"]["Leads"], "lead.scored"]
        assert body["groups"]["Other"] == ["x.y"]


class TestANewSubscription:
    def test_is_answered_as_the_document_says(self, world: World, make: str) -> None:
        body = subscribed(world, make)

        assert list(body) == [
            "id", "target_url", "event", "external_id", "managed_by", "secret", "supported_events",
        ]  # fmt: skip
        assert body["id"].startswith("wh_")
        assert len(bytes.fromhex(body["secret"])) == 32
        assert body | {"id": "", "secret": ""} == {
            "id": "",
            "target_url": NEW["target_url"],
            "event": "lead.created",
            "external_id": "make-scenario-42",
            "managed_by": "make",
            "secret": "",
            "supported_events": PUBLISHED["events"],
        }

    def test_shows_what_is_not_set_as_null(self, world: World, make: str) -> None:
        assert subscribed(world, make, external_id=None, name=None)["external_id"] is None

    def test_of_the_same_external_id_is_the_old_one_without_its_secret(
        self, world: World, make: str
    ) -> None:
        first = subscribed(world, make)

        again = subscribe(world, make, target_url="https://other.example.com", event="lead.won")

        del first["secret"]
        assert (again.status, again.body) == (200, first)

    def test_of_the_same_external_id_by_fifty_at_once_is_one(self, world: World, make: str) -> None:
        with ThreadPoolExecutor(50) as pool:
            replies = list(pool.map(lambda _: subscribe(world, make), range(50)))

        assert sorted(reply.status for reply in replies) == [200] * 49 + [201]
        assert len({reply.body["id"] for reply in replies}) == 1
        assert listed(world, make)["pagination"]["total"] == 1

    def test_of_another_client_may_have_the_same_external_id(self, world: World, make: str) -> None:
        first = subscribed(world, make)

        second = subscribed(world, key_of(world, "zapier"))

        assert first["id"] != second["id"]
        assert second["managed_by"] == "zapier"

    def test_of_the_same_url_and_event_without_external_id_is_a_conflict(
        self, world: World, make: str
    ) -> None:
        subscribed(world, make, external_id=None)

        again = subscribe(world, make, external_id=None)

        assert (again.status, again.body["error"]["code"]) == (409, "CONFLICT")
        assert subscribe(world, make, external_id=None, event="lead.won").status == 201

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("target_url", None),
            ("target_url", "ftp://hook.example.com/incoming"),
            ("target_url", "https://me:secret@hook.example.com"),
            ("target_url", "hook.example.com"),
            ("event", None),
            ("event", "lead.exploded"),
            ("event", ["lead.created"]),
            ("external_id", ""),
            ("external_id", "x" * 256),
            ("name", "n" * 256),
            ("events", ["lead.created"]),
        ],
    )
    def test_that_is_wrong_is_refused_with_the_field(
        self, world: World, make: str, name: str, value: Any
    ) -> None:
        reply = subscribe(world, make, **{name: value})

        assert (reply.status, list(reply.body)) == (400, ["error"])
        assert reply.body["error"]["code"] == "VALIDATION_ERROR"
        assert reply.body["error"]["message"].startswith(f"{name}: ")

    def test_names_any_type_of_the_catalogue_or_the_workspace(
        self, world: World, make: str
    ) -> None:
        world.call("POST", "/v1/eventtypes", {"name": "visit.booked"})

        for event in ("visit.booked", "contact.identified", "conversion_triggered"):
            assert subscribe(world, make, external_id=event, event=event).status == 201

    def test_beyond_the_plan_is_forbidden(self, world: World, make: str) -> None:
        limits = {"subscriptions": 1}
        world.invoke(
            "configs",
            {"operation": "configure", "workspace_id": world.workspace_id, "limits": limits},
        )
        subscribed(world, make)
        world.clock.advance(31)

        reply = subscribe(world, make, external_id="another")

        assert (reply.status, reply.body["error"]["code"]) == (403, "FORBIDDEN")
        assert "limit of 1" in reply.body["error"]["message"]

    def test_needs_the_scope_which_is_named(self, world: World) -> None:
        reply = subscribe(world, key_of(world, "make", "events:write"))

        assert (reply.status, reply.body["error"]["code"]) == (403, "FORBIDDEN")
        assert "webhooks:manage" in reply.body["error"]["message"]

    def test_needs_a_key(self, world: World) -> None:
        reply = subscribe(world, "fh_unknown")

        assert (reply.status, reply.body["error"]["code"]) == (401, "UNAUTHORIZED")

    def test_that_is_no_json_is_a_bad_request(self, world: World, make: str) -> None:
        reply = world.call("POST", SUBSCRIPTIONS, '{"target_url": ', key=make)

        assert (reply.status, reply.body["error"]["code"]) == (400, "BAD_REQUEST")


class TestTheList:
    def test_shows_a_subscription_as_the_document_does(self, world: World, make: str) -> None:
        made = subscribed(world, make)

        body = listed(world, make)

        assert body == {
            "data": [
                {
                    "id": made["id"],
                    "target_url": NEW["target_url"],
                    "events": ["lead.created"],
                    "external_id": "make-scenario-42",
                    "managed_by": "make",
                    "is_active": True,
                    "created_at": "2026-04-29T18:04:15.000Z",
                }
            ],
            "pagination": {"total": 1, "limit": 50, "offset": 0, "hasMore": False},
        }

    def test_is_newest_first_and_turned_by_offset(self, world: World, make: str) -> None:
        for number in range(3):
            subscribed(world, make, external_id=str(number))
            world.clock.advance(1)

        body = listed(world, make, limit="2", offset="0")
        rest = listed(world, make, limit="2", offset="2")

        assert [one["external_id"] for one in body["data"]] == ["2", "1"]
        assert body["pagination"] == {"total": 3, "limit": 2, "offset": 0, "hasMore": True}
        assert [one["external_id"] for one in rest["data"]] == ["0"]
        assert rest["pagination"]["hasMore"] is False

    @pytest.mark.parametrize(("asked", "taken"), [("0", 1), ("1000", 100), ("-5", 1)])
    def test_moves_a_limit_into_its_bounds(
        self, world: World, make: str, asked: str, taken: int
    ) -> None:
        assert listed(world, make, limit=asked)["pagination"]["limit"] == taken

    def test_refuses_a_limit_that_is_no_number(self, world: World, make: str) -> None:
        reply = world.call("GET", SUBSCRIPTIONS, query={"limit": "many"}, key=make)

        assert (reply.status, reply.body["error"]["code"]) == (400, "VALIDATION_ERROR")

    def test_is_of_the_calling_client_alone(self, world: World, make: str) -> None:
        made = subscribed(world, make)
        zapier = key_of(world, "zapier")
        path = f"{SUBSCRIPTIONS}/{made['id']}"

        assert listed(world, zapier)["data"] == []
        assert listed(world, world.key)["data"] == []
        assert world.call("GET", path, key=zapier).status == 404
        assert world.call("DELETE", path, key=zapier).status == 404
        assert world.call("GET", path, key=world.key).status == 404


class TestOne:
    def test_is_shown_as_in_the_list(self, world: World, make: str) -> None:
        made = subscribed(world, make)

        reply = world.call("GET", f"{SUBSCRIPTIONS}/{made['id']}/", key=make)

        assert (reply.status, reply.body) == (200, listed(world, make)["data"][0])

    def test_is_deleted_for_good(self, world: World, make: str) -> None:
        made = subscribed(world, make)
        path = f"{SUBSCRIPTIONS}/{made['id']}"

        reply = world.call("DELETE", path, key=make)

        assert (reply.status, reply.body) == (200, {"id": made["id"], "deleted": True})
        assert world.call("GET", path, key=make).status == 404
        assert world.call("DELETE", path, key=make).status == 404
        assert listed(world, make)["pagination"]["total"] == 0
        again = subscribed(world, make)
        assert again["id"] != made["id"]

    def test_of_the_dashboard_cannot_be_deleted_here(self, world: World, make: str) -> None:
        world.make_config("https://crm.example.com", "crm")
        world.make_config("https://crm.example.com", "fe", dialect="flowestate")

        for config_id in ("crm", "fe"):
            reply = world.call("DELETE", f"{SUBSCRIPTIONS}/{config_id}", key=make)
            assert (reply.status, reply.body["error"]["code"]) == (403, "FORBIDDEN")

    def test_that_the_owner_deletes_in_the_dashboard_gives_its_external_id_free(
        self, world: World, make: str
    ) -> None:
        made = subscribed(world, make)

        query = {"idWebhookConfig": made["id"]}
        world.call("DELETE", "/v1/webhookconfig/delete", query=query)

        assert listed(world, make)["data"] == []
        assert subscribe(world, make).status == 201

    def test_is_seen_by_the_owner_with_who_manages_it(self, world: World, make: str) -> None:
        made = subscribed(world, make)

        query = {"idWebhookConfig": made["id"]}
        config = world.call("GET", "/v1/webhookconfig/find/byId", query=query).body

        assert (config["dialect"], config["managedBy"]) == ("flowestate", "make")
        assert config["triggers"] == [{"eventType": "lead.created"}]
        assert made["secret"] not in str(config)
