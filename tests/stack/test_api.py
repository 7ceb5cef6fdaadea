"""What the door answers."""

import pytest
import requests

from tests.local.stack import Stack
from tests.stack.client import PATIENCE_S, Client

NOBODYS = "ec700bb8-2fd3-423c-ac5d-5ce60f8aaf52"
ADDRESSES = [
    ("GET", "/v1/webhookconfig/list", "?status=all"),
    ("GET", "/v1/events", ""),
    ("GET", "/v1/deliveries", "?config_id=any"),
]
PROTECTED = [
    *ADDRESSES,
    ("POST", "/v1/events", ""),
    ("GET", "/v1/events/any", ""),
    ("GET", f"/v1/deliveries/{NOBODYS}", ""),
    ("GET", "/v1/webhookconfig/find/byId", "?idWebhookConfig=any"),
    ("POST", "/v1/webhookconfig/save", ""),
    ("PUT", "/v1/webhookconfig/save", ""),
    ("DELETE", "/v1/webhookconfig/delete", "?idWebhookConfig=any"),
]


@pytest.mark.parametrize(("method", "path", "query"), [*ADDRESSES, ("GET", "/health", "")])
def test_both_spellings_of_a_path_answer(
    client: Client, method: str, path: str, query: str
) -> None:
    bare = client.call(method, path + query)
    slashed = client.call(method, f"{path}/{query}")

    assert bare.status_code == slashed.status_code == 200
    assert bare.json() == slashed.json()


def test_events_are_accepted_at_both_spellings(client: Client) -> None:
    for path in ("/v1/events", "/v1/events/"):
        assert client.call("POST", path, json={"event_type": "on_action"}).status_code == 202


@pytest.mark.parametrize(("method", "path", "query"), PROTECTED)
def test_an_unknown_key_is_refused(stack: Stack, method: str, path: str, query: str) -> None:
    headers = {"Authorization": "Bearer fh_unknown"}

    answer = requests.request(
        method, stack.api_url + path + query, headers=headers, timeout=PATIENCE_S
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthenticated"


@pytest.mark.parametrize(("method", "path", "query"), PROTECTED)
def test_a_missing_scope_is_named(powerless: Client, method: str, path: str, query: str) -> None:
    answer = powerless.call(method, path + query)

    assert answer.status_code == 403
    assert "scope" in answer.json()["error"]["message"]


def test_the_ids_of_another_workspace_are_unknown_here(stack: Stack, client: Client) -> None:
    other = Client(stack)
    config = other.make_config("https://example.com/hook", enabled=False)
    event_id = other.send(webhook_config_ids=[config.id])
    (delivery,) = other.wait_for(event_id, "held")

    for path in (
        f"/v1/webhookconfig/find/byId?idWebhookConfig={config.id}",
        f"/v1/events/{event_id}",
        f"/v1/deliveries/{delivery['request_id']}",
        f"/v1/deliveries?event_id={event_id}",
    ):
        assert other.call("GET", path).status_code == 200
        answer = client.call("GET", path)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"
    listed = client.call("GET", f"/v1/deliveries?config_id={config.id}").json()
    assert listed == {"data": [], "next_cursor": None}


def test_a_body_over_the_limit_is_refused(client: Client) -> None:
    event = {"event_type": "on_action", "action_data": {"text": "x" * 262_144}}

    answer = client.call("POST", "/v1/events", json=event)

    assert answer.status_code == 413
    assert "262144" in answer.json()["error"]["message"]


def test_what_is_not_json_is_refused_with_its_place(client: Client) -> None:
    answer = client.call(
        "POST",
        "/v1/events",
        data='{"event_type": "on_action",\n "visitor": }',
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == 400
    assert "line 2, column 13" in answer.json()["error"]["message"]


def test_a_wrong_field_is_named(client: Client) -> None:
    event = {"event_type": "on_action", "visitor": {"nickname": "x"}, "hit": {"hit_timestamp": "1"}}

    answer = client.call("POST", "/v1/events", json=event)

    assert answer.status_code == 400
    paths = {field["path"] for field in answer.json()["error"]["fields"]}
    assert paths == {"visitor.nickname", "hit.hit_timestamp"}


def test_a_batch_is_answered_event_by_event(client: Client) -> None:
    events = [{"event_type": "on_action", "event_id": "a"}, {"event_type": "on_action", "x": 1}]

    answer = client.call("POST", "/v1/events", json={"events": events})

    first, second = answer.json()["results"]
    assert answer.status_code == 202
    assert first == {"event_id": "a"}
    assert second["error"]["fields"] == [{"path": "x", "message": "is not a known field"}]


def test_an_address_that_does_not_exist_is_answered_in_our_words(client: Client) -> None:
    for path in ("/", "/v2/nothing", "/v1/nothing", "/v1/webhookconfig/nothing"):
        answer = client.call("GET", path)
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


@pytest.fixture(scope="module")
def powerless(stack: Stack) -> Client:
    return Client(stack, scopes=["keys:manage"])
