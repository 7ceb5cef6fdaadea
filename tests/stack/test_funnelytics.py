"""A client of Funnelytics, many of them at once, and a person who wants to be forgotten."""

import base64
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.local.receiver import Receiver, Reply
from tests.local.stack import Stack
from tests.stack.client import PATIENCE_S, Client, until

PARALLEL = 20
SESSIONS = 15
IP = "203.0.113.99"


@pytest.fixture(scope="module", autouse=True)
def workers(stack: Stack) -> None:
    """As many as there will be requests at a time. They start before the table is asked anything,
    since starting takes all of a small machine, and the emulator with it."""

    def knock(_: int) -> int:
        path = f"{stack.api_url}/api/v1/webhook/Demo"
        return requests.post(path, json={}, timeout=PATIENCE_S).status_code

    with ThreadPoolExecutor(PARALLEL) as pool:
        assert set(pool.map(knock, range(PARALLEL))) == {401}


def post(client: Client, body: Any, action: str = "Demo", key: str | None = None) -> int:
    headers = {"X-PROJECT-ID": client.workspace_id, "X-API-KEY": key or client.api_key}
    path = f"/api/v1/webhook/{action}"
    return client.call("POST", path, json=body, headers=headers, timeout=PATIENCE_S).status_code


def new_email() -> str:
    return f"Alice.{uuid.uuid4().hex}@example.com"


def test_twenty_at_once_with_the_same_information_are_one_event(
    client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/hook"))
    body = {"email": new_email(), "carBrand": "Lamborghini"}

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = sorted(pool.map(lambda _: post(client, body), range(PARALLEL)))

    assert statuses == [202] + [409] * (PARALLEL - 1)
    post(client, body, "Last")
    bodies = [json.loads(request.body) for request in receiver.wait_for(2, "/hook")]
    actions = sorted(sent["custom_event"]["event_data1"] for sent in bodies)
    assert actions == ["Demo", "Last"]


def test_twenty_at_once_with_one_new_email_are_one_visitor(client: Client) -> None:
    email = new_email()

    with ThreadPoolExecutor(PARALLEL) as pool:
        send = lambda number: post(client, {"email": email, "number": number})  # noqa: E731
        statuses = list(pool.map(send, range(PARALLEL)))

    listed = client.call("GET", "/v1/events?limit=100").json()["data"]
    event = client.call("GET", f"/v1/events/{listed[0]['event_id']}").json()
    address = f"/v1/visitors/{event['payload']['visitor']['visitor_id']}?limit=100"
    shown = client.call("GET", address).json()
    assert statuses == [202] * PARALLEL
    assert [identity["value"] for identity in shown["identities"]] == [email]
    assert len(shown["events"]["data"]) == len(listed) == PARALLEL


def test_twenty_at_once_with_sessions_of_their_own_and_one_new_email_are_one_visitor(
    client: Client,
) -> None:
    email = new_email()

    def send(number: int) -> int:
        return post(
            client, {"email": email, "session": f"session-{number % SESSIONS}", "n": number}
        )

    with ThreadPoolExecutor(PARALLEL) as pool:
        statuses = list(pool.map(send, range(PARALLEL)))

    shown = client.call("GET", "/v1/visitors/session-0?limit=100").json()
    assert statuses == [202] * PARALLEL
    assert len(shown["identities"]) == 1 + SESSIONS
    assert len(shown["events"]["data"]) == PARALLEL


def test_a_key_is_taken_as_the_user_interface_shows_it(client: Client) -> None:
    pair = base64.b64encode(f"{client.workspace_id}:{client.api_key}".encode()).decode()

    assert post(client, {"email": new_email()}, key=f"Basic {pair}") == 202


@pytest.mark.deployed
def test_who_is_erased_is_found_nowhere_any_more(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    email, session = new_email(), uuid.uuid4().hex
    echo = f"{email} from {IP}".encode()
    receiver.script("/fine", [Reply(200, body=echo)], repeat=True)
    receiver.script("/failing", [Reply(500, body=echo)], repeat=True)
    client.make_config(receiver.url("/fine"))
    client.make_config(receiver.url("/failing"), retrySchedule=[3600])
    post(client, {"email": email, "session": session})
    event_id = client.send(visitor={"visitor_id": session, "ip": IP, "city": email})
    client.wait_for(event_id, "delivered")
    client.wait_for(event_id, "waiting")
    assert any(email in item for item in _items(stack, client))
    reports: list[dict[str, Any]] = []

    def is_erased() -> bool:
        reports.append(client.call("DELETE", f"/v1/visitors/{session}/").json())
        return bool(reports[-1]["complete"])

    until(is_erased, "the visitor is erased")

    left = [item for item in _items(stack, client) if email.lower() in item.lower() or IP in item]
    assert left == []
    assert sum(report["events"] for report in reports) == 2
    assert sum(report["deliveries"] for report in reports) == 4
    assert client.call("GET", f"/v1/visitors/{session}").status_code == 404
    shown = client.call("GET", f"/v1/events/{event_id}").json()
    states = sorted((one["state"], one["reason"]) for one in shown["deliveries"])
    assert states == [("cancelled", "erased"), ("delivered", None)]


def _items(stack: Stack, client: Client) -> Iterator[str]:
    """Whatever both tables hold of the workspace, as text."""
    for table in ("ConfigTableName", "EventTableName"):
        pages = stack.client("dynamodb").get_paginator("scan")
        for page in pages.paginate(TableName=stack.outputs[table]):
            for item in page["Items"]:
                text = str(item)
                if client.workspace_id in text:
                    yield text
