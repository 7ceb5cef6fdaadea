"""Events and deliveries can be looked up: by id, by config, by state, page by page."""

from collections.abc import Iterator
from typing import Any

import pytest

from shared.events import log
from tests.fakes import NOW
from tests.integration.world import Reply, World
from tests.local.receiver import Receiver

DEAD = "http://127.0.0.1:9/in"


def pages(world: World, path: str, **query: str) -> Iterator[list[dict[str, Any]]]:
    cursor: str | None = ""
    while cursor is not None:
        reply = world.get(path, **query | ({"cursor": cursor} if cursor else {}))
        assert reply.status == 200, reply
        yield reply.body["data"]
        cursor = reply.body["next_cursor"]


def ids(page: list[dict[str, Any]]) -> list[str]:
    return [item["event_id"] for item in page]


def send(world: World, count: int, prefix: str = "e", **changes: Any) -> list[str]:
    """Events a second apart, oldest first."""
    sent = []
    for number in range(count):
        sent.append(world.send(event_id=f"{prefix}{number}", **changes))
        world.clock.advance(1)
    return sent


class TestAnEvent:
    def test_is_shown_with_what_happened_and_its_deliveries(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.deliver(
            event_type="on_action", visitor={"visitor_id": "v1"}, webhook_config_ids=["crm"]
        )

        shown = world.get(f"/v1/events/{event_id}").body

        (delivery,) = shown.pop("deliveries")
        delivery["request"] = None
        assert shown["event_id"] == event_id
        assert shown["event_type"] == "on_action"
        assert shown["accepted_at"] == shown["occurred_at"] == "2026-04-29T18:04:15.000Z"
        assert shown["webhook_config_ids"] == ["crm"]
        assert shown["payload"]["visitor"] == {"visitor_id": "v1"}
        assert delivery == world.delivery(event_id)

    def test_in_a_list_is_short(self, world: World) -> None:
        event_id = world.send()

        assert world.get("/v1/events").body == {
            "data": [
                {
                    "event_id": event_id,
                    "event_type": "node_execution",
                    "accepted_at": "2026-04-29T18:04:15.000Z",
                }
            ],
            "next_cursor": None,
        }

    def test_that_nobody_sent_is_a_404(self, world: World) -> None:
        reply = world.get("/v1/events/unknown")

        assert (reply.status, reply.body["error"]["code"]) == (404, "not_found")


class TestTheListOfEvents:
    def test_is_newest_first(self, world: World) -> None:
        sent = send(world, 3)

        assert ids(world.get("/v1/events").body["data"]) == sent[::-1]

    @pytest.mark.parametrize(("count", "sizes"), [(4, [2, 2]), (5, [2, 2, 1]), (1, [1])])
    def test_comes_in_pages(self, world: World, count: int, sizes: list[int]) -> None:
        sent = send(world, count)

        found = [page for page in pages(world, "/v1/events", limit="2") if page]

        assert [len(page) for page in found] == sizes
        assert [event for page in found for event in ids(page)] == sent[::-1]

    def test_gives_each_event_of_one_moment_once(self, world: World) -> None:
        sent = {world.send() for _ in range(7)}

        found = [event for page in pages(world, "/v1/events", limit="2") for event in ids(page)]

        assert len(found) == 7
        assert set(found) == sent

    def test_stands_still_under_new_arrivals(self, world: World) -> None:
        sent = send(world, 6)
        reading = pages(world, "/v1/events", limit="2")

        found = ids(next(reading))
        send(world, 3, "late")
        for page in reading:
            found += ids(page)

        assert found == sent[::-1]

    def test_may_be_of_one_type(self, world: World) -> None:
        wanted = send(world, 2, "action", event_type="on_action")
        send(world, 3, "other")

        found = [
            event
            for page in pages(world, "/v1/events", event_type="on_action", limit="1")
            for event in ids(page)
        ]

        assert found == wanted[::-1]

    def test_fills_a_page_past_those_of_other_types(self, world: World) -> None:
        wanted = send(world, 2, "action", event_type="on_action")
        send(world, 5)

        page = world.get("/v1/events", event_type="on_action", limit="2").body

        assert ids(page["data"]) == wanted[::-1]

    def test_gives_up_a_page_after_some_rounds_and_goes_on_from_there(self, world: World) -> None:
        wanted = send(world, 1, "action", event_type="on_action")
        send(world, 12)

        read = list(pages(world, "/v1/events", event_type="on_action", limit="1"))

        assert read[0] == []
        assert [event for page in read for event in ids(page)] == wanted

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ({"since": str(NOW + 1000)}, ["e2", "e1"]),
            ({"since": "2026-04-29T18:04:16.000Z"}, ["e2", "e1"]),
            ({"until": str(NOW + 1000)}, ["e1", "e0"]),
            ({"since": str(NOW + 1), "until": str(NOW + 1999)}, ["e1"]),
            ({"since": str(NOW + 2000), "until": str(NOW)}, []),
        ],
    )
    def test_may_be_of_a_time(
        self, world: World, query: dict[str, str], expected: list[str]
    ) -> None:
        send(world, 3)

        assert ids(world.get("/v1/events", **query).body["data"]) == expected

    @pytest.mark.parametrize(
        ("name", "value"), [("limit", "0"), ("limit", "101"), ("since", "soon"), ("cursor", "é")]
    )
    def test_names_a_parameter_that_is_wrong(self, world: World, name: str, value: str) -> None:
        reply = world.get("/v1/events", **{name: value})

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == name


class TestTheListOfDeliveries:
    def test_of_a_config_is_newest_first_and_short(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        first = world.deliver()
        world.clock.advance(1)
        second = world.deliver()

        found = world.get("/v1/deliveries", config_id="crm").body["data"]

        assert ids(found) == [second, first]
        shown = world.delivery(first)
        del shown["attempts"], shown["request"]
        assert found[1] == shown

    def test_of_an_event_has_one_for_each_config(self, world: World, receiver: Receiver) -> None:
        for config_id in ("crm", "mail"):
            world.make_config(receiver.url("/in"), config_id)
        world.make_config(receiver.url("/in"), "off", enabled=False)
        event_id = world.deliver()

        every = world.get("/v1/deliveries", event_id=event_id).body
        held = world.get("/v1/deliveries", event_id=event_id, state="held").body

        assert sorted(d["config_id"] for d in every["data"]) == ["crm", "mail", "off"]
        assert [d["config_id"] for d in held["data"]] == ["off"]
        assert every["next_cursor"] is None

    def test_of_an_event_come_in_pages(self, world: World, receiver: Receiver) -> None:
        for number in range(5):
            world.make_config(receiver.url("/in"), f"crm-{number}")
        event_id = world.deliver()

        pages: list[list[str]] = []
        cursor = None
        while not pages or cursor is not None:
            query = {"event_id": event_id, "limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = world.get("/v1/deliveries", **query).body
            cursor = page["next_cursor"]
            pages.append([delivery["config_id"] for delivery in page["data"]])

        assert [len(page) for page in pages] == [2, 2, 1]
        found = sorted(config_id for page in pages for config_id in page)
        assert found == [f"crm-{number}" for number in range(5)]

    def test_of_an_event_refuse_the_cursor_of_another(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        first, second = world.deliver(), world.deliver()
        cursor = world.get("/v1/deliveries", event_id=first, limit="1").body["next_cursor"]

        refused = world.get("/v1/deliveries", event_id=second, cursor=cursor)

        assert refused.status == 400
        assert refused.body["error"]["fields"][0]["path"] == "cursor"

    @pytest.mark.parametrize("name", ["since", "until", "event_type"])
    def test_of_an_event_are_narrowed_by_their_state_alone(self, world: World, name: str) -> None:
        refused = world.get("/v1/deliveries", event_id="any", **{name: "1"})

        assert refused.status == 400
        assert refused.body["error"]["fields"][0]["path"] == name

    def test_of_an_event_that_nobody_sent_is_a_404(self, world: World) -> None:
        assert world.get("/v1/deliveries", event_id="unknown").status == 404

    @pytest.mark.parametrize("query", [{}, {"config_id": "crm", "event_id": "e1"}])
    def test_is_of_one_config_or_of_one_event(self, world: World, query: dict[str, str]) -> None:
        assert world.get("/v1/deliveries", **query).status == 400

    def test_may_be_of_one_state(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [200, 500, 200, 500])
        world.make_config(receiver.url("/in"))
        outcomes = [world.deliver() for _ in range(4)]

        delivered = world.get("/v1/deliveries", config_id="crm", state="delivered").body["data"]
        waiting = world.get("/v1/deliveries", config_id="crm", state="waiting").body["data"]

        assert set(ids(delivered)) == {outcomes[0], outcomes[2]}
        assert set(ids(waiting)) == {outcomes[1], outcomes[3]}
        assert {d["reason"] for d in waiting} == {"attempt_failed"}

    def test_follows_a_delivery_from_state_to_state(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.wait(1)

        by_state = {
            state: ids(world.get("/v1/deliveries", config_id="crm", state=state).body["data"])
            for state in ("waiting", "delivered", "failed")
        }

        assert by_state == {"waiting": [], "delivered": [event_id], "failed": []}

    def test_may_be_of_one_type_and_one_time(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        wanted = world.deliver(event_type="on_action")
        world.deliver()
        world.clock.advance(10)
        world.deliver(event_type="on_action")

        found = world.get(
            "/v1/deliveries", config_id="crm", event_type="on_action", until=str(NOW + 1)
        )

        assert ids(found.body["data"]) == [wanted]

    @pytest.mark.parametrize("state", [{}, {"state": "waiting"}])
    def test_comes_in_pages(self, world: World, state: dict[str, str]) -> None:
        world.make_config(DEAD)
        events = {world.send() for _ in range(5)}
        world.fan_out()
        world.work("DispatchQueue")

        read = list(pages(world, "/v1/deliveries", config_id="crm", limit="2", **state))

        assert [len(page) for page in read] == [2, 2, 1]
        assert {event for page in read for event in ids(page)} == events

    def test_names_a_state_that_there_is_not(self, world: World) -> None:
        reply = world.get("/v1/deliveries", config_id="crm", state="lost")

        assert reply.status == 400
        assert reply.body["error"]["fields"][0]["path"] == "state"

    @pytest.mark.parametrize("request_id", ["unknown", "x" * 400, "٣" * 32])
    def test_has_nothing_under_an_id_that_is_none(self, world: World, request_id: str) -> None:
        assert world.get(f"/v1/deliveries/{request_id}").status == 404


class TestACursor:
    @pytest.fixture
    def cursor(self, world: World) -> str:
        world.make_config(DEAD)
        send(world, 3)
        world.fan_out()
        world.work("DispatchQueue")
        given: str = self.first_page(world, config_id="crm").body["next_cursor"]
        return given

    def first_page(self, world: World, **query: str) -> Reply:
        return world.get("/v1/deliveries", limit="1", **query)

    def refused(self, reply: Reply) -> bool:
        return reply.status == 400 and reply.body["error"]["fields"][0]["path"] == "cursor"

    def test_of_one_config_is_none_of_another(self, world: World, cursor: str) -> None:
        world.make_config(DEAD, "mail")

        assert self.refused(self.first_page(world, config_id="mail", cursor=cursor))

    def test_of_one_list_is_none_of_another(self, world: World, cursor: str) -> None:
        waiting = self.first_page(world, config_id="crm", state="waiting", cursor=cursor)
        events = world.get("/v1/events", cursor=cursor)

        assert self.refused(waiting)
        assert self.refused(events)

    def test_shows_each_item_once_while_new_ones_arrive(self, world: World) -> None:
        known = send(world, 5)
        read, query = list[str](), dict[str, str]()
        while page := world.get("/v1/events", limit="2", **query).body:
            read += ids(page["data"])
            if page["next_cursor"] is None:
                break
            query = {"cursor": page["next_cursor"]}
            send(world, 3, f"new{len(read)}-")

        assert read == known[::-1]

    def test_of_one_workspace_is_none_of_another(self, world: World, cursor: str) -> None:
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        query = {"config_id": "crm", "cursor": cursor, "limit": "100"}

        reply = world.call("GET", "/v1/deliveries", query=query, key=other["api_key"])
        events = world.call("GET", "/v1/events", query={"cursor": cursor}, key=other["api_key"])

        assert self.refused(reply)
        assert self.refused(events)

    @pytest.mark.parametrize(
        "position", ["", "nonsense", "001777485855000#not-a-uuid", "001777485855000#0000", "#"]
    )
    def test_that_is_made_up_shows_a_page_or_is_refused(self, world: World, position: str) -> None:
        world.send()
        events = log.events_of(world.workspace_id, None)
        sent = log.deliveries_of(world.workspace_id, "crm", None, None)

        replies = (
            world.get("/v1/events", cursor=events.cursor_after(position)),
            world.get("/v1/deliveries", cursor=sent.cursor_after(position), config_id="crm"),
        )

        for reply in replies:
            assert reply.status == 200 or self.refused(reply)

    @pytest.mark.parametrize("text", ["AAAA", "x" * 513, "é", "A"])
    def test_that_nobody_gave_out_is_refused(self, world: World, text: str) -> None:
        assert self.refused(world.get("/v1/events", cursor=text))
        assert self.refused(world.get("/v1/deliveries", cursor=text, config_id="crm"))
