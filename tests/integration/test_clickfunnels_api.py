"""ClickFunnels' endpoint and event calls, as its OpenAPI document and its guides have them."""

from typing import Any

import pytest

from shared.apis.clickfunnels.numbers import workspace_number
from tests import factories
from tests.integration.test_flowestate_api import key_of
from tests.integration.world import Reply, World
from tests.local.receiver import Receiver

OUTGOING = "/api/v2/webhooks/outgoing"
NEW = {
    "url": "https://hooks.example.com/cf",
    "name": "Orders",
    "event_type_ids": ["order.created", "contact.identified"],
    "page_ids": [7, 8],
    "funnel_ids": [3],
}


def endpoints_of(world: World) -> str:
    return f"/api/v2/workspaces/{world.workspace_id}/webhooks/outgoing/endpoints"


def events_of(world: World) -> str:
    return f"/api/v2/workspaces/{world.workspace_id}/webhooks/outgoing/events"


def wrapped(**fields: Any) -> dict[str, Any]:
    return {"webhooks_outgoing_endpoint": fields}


def create(world: World, **changes: Any) -> Reply:
    fields = {name: value for name, value in (NEW | changes).items() if value is not None}
    return world.call("POST", endpoints_of(world), wrapped(**fields))


def created(world: World, **changes: Any) -> dict[str, Any]:
    reply = create(world, **changes)
    assert reply.status == 201, reply
    return dict(reply.body)


def update(world: World, endpoint: Any, **fields: Any) -> Reply:
    return world.call("PUT", f"{OUTGOING}/endpoints/{endpoint}", wrapped(**fields))


def get(world: World, endpoint: Any) -> Reply:
    return world.call("GET", f"{OUTGOING}/endpoints/{endpoint}")


class TestANewEndpoint:
    def test_has_the_fields_of_the_document_and_its_secret_once(self, world: World) -> None:
        body = created(world)

        secret = body.pop("webhook_secret")
        assert len(bytes.fromhex(secret)) == 32
        assert body == {
            "id": body["id"],
            "public_id": body["public_id"],
            "workspace_id": workspace_number(world.workspace_id),
            **NEW,
            "api_version": 2,
            "created_at": "2026-04-29T18:04:15.000Z",
            "updated_at": "2026-04-29T18:04:15.000Z",
        }
        assert isinstance(body["id"], int)
        assert len(body["public_id"]) <= 10
        assert get(world, body["id"]).body == body

    def test_without_types_wants_all(self, world: World) -> None:
        assert created(world, event_type_ids=None)["event_type_ids"] == []
        assert created(world, event_type_ids=[])["event_type_ids"] == []

    def test_shows_ids_as_the_numbers_that_they_were(self, world: World) -> None:
        odd = [7, "007", "²", "page", "1" * 60]

        made = created(world, page_ids=odd)

        assert made["page_ids"] == odd

    def test_made_in_the_same_millisecond_has_a_number_of_its_own(self, world: World) -> None:
        numbers = {created(world)["id"] for _ in range(3)}

        assert len(numbers) == 3

    def test_is_of_version_2(self, world: World) -> None:
        reply = create(world, api_version=1)

        assert reply.status == 422
        assert list(reply.body["errors"]) == ["api_version"]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("url", None),
            ("url", ""),
            ("url", "ftp://example.com"),
            ("name", None),
            ("name", ""),
            ("event_type_ids", ["order.exploded"]),
            ("event_type_ids", ["order.created", 7]),
            ("page_ids", [{"id": 7}]),
            ("colour", "red"),
        ],
    )
    def test_that_is_wrong_is_refused_with_its_fields(
        self, world: World, name: str, value: Any
    ) -> None:
        reply = create(world, **{name: value})

        assert reply.status == 422
        assert next(iter(reply.body["errors"])).startswith(name)
        assert name in reply.body["error"]

    def test_that_is_not_wrapped_is_a_bad_request(self, world: World) -> None:
        reply = world.call("POST", endpoints_of(world), NEW)

        assert (reply.status, list(reply.body)) == (400, ["error"])

    def test_names_the_workspace_of_the_key_by_id_or_number(self, world: World) -> None:
        number = workspace_number(world.workspace_id)
        path = f"/api/v2/workspaces/{number}/webhooks/outgoing/endpoints"

        assert world.call("POST", path, wrapped(**NEW)).status == 201
        unknown = world.call("POST", path.replace(str(number), "42"), wrapped(**NEW))
        assert (unknown.status, unknown.body) == (404, {"error": "Not found: Record missing"})

    def test_needs_a_key(self, world: World) -> None:
        reply = world.call("GET", endpoints_of(world), key="fh_unknown")

        assert (reply.status, list(reply.body)) == (401, ["error"])


class TestAnEndpoint:
    def test_is_found_by_its_public_id_too(self, world: World) -> None:
        body = created(world)

        assert get(world, body["public_id"]).body["id"] == body["id"]

    @pytest.mark.parametrize(
        "unknown", ["1", "0", "99999999999999999999", "Bzzzzzzzzzz", "x", "%2e"]
    )
    def test_that_is_unknown_is_missing(self, world: World, unknown: str) -> None:
        assert get(world, unknown).status == 404

    def test_is_changed_in_what_is_sent(self, world: World) -> None:
        body = created(world)
        world.clock.advance(5)

        changed = update(world, body["id"], name="All", event_type_ids=[], page_ids=[])

        assert changed.status == 200
        assert changed.body["name"] == "All"
        assert (changed.body["event_type_ids"], changed.body["page_ids"]) == ([], [])
        assert (changed.body["funnel_ids"], changed.body["url"]) == ([3], NEW["url"])
        assert changed.body["updated_at"] == "2026-04-29T18:04:20.000Z"
        assert "webhook_secret" not in changed.body

    def test_keeps_its_version(self, world: World) -> None:
        assert update(world, created(world)["id"], api_version=1).status == 422

    def test_is_removed(self, world: World) -> None:
        body = created(world)

        reply = world.call("DELETE", f"{OUTGOING}/endpoints/{body['id']}")

        assert (reply.status, reply.body) == (204, "")
        assert get(world, body["id"]).status == 404
        assert world.call("GET", endpoints_of(world)).body == []

    def test_of_a_neighbour_is_missing(self, world: World) -> None:
        body = created(world)
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Neighbour"})

        path = f"{OUTGOING}/endpoints/{body['id']}"
        for method in ("GET", "DELETE"):
            assert world.call(method, path, key=other["api_key"]).status == 404

    def test_of_version_1_is_listed_when_the_dashboard_made_it(self, world: World) -> None:
        world.make_config("https://v1.example.com", "old", dialect="clickfunnels_v1")

        (shown,) = world.call("GET", endpoints_of(world)).body

        assert (shown["api_version"], shown["name"], shown["event_type_ids"]) == (1, "CRM", [])
        assert get(world, shown["id"]).body == shown


class TestTheList:
    def test_is_turned_by_the_last_id_20_at_a_time(self, world: World) -> None:
        numbers = []
        for _ in range(41):
            numbers.append(created(world)["id"])
            world.clock.advance(1)

        first = world.call("GET", endpoints_of(world))
        after = first.headers["Pagination-Next"]
        second = world.call("GET", endpoints_of(world), query={"after": after})
        last = world.call(
            "GET", endpoints_of(world), query={"after": second.headers["Pagination-Next"]}
        )

        assert [one["id"] for one in first.body + second.body + last.body] == numbers
        assert [len(page.body) for page in (first, second, last)] == [20, 20, 1]
        assert first.headers["Link"].endswith(f'{endpoints_of(world)}?after={after}>; rel="next"')
        assert first.headers["Link"].startswith("<http")
        assert not {"Link", "Pagination-Next"} & last.headers.keys()

    def test_can_be_read_backwards_and_by_change(self, world: World) -> None:
        first, second = created(world)["id"], created(world)["id"]
        world.clock.advance(1)
        update(world, first, name="Changed")

        def ids(**query: str) -> list[int]:
            return [one["id"] for one in world.call("GET", endpoints_of(world), query=query).body]

        assert ids(sort_order="desc") == [second, first]
        assert ids(sort_property="updated_at") == [second, first]
        assert ids(sort_order="desc", after=str(second)) == [first]

    @pytest.mark.parametrize("query", [{"after": "x"}, {"sort_order": "up"}, {"after": "12345"}])
    def test_refuses_a_page_that_is_none(self, world: World, query: dict[str, str]) -> None:
        created(world)

        reply = world.call("GET", endpoints_of(world), query=query)

        assert (reply.status, list(reply.body)) == (400, ["error"])


class TestEvents:
    def send(self, world: World, **changes: Any) -> str:
        event = factories.resource_json("order.created", page_id=7, funnel_id=3) | changes
        reply = world.call("POST", "/v1/events", event)
        event_id: str = reply.body["event_id"]
        return event_id

    def test_are_shown_with_the_fields_of_the_document(self, world: World) -> None:
        event_id = self.send(world)

        (shown,) = world.call("GET", events_of(world)).body

        assert shown == {
            "id": shown["id"],
            "public_id": shown["public_id"],
            "workspace_id": workspace_number(world.workspace_id),
            "uuid": event_id,
            "event_type_id": "order.created",
            "subject_id": 42,
            "subject_type": "Contact",
            "data": {"name": "Alice", "tags": [{"id": 1}], "score": None},
            "api_version": 2,
            "created_at": "2026-04-29T18:04:15.000Z",
            "page": {"id": 7, "public_id": None, "name": None},
            "funnel": {"id": 3, "public_id": None, "name": None},
        }
        assert shown["id"] < 2**53
        for name in ("id", "public_id"):
            assert world.call("GET", f"{OUTGOING}/events/{shown[name]}").body == shown
        assert world.call("GET", f"{events_of(world)}/").body == [shown]

    def test_are_turned_by_the_last_id_20_at_a_time(self, world: World) -> None:
        sent = []
        for number in range(45):
            sent.append(self.send(world))
            if number % 3 == 0:
                world.clock.advance(0.001)

        def read(**query: str) -> list[str]:
            found: list[str] = []
            while True:
                page = world.call("GET", events_of(world), query=query)
                found += [one["uuid"] for one in page.body]
                if "Pagination-Next" not in page.headers:
                    return found
                query["after"] = page.headers["Pagination-Next"]

        assert sorted(read()) == sorted(read(sort_order="desc")) == sorted(sent)
        assert read(sort_order="desc") == read()[::-1]

    def test_that_are_unknown_are_missing(self, world: World) -> None:
        self.send(world)

        for unknown in ("1", "x", str(2**52)):
            reply = world.call("GET", f"{OUTGOING}/events/{unknown}")
            assert (reply.status, reply.body) == (404, {"error": "Not found: Record missing"})

    def test_of_a_neighbour_are_missing(self, world: World) -> None:
        self.send(world)
        (shown,) = world.call("GET", events_of(world)).body
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Neighbour"})["api_key"]

        assert world.call("GET", f"{OUTGOING}/events/{shown['id']}", key=other).status == 404
        assert world.call("GET", events_of(world), key=other).status == 404

    def test_need_a_scope_that_is_named(self, world: World) -> None:
        reply = world.call("GET", events_of(world), key=key_of(world, "api"))

        assert reply.status == 403
        assert "events:read" in reply.body["error"]


class TestReplayingAnEvent:
    def replay(self, world: World, event: Any) -> Reply:
        return world.call("POST", f"{OUTGOING}/events/{event}/replay")

    def test_sends_it_again_wherever_it_was_sent(self, world: World, receiver: Receiver) -> None:
        receiver.script("/lead", [500])
        for name in ("order", "lead"):
            created(
                world, url=receiver.url(f"/{name}"), event_type_ids=[], page_ids=[], funnel_ids=[]
            )
        world.make_config(receiver.url("/off"), "off", dialect="clickfunnels", enabled=False)
        world.clock.advance(1)
        world.deliver(event_type="on_action")
        (event,) = world.get(events_of(world)).body

        reply = self.replay(world, event["public_id"])
        world.work("RetryQueue")

        assert reply.status == 202
        assert [delivery["state"] for delivery in reply.body] == ["waiting", "waiting"]
        assert len(receiver.requests("/order")) == len(receiver.requests("/lead")) == 2
        assert len({request.body for request in receiver.requests()}) == 1
        shown = world.get(f"{OUTGOING}/events/{event['id']}/deliveries").body
        assert sorted(delivery["state"] for delivery in shown) == ["delivered", "delivered", "held"]

    def test_leaves_out_what_has_had_a_hundred_attempts(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/tired"), "crm")
        world.make_config(receiver.url("/fresh"), "other")
        event_id = world.deliver()
        (first,) = world.delivery_item(event_id)["attempts"]
        world.set_of_delivery(event_id, "attempts", [first] * 100)
        (event,) = world.get(events_of(world)).body

        reply = self.replay(world, event["id"])
        world.work("RetryQueue")

        assert len(reply.body) == 1
        assert len(receiver.requests("/tired")) == 1
        assert len(receiver.requests("/fresh")) == 2

    def test_that_went_nowhere_sends_nothing(self, world: World) -> None:
        world.deliver()
        (event,) = world.get(events_of(world)).body

        reply = self.replay(world, event["id"])

        assert (reply.status, reply.body) == (202, [])

    def test_that_nobody_sent_is_a_404(self, world: World) -> None:
        assert self.replay(world, 42).status == 404
