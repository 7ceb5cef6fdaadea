"""Whose an event is: visitors by session and e-mail, and GET /v1/visitors/{id}."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count
from typing import Any

import pytest

from shared.visitors.store import VisitorStore
from tests import factories
from tests.integration.actions import COMMERCE, at_once, post
from tests.integration.world import Reply, World

DAY_S = 24 * 60 * 60
_numbers = count()


def came(world: World, action: str = "Demo", **values: Any) -> str:
    """The visitor whose event it became. Every one is another one."""
    reply = post(world, values | {"number": next(_numbers)}, action)
    assert reply.status == 202, reply
    world.clock.advance(0.001)
    newest = world.get("/v1/events", limit="1").body["data"][0]["event_id"]
    shown = world.get(f"/v1/events/{newest}").body
    return str(shown["payload"]["visitor"]["visitor_id"])


def visitor(world: World, visitor_id: str, **query: str) -> Reply:
    return world.get(f"/v1/visitors/{visitor_id}", **query)


def profiles(world: World) -> list[dict[str, Any]]:
    return [item for item in world.items("EventTable") if "first_seen_at" in item]


class TestAnEvent:
    def test_is_tied_to_the_user_of_its_session(self, world: World) -> None:
        assert came(world, session=12345678) == came(world, session="12345678") == "12345678"
        assert len(profiles(world)) == 1

    def test_is_tied_to_the_user_with_its_email(self, world: World) -> None:
        assert came(world, email="alice@example.com") == came(world, email="alice@example.com")
        assert len(profiles(world)) == 1

    def test_is_tied_whatever_the_case_of_the_email(self, world: World) -> None:
        first = came(world, email="Alice@Example.com")

        assert came(world, email=" aLICE@eXAMPLE.COM ") == first

    def test_with_an_unknown_email_makes_a_new_user(self, world: World) -> None:
        assert came(world, email="alice@example.com") != came(world, email="bob@example.com")
        assert len(profiles(world)) == 2

    def test_without_session_and_email_makes_a_new_user_every_time(self, world: World) -> None:
        one, other = came(world), came(world)

        assert one != other
        assert len(profiles(world)) == 2
        assert visitor(world, one).body["identities"] == []

    def test_ties_what_it_names_together(self, world: World) -> None:
        both = came(world, email="alice@example.com", session="s1")

        assert came(world, email="alice@example.com") == both
        assert came(world, session="s1") == both

    def test_ties_another_session_to_a_known_email(self, world: World) -> None:
        first = came(world, email="alice@example.com")

        assert came(world, email="alice@example.com", session="s1") == first
        assert came(world, session="s1") == first

    def test_is_tied_by_the_id_that_a_webhook_told(self, world: World) -> None:
        first = came(world, email="alice@example.com")

        assert came(world, session=first) == first

    def test_of_another_workspace_is_another_user(self, world: World) -> None:
        came(world, email="alice@example.com")
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})

        post(world, {"email": "alice@example.com"}, "Demo", other["api_key"], other["workspace_id"])

        assert len(profiles(world)) == 2

    def test_with_purchases_has_one_visitor_for_all_of_them(self, world: World) -> None:
        items = [factories.purchase_json(), factories.purchase_json()]
        came(world, COMMERCE, email="alice@example.com", purchase_data=items)

        (alice,) = profiles(world)
        shown = visitor(world, alice["visitor_id"]).body

        assert len(shown["events"]["data"]) == 2

    def test_that_is_refused_makes_nobody(self, world: World) -> None:
        post(world, {"email": "alice@example.com"})
        before = profiles(world)

        post(world, {"email": "alice@example.com"})
        post(world, {"email": "bob@example.com", "car": {}})

        assert profiles(world) == before


class TestTwoWhoAreOne:
    def test_become_the_older_of_them(self, world: World) -> None:
        older = came(world, session="s1")
        younger = came(world, email="alice@example.com")

        assert came(world, email="alice@example.com", session="s1") == older
        assert came(world, email="alice@example.com") == older
        assert visitor(world, younger).body["visitor_id"] == older
        assert len(profiles(world)) == 1

    def test_are_found_by_everything_that_either_was_known_by(self, world: World) -> None:
        came(world, session="s1", email="a@example.com")
        came(world, session="s2", email="b@example.com")

        came(world, session="s1", email="b@example.com")

        found = {came(world, session="s1"), came(world, session="s2")}
        found |= {came(world, email="a@example.com"), came(world, email="b@example.com")}
        shown = visitor(world, "s2").body
        assert found == {"s1"}
        assert shown["merged_ids"] == ["s2"]
        assert [(one["kind"], one["value"]) for one in shown["identities"]] == [
            ("email", "a@example.com"),
            ("email", "b@example.com"),
            ("session", "s1"),
            ("session", "s2"),
        ]

    def test_keep_the_events_of_both(self, world: World) -> None:
        for session in ("s1", "s2", "s1", "s2"):
            came(world, session=session)
        came(world, session="s1", email="a@example.com")
        came(world, session="s2", email="a@example.com")

        assert len(visitor(world, "s1").body["events"]["data"]) == 6

    def test_can_be_many_one_after_the_other(self, world: World) -> None:
        for number in range(9, -1, -1):
            came(world, session=f"s{number}")
        for number in range(9):
            came(world, session=f"s{number}", email="a@example.com")

        came(world, session="s9", email="a@example.com")

        assert {came(world, session=f"s{number}") for number in range(10)} == {"s9"}


class TestAVisitor:
    def test_is_shown_with_events_newest_first_page_by_page(self, world: World) -> None:
        for number in range(7):
            came(world, session=f"s{number % 3}")
        for number in range(3):
            came(world, session=f"s{number}", email="a@example.com")
        everything = [event["event_id"] for event in world.get("/v1/events").body["data"]]

        pages, cursor = list[list[str]](), dict[str, str]()
        while not pages or cursor:
            shown = visitor(world, "s0", limit="4", **cursor).body["events"]
            pages.append([event["event_id"] for event in shown["data"]])
            cursor = {"cursor": shown["next_cursor"]} if shown["next_cursor"] else {}

        assert [len(page) for page in pages] == [4, 4, 2]
        assert list(chain(*pages)) == everything

    def test_has_the_same_times_on_every_page(self, world: World) -> None:
        for _ in range(3):
            came(world, session="s1")

        first = visitor(world, "s1", limit="1").body
        second = visitor(world, "s1", limit="1", cursor=first["events"]["next_cursor"]).body

        assert first["first_seen_at"] == second["first_seen_at"]
        assert first["last_seen_at"] == second["last_seen_at"] > first["first_seen_at"]

    def test_has_the_email_as_it_was_sent(self, world: World) -> None:
        found = came(world, email=" Alice@Example.com ")

        (identity,) = visitor(world, found).body["identities"]

        assert identity["value"] == "Alice@Example.com"

    def test_may_be_known_by_native_events_alone(self, world: World) -> None:
        event_id = world.send(visitor={"visitor_id": "v1", "ip": "203.0.113.7"})

        shown = visitor(world, "v1").body

        assert [event["event_id"] for event in shown["events"]["data"]] == [event_id]
        assert (shown["identities"], shown["first_seen_at"]) == ([], None)
        assert shown["last_seen_at"] is not None

    def test_has_the_native_events_of_their_sessions(self, world: World) -> None:
        came(world, email="a@example.com")
        came(world, email="a@example.com", session="v1")
        world.send(visitor={"visitor_id": "v1"})

        assert len(visitor(world, "v1").body["events"]["data"]) == 3

    def test_may_have_any_characters_in_an_id(self, world: World) -> None:
        session = "a b#c%/é😀"
        found = came(world, session=session)

        assert found == session
        assert len([one for one in world.items("EventTable") if "visitor_pk" in one]) == 1

    def test_that_nobody_knows_is_a_404(self, world: World) -> None:
        assert visitor(world, "nobody").status == 404

    def test_of_another_workspace_is_a_404(self, world: World) -> None:
        came(world, session="s1")
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})

        for method in ("GET", "DELETE"):
            reply = world.call(method, "/v1/visitors/s1", key=other["api_key"])
            assert reply.status == 404
        assert visitor(world, "s1").status == 200

    @pytest.mark.parametrize("cursor", ["x", "eA", "MDAx", "IyM"])
    def test_is_asked_for_with_cursors_that_were_given_out(self, world: World, cursor: str) -> None:
        came(world, session="s1")

        assert visitor(world, "s1", cursor=cursor).status == 400

    def test_is_read_with_one_query_for_each_id(self, world: World) -> None:
        came(world, session="s1", email="a@example.com")
        visitor(world, "s1")
        world.calls.clear()

        visitor(world, "s1")

        assert world.calls.names.count("Query") == 1


class TestInTime:
    def test_a_visitor_who_keeps_coming_is_not_forgotten(self, world: World) -> None:
        first = came(world, email="a@example.com", session="s1")
        for _ in range(4):
            world.clock.advance(20 * DAY_S)
            came(world, email="a@example.com")

        (alice,) = profiles(world)
        assert came(world, email="a@example.com") == first
        assert alice["expires_at"] * 1000 > world.clock() + 30 * DAY_S * 1000

    def test_a_visitor_who_stays_away_is_a_new_one_afterwards(self, world: World) -> None:
        first = came(world, email="a@example.com")
        world.clock.advance(32 * DAY_S)

        assert came(world, email="a@example.com") != first

    def test_a_session_that_stayed_away_keeps_its_id(self, world: World) -> None:
        came(world, session="s1")
        world.clock.advance(32 * DAY_S)

        assert came(world, session="s1") == "s1"
        assert len(profiles(world)) == 1


class TestAtOnce:
    def test_fifty_with_one_new_email_make_one_visitor(self, world: World) -> None:
        statuses = sent_at_once(world, lambda number: {"email": "alice@example.com"})

        assert statuses == [202] * 50
        assert len(profiles(world)) == 1
        assert len(whose(world)) == 1

    def test_many_sessions_with_one_new_email_make_one_visitor(self, world: World) -> None:
        sent_at_once(
            world, lambda number: {"email": "alice@example.com", "session": f"s{number}"}, 20
        )

        (alice,) = profiles(world)
        assert len(alice["identities"]) == 21
        assert whose(world) == {alice["visitor_id"]}

    def test_no_more_are_tied_than_a_person_has(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.visitors.resolution.MAX_IDENTITIES", 5)
        monkeypatch.setattr("shared.visitors.store.MAX_IDENTITIES", 5)

        sent_at_once(
            world, lambda number: {"email": "alice@example.com", "session": f"s{number}"}, 10
        )

        (alice,) = profiles(world)
        assert len(alice["identities"]) == 5
        assert whose(world) == {alice["visitor_id"]}

    def test_many_that_join_two_visitors_leave_one(self, world: World) -> None:
        older = came(world, session="s1")
        came(world, email="alice@example.com")

        sent_at_once(world, lambda number: {"email": "alice@example.com", "session": "s1"}, 10)

        assert [one["visitor_id"] for one in profiles(world)] == [older]

    @pytest.mark.parametrize("names", [("email",), ("session",), ("email", "session")])
    def test_who_loses_a_race_reads_what_the_winner_wrote(
        self, world: World, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
    ) -> None:
        """The winner comes between the loser's reading and writing."""
        values = {"email": "a@example.com", "session": "s1"}
        between(monkeypatch, lambda: came(world, **{name: values[name] for name in names}))

        last = came(world, **values)

        assert [one["visitor_id"] for one in profiles(world)] == [last]
        assert came(world, email="a@example.com") == came(world, session="s1") == last

    def test_a_merge_loses_nothing_that_was_tied_meanwhile(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        older = came(world, session="s1")
        came(world, session="s2", email="a@example.com")
        between(monkeypatch, lambda: came(world, session="s2", email="b@example.com"))

        came(world, session="s1", email="a@example.com")

        identities = visitor(world, older).body["identities"]
        assert "b@example.com" in {one["value"] for one in identities}
        assert came(world, email="b@example.com") == older


def sent_at_once(
    world: World, values: Callable[[int], dict[str, Any]], times: int = 50
) -> list[int]:
    send = at_once(world)
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda number: send(values(number) | {"n": number}), range(times)))


def whose(world: World) -> set[str]:
    events = world.events()
    return {item["visitor_id"] for item in events}


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Once, after somebody has looked for a visitor."""
    real, waiting = VisitorStore.trace, [act]

    def trace(store: VisitorStore, *arguments: Any) -> Any:
        found = real(store, *arguments)
        if waiting:
            waiting.pop()()
        return found

    monkeypatch.setattr(VisitorStore, "trace", trace)
