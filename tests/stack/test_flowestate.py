"""A client written against FlowEstate's document: every call and answer of it, over HTTP."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.integration.test_flowestate_api import NEW, PUBLISHED, SUBSCRIPTIONS
from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.receivers.flowestate import FlowEstateReceiver
from tests.stack.client import PATIENCE_S, Client

PARALLEL = 20
ROUNDS = 6
SERVER_ERROR = 500
LEAD = {
    "event_type": "lead.created",
    "subject_type": "Lead",
    "subject_id": "lead_1",
    "data": {"lead": {"id": "lead_1", "name": "Anna"}},
    "source": "ui",
}


@pytest.fixture
def workers(stack: Stack) -> None:
    """As many as there will be requests at a time, each of which has asked the table once. A few
    start at a time: all at once they would take a small machine longer than a call may last."""
    unknown = {"Authorization": "Bearer fh_unknown"}

    def knock(_: int) -> int:
        url = stack.api_url + SUBSCRIPTIONS
        return requests.get(url, headers=unknown, timeout=PATIENCE_S).status_code

    for some in range(5, PARALLEL + 1, 5):
        with ThreadPoolExecutor(some) as pool:
            assert set(pool.map(knock, range(some))) == {401}


class Integration:
    """Zapier, Make or another one, with a key of its own to the workspace."""

    def __init__(self, owner: Client, kind: str) -> None:
        body = {"name": kind, "client": kind, "scopes": ["webhooks:manage"]}
        made = owner.call("POST", "/v1/integration/apikeys", json=body)
        self._owner = owner
        self._headers = {"Authorization": f"Bearer {made.json()['secret']}"}

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._owner.call(method, path, headers=self._headers, **options)

    def subscribe(self, **changes: Any) -> requests.Response:
        return self.call("POST", SUBSCRIPTIONS, json=NEW | changes, timeout=PATIENCE_S)

    def ids(self) -> list[str]:
        return [one["id"] for one in self.call("GET", SUBSCRIPTIONS).json()["data"]]


@pytest.fixture
def make(client: Client) -> Integration:
    return Integration(client, "make")


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_event_types_are_those_of_the_document_byte_for_byte(
    make: Integration, slash: str
) -> None:
    answer = make.call("GET", f"/api/v1/webhooks/events{slash}")

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == json.dumps(PUBLISHED, separators=(",", ":"))


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_subscription_lives_as_the_document_says(make: Integration, slash: str) -> None:
    path = SUBSCRIPTIONS + slash

    created = make.call("POST", path, json=NEW)
    again = make.call("POST", path, json=NEW)
    listed = make.call("GET", path)
    one = f"{SUBSCRIPTIONS}/{created.json()['id']}{slash}"
    shown = make.call("GET", one)
    deleted = make.call("DELETE", one)

    body = created.json()
    assert (created.status_code, again.status_code) == (201, 200)
    assert len(bytes.fromhex(body["secret"])) == 32
    assert body == {
        "id": body["id"],
        "target_url": "https://hook.example.com/incoming",
        "event": "lead.created",
        "external_id": "make-scenario-42",
        "managed_by": "make",
        "secret": body["secret"],
        "supported_events": PUBLISHED["events"],
    }
    assert again.json() == {name: body[name] for name in body if name != "secret"}
    row = {
        "id": body["id"],
        "target_url": "https://hook.example.com/incoming",
        "events": ["lead.created"],
        "external_id": "make-scenario-42",
        "managed_by": "make",
        "is_active": True,
        "created_at": listed.json()["data"][0]["created_at"],
    }
    assert (listed.json()["data"], list(listed.json()["data"][0])) == ([row], list(row))
    assert (shown.status_code, shown.json()) == (200, row)
    assert (deleted.status_code, deleted.json()) == (200, {"id": body["id"], "deleted": True})
    assert make.call("GET", one).status_code == 404
    assert make.ids() == []


@pytest.mark.usefixtures("workers")
def test_twenty_at_once_with_one_external_id_are_one_subscription(make: Integration) -> None:
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(lambda _: _subscribed(make), range(PARALLEL)))

    counts = Counter(answer.status_code for answer in answers)
    assert counts[200] + counts[201] == PARALLEL
    assert counts[201] <= 1  # none if the answer to the first one was lost
    assert {answer.json()["id"] for answer in answers} == set(make.ids())
    assert sum("secret" in answer.json() for answer in answers) == counts[201]
    assert len(make.ids()) == 1


def _subscribed(make: Integration) -> requests.Response:
    """As a client does it that repeats what a busy server could not answer."""
    for _ in range(ROUNDS):
        answer = make.subscribe()
        if answer.status_code < SERVER_ERROR:
            break
    return answer


def test_a_client_sees_its_own_subscriptions_alone(client: Client, make: Integration) -> None:
    zapier, dashboard = Integration(client, "zapier"), Integration(client, "dashboard")

    of_zapier = zapier.subscribe().json()["id"]

    path = f"{SUBSCRIPTIONS}/{of_zapier}"
    assert (zapier.ids(), make.ids(), dashboard.ids()) == ([of_zapier], [], [])
    for stranger in (make, dashboard):
        assert stranger.call("GET", path).status_code == 404
        assert stranger.call("DELETE", path).status_code == 404
    assert zapier.ids() == [of_zapier]


def test_what_the_dashboard_manages_is_not_deleted_here(client: Client, make: Integration) -> None:
    config = client.make_config("https://crm.example.com", dialect="flowestate")

    refused = make.call("DELETE", f"{SUBSCRIPTIONS}/{config.id}")

    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "FORBIDDEN")
    found = client.call("GET", f"/v1/webhookconfig/find/byId?idWebhookConfig={config.id}")
    assert found.json()["status"] == "active"


def test_a_missing_scope_and_a_full_plan_are_forbidden(stack: Stack) -> None:
    client = Client(stack, limits={"subscriptions": 1})
    make = Integration(client, "make")
    without = {"name": "x", "client": "make", "scopes": ["events:read"]}
    key = client.call("POST", "/v1/integration/apikeys", json=without).json()["secret"]
    make.subscribe()

    full = make.subscribe(external_id="another")
    lacking = client.call("GET", SUBSCRIPTIONS, headers={"Authorization": f"Bearer {key}"})

    assert (full.status_code, full.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert (lacking.status_code, lacking.json()["error"]["code"]) == (403, "FORBIDDEN")
    assert "webhooks:manage" in lacking.json()["error"]["message"]


def test_a_receiver_of_flowestates_takes_a_delivery_and_knows_its_retry(
    client: Client, make: Integration, receiver: Receiver
) -> None:
    made = make.subscribe(target_url=receiver.url("/fe")).json()
    app = FlowEstateReceiver(made["secret"])
    receiver.judge("/fe", app.receive)
    receiver.script("/fe", [500])
    sooner = client.call("GET", f"/v1/webhookconfig/find/byId?idWebhookConfig={made['id']}").json()
    client.call("PUT", "/v1/webhookconfig/save", json=sooner | {"retrySchedule": [1]})

    event_id = client.send(**LEAD)

    client.wait_for(event_id, "delivered")
    first, second = receiver.requests("/fe")
    (event,) = app.events
    assert (event["type"], event["data"]) == ("lead.created", LEAD["data"])
    assert event["organization"]["id"] == client.workspace_id
    assert app.receive(first.headers, first.body) == 200
    assert (app.repeats, first.body) == (1, second.body)
    assert app.receive(first.headers, first.body.replace(b"Anna", b"Anne")) == 401
