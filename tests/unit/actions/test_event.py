"""The event that an action becomes."""

from typing import Any

import pytest

from shared.actions.event import Submission, on_action
from shared.actions.models import Action, Follower, Link
from shared.errors import InvalidError
from shared.events import accept
from tests import factories

ACTION = Action(funnel_id="funnel_1", node_id="node_form", action_number=2)
BROWSER = {
    "user_agent": "Mozilla/5.0",
    "accept_language": "de-DE,de;q=0.9,en;q=0.8",
    "referer": "https://pages.example/offer",
}


def event(
    query: dict[str, Any] | None = None,
    body: dict[str, Any] | None = None,
    link: Link | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """Checked by intake, as every event is."""
    made = on_action(
        ACTION,
        Follower(workspace=factories.workspace(), link=link),
        Submission(query=query or {}, body=body or {}),
        factories.http_request(**headers or {}),
    )
    assert accept.read(made)
    return made


def test_the_least_action_says_where_it_happened_and_no_more() -> None:
    assert event() == {
        "event_type": "on_action",
        "is_action": True,
        "action_number": 2,
        "funnel": {"funnel_id": "funnel_1", "node_id": "node_form"},
        "action_data": {"origin_node_id": "node_form"},
    }


def test_data_is_what_query_and_body_say_the_body_first() -> None:
    made = event({"a": "query", "b": "query"}, {"b": "body", "c": None, "d": 1, "e": False})

    data = {"a": "query", "b": "body", "c": None, "d": 1, "e": False}
    assert made["action_data"] == data | {"origin_node_id": "node_form"}
    assert made["url_buffer"] == {"a": "query", "b": "query"}


def test_what_stands_at_the_top_is_not_repeated_in_the_data() -> None:
    made = event({"is_action": "false"}, {"action_number": 9, "email": "a@b.example"})

    assert made["action_number"] == 2
    assert made["is_action"] is True
    assert made["action_data"] == {"email": "a@b.example", "origin_node_id": "node_form"}


LONG = {
    "flux_visitor_id": "v1",
    "flux_hit_id": "h1",
    "flux_entrance_id": "e1",
    "flux_page_id": "p1",
    "flux_traffic_source_id": "t1",
}
SHORT = {
    "flux_visitor": "v1",
    "flux_hit": "h1",
    "flux_session": "e1",
    "flux_page": "p1",
    "flux_traffic_source": "t1",
}


@pytest.mark.parametrize("keys", [LONG, SHORT, {**SHORT, "flux_entrance": "e1"}])
def test_system_keys_are_context_and_no_data(keys: dict[str, str]) -> None:
    made = event(keys, {"email": "a@b.example", "flux_unknown": "x"})

    assert made == {
        "event_type": "on_action",
        "is_action": True,
        "action_number": 2,
        "visitor": {"visitor_id": "v1"},
        "funnel": {"funnel_id": "funnel_1", "node_id": "node_form"},
        "traffic_source": {"traffic_source_id": "t1"},
        "hit": {
            "hit_id": "h1",
            "visitor_id": "v1",
            "entrance_id": "e1",
            "traffic_source_id": "t1",
            "funnel_id": "funnel_1",
            "node_id": "node_form",
        },
        "session": {
            "visitor_id": "v1",
            "hit_id": "h1",
            "entrance_id": "e1",
            "most_recent_page_id": "p1",
        },
        "action_data": {
            "email": "a@b.example",
            "origin_node_id": "node_form",
            "origin_page_id": "p1",
        },
    }


def test_a_hit_without_its_id_is_none() -> None:
    assert "hit" not in event({"flux_visitor": "v1"})


def test_a_placeholder_that_stayed_empty_is_left_out() -> None:
    made = event({"flux_hit": "", "flux_visitor": ""}, {"flux_page": None})

    assert not {"hit", "visitor", "session"} & made.keys()


def test_origin_keys_go_before_what_is_known_of_it() -> None:
    origin = {
        "flux_origin_node_id": "lander",
        "flux_origin_node_name": "Landing page",
        "flux_origin_node_type": "landerGroup",
        "flux_origin_page_id": "p2",
        "flux_origin_page_name": "Spring sale",
    }

    made = event({"flux_page": "p1", **origin}, {"origin_node_id": "said by the visitor"})

    expected = {name.removeprefix("flux_"): value for name, value in origin.items()}
    assert made["action_data"] == expected
    assert made["session"]["most_recent_page_id"] == "p1"


def test_a_number_is_an_id_too() -> None:
    assert event(body={"flux_hit": 12})["hit"]["hit_id"] == "12"


@pytest.mark.parametrize("value", [True, 1.5, "x" * 257])
def test_what_can_be_no_id_is_refused_by_name(value: Any) -> None:
    with pytest.raises(InvalidError, match=r"^flux_hit_id: "):
        event(body={"flux_hit": value})


class TestWithAKey:
    def test_the_request_is_not_the_visitors(self) -> None:
        assert "visitor" not in event(headers=BROWSER)
        assert "session" not in event(headers=BROWSER)

    def test_an_event_may_have_an_id(self) -> None:
        assert event({"flux_event_id": "order-1"})["event_id"] == "order-1"


class TestByALink:
    def test_the_request_is_the_visitors(self) -> None:
        made = event({"flux_hit": "h1"}, link=Link(), headers=BROWSER)

        assert made["visitor"] == {
            "ip": "203.0.113.42",
            "user_agent": "Mozilla/5.0",
            "language": "de-DE",
        }
        assert made["session"] == {"hit_id": "h1", "referrer": "https://pages.example/offer"}
        assert made["hit"]["referrer"] == "https://pages.example/offer"

    def test_headers_are_bounded_and_cleaned(self) -> None:
        headers = {"user_agent": "a\x00\ud800b" + "x" * 5000, "accept_language": "*"}

        made = event(link=Link(), headers=headers)

        assert made["visitor"].keys() == {"ip", "user_agent"}
        assert made["visitor"]["user_agent"].startswith("abx")
        assert len(made["visitor"]["user_agent"]) <= 2048

    def test_what_it_fixes_goes_before_all_that_comes(self) -> None:
        link = Link(fields={"plan": "pro", "flux_page_id": "p1", "flux_origin_node_id": "lander"})

        made = event({"plan": "free", "flux_page": "p2"}, {"plan": "none", "seats": "3"}, link)

        assert made["url_buffer"] == {"plan": "pro"}
        assert made["session"]["most_recent_page_id"] == "p1"
        assert made["action_data"] == {
            "plan": "pro",
            "seats": "3",
            "origin_node_id": "lander",
            "origin_page_id": "p1",
        }

    @pytest.mark.parametrize("name", ["flux_event_id", "flux_redirect"])
    @pytest.mark.parametrize("place", ["query", "body"])
    def test_what_needs_a_key_is_refused(self, name: str, place: str) -> None:
        with pytest.raises(InvalidError, match=f"^{name}: can be sent with an API key only"):
            event(link=Link(), **{place: {name: "x"}})
