"""Action links and forms on the deployed stack, followed as a browser would: without a key."""

import json
import uuid
from email.message import Message
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import pytest

from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import PATIENCE_S, Client, until

ACTION = {"funnel_id": "funnel_1", "node_id": "node_form", "action_number": 2}
PATH = "/v1/actions/funnel_1/node_form/2"
LINKS = "/v1/actions/links"
THANKS = "https://shop.example.com/thanks?a=1"


class StayHere(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


# No key, no cookie, and no proxy, which has no way to this loopback.
BROWSER = build_opener(ProxyHandler({}), StayHere)


class Answer(NamedTuple):
    status: int
    headers: Message
    text: str


def visit(url: str, form: dict[str, str] | None = None, method: str | None = None) -> Answer:
    headers = {
        "User-Agent": "Mozilla/5.0",
        "Accept-Language": "de-DE,de;q=0.9",
        "Referer": "https://pages.example/offer",
    }
    body = None if form is None else urlencode(form).encode()
    try:
        answer = BROWSER.open(Request(url, body, headers, method=method), timeout=PATIENCE_S)
    except HTTPError as error:
        answer = error
    with answer:
        return Answer(answer.status, answer.headers, answer.read().decode())


def make_link(client: Client, path: str = LINKS, **changes: Any) -> str:
    answer = client.call("POST", path, json=ACTION | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


def test_a_form_that_is_posted_without_a_key_arrives_as_a_webhook(
    client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/in"))
    url = make_link(
        client,
        origin={"node_id": "node_lander", "node_name": "Landing page", "page_id": "page_1"},
        params={"plan": "pro"},
        expires_in_s=3600,
    )
    form = {"email": "alice@example.com", "plan": "free", "flux_visitor": "visitor_1", "note": ""}

    answer = visit(f"{url}&campaign=spring_sale&flux_hit=hit_1", form)

    assert answer.status == 202
    assert json.loads(answer.text)["event_id"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    (came,) = receiver.wait_for(1, "/in")
    body = json.loads(came.body)
    assert came.headers["X-Funnelflux-Trigger-Type"] == body["event_type"] == "on_action"
    assert (body["is_action"], body["action_number"]) == (True, 2)
    assert body["funnel"] == {"funnel_id": "funnel_1", "node_id": "node_form"}
    assert body["url_buffer"] == {"campaign": "spring_sale", "plan": "pro"}
    assert body["action_data"] == {
        "campaign": "spring_sale",
        "email": "alice@example.com",
        "plan": "pro",
        "note": "",
        "origin_node_id": "node_lander",
        "origin_node_name": "Landing page",
        "origin_page_id": "page_1",
    }
    assert body["visitor"] == {
        "visitor_id": "visitor_1",
        "ip": "127.0.0.1",
        "user_agent": "Mozilla/5.0",
        "language": "de-DE",
    }
    assert body["session"]["hit_id"] == body["hit"]["hit_id"] == "hit_1"
    assert body["session"]["referrer"] == "https://pages.example/offer"


@pytest.mark.parametrize("spelling", ["", "/"])
def test_links_are_made_and_followed_at_both_spellings(client: Client, spelling: str) -> None:
    url = make_link(client, LINKS + spelling).replace("?", f"{spelling}?")

    assert visit(url).status == 202
    assert visit(url, {"a": "1"}).status == 202


def test_a_head_does_nothing(client: Client) -> None:
    url = make_link(client)

    assert visit(url, method="HEAD").status == 404
    assert client.call("GET", "/v1/events").json()["data"] == []


def test_a_redirect_is_answered_after_the_event_is_stored(stack: Stack) -> None:
    client = Client(stack, redirect_hosts=["*.example.com"])

    answer = visit(make_link(client, redirect=THANKS), {"a": "1"})

    assert answer.status == 302
    assert answer.headers["Location"] == THANKS
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert len(client.call("GET", "/v1/events").json()["data"]) == 1


def test_a_link_elsewhere_cannot_be_made(client: Client) -> None:
    answer = client.call("POST", LINKS, json=ACTION | {"redirect": "https://evil.example/"})

    assert answer.status_code == 400
    assert answer.json()["error"]["fields"][0]["path"] == "redirect"


def test_a_link_that_was_tampered_with_is_refused(stack: Stack, client: Client) -> None:
    url = make_link(client)
    at = url.rindex(".")
    letter = "B" if url[at - 1] == "A" else "A"
    neighbour = Client(stack)
    tampered = [
        url.replace("/2?", "/3?"),
        url[: at - 1] + letter + url[at:],
        url[:-1],
        url.replace(client.workspace_id, neighbour.workspace_id),
        url.replace(client.workspace_id, str(uuid.uuid4())),
        f"{url}&{url.partition('?')[2]}",
    ]

    answers = [visit(one) for one in tampered]

    assert {answer.status for answer in answers} == {403}
    assert len({answer.text for answer in answers}) == 1
    assert visit(stack.api_url + PATH).status == 401
    for one in (client, neighbour):
        assert one.call("GET", "/v1/events").json()["data"] == []


def test_links_are_revoked_all_at_once(client: Client) -> None:
    old = make_link(client)
    assert visit(old).status == 202

    assert client.call("DELETE", LINKS).status_code == 204

    assert visit(make_link(client)).status == 202
    until(lambda: visit(old).status == 403, "the old link is refused")
