"""A client and a receiver written against ClickFunnels' documents, over HTTP."""

import json
import time
from typing import Any

import pytest

from tests.local.receiver import Receiver
from tests.receivers.clickfunnels import ClickFunnelsReceiver
from tests.stack.client import Client
from tests.unit.dialects.test_clickfunnels import PUBLISHED, as_sent_in

OUTGOING = "/api/v2/webhooks/outgoing"
ENDPOINT_KEYS = {
    "id",
    "public_id",
    "workspace_id",
    "url",
    "name",
    "event_type_ids",
    "api_version",
    "page_ids",
    "funnel_ids",
    "created_at",
    "updated_at",
}


def in_workspace(client: Client, what: str) -> str:
    return f"/api/v2/workspaces/{client.workspace_id}/webhooks/outgoing/{what}"


def create(client: Client, url: str, **fields: Any) -> dict[str, Any]:
    endpoint = {"url": url, "name": "Contacts", "event_type_ids": ["contact.identified"]} | fields
    answer = client.call(
        "POST",
        in_workspace(client, "endpoints"),
        json={"webhooks_outgoing_endpoint": endpoint},
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def test_the_published_payload_is_delivered_byte_for_byte_and_verified(
    client: Client, receiver: Receiver
) -> None:
    app = ClickFunnelsReceiver(create(client, receiver.url("/cf"))["webhook_secret"], time.time)
    receiver.judge("/cf", app.receive)
    receiver.script("/cf", [208])

    event_id = client.send(**as_sent_in(PUBLISHED))

    client.wait_for(event_id, "delivered")
    first, second = receiver.requests("/cf")
    published = json.dumps(PUBLISHED, separators=(",", ":"), ensure_ascii=False)
    assert (first.body.decode(), second.body.decode()) == (published, published)
    assert first.headers["Content-Type"] == "application/json"
    assert app.events == [PUBLISHED]
    assert app.receive(first.headers, first.body) == 200
    assert app.repeats == 1
    assert app.receive(first.headers, first.body.replace(b"Dullan", b"Dillan")) == 404


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_endpoint_lives_as_the_documents_say(client: Client, slash: str) -> None:
    address = in_workspace(client, "endpoints") + slash

    made = create(client, "https://hooks.example.com/cf")
    one = f"{OUTGOING}/endpoints/{made['id']}{slash}"
    listed = client.call("GET", address)
    shown = client.call("GET", one)
    by_public_id = client.call("GET", f"{OUTGOING}/endpoints/{made['public_id']}{slash}")
    change = {"webhooks_outgoing_endpoint": {"name": "All", "event_type_ids": []}}
    changed = client.call("PUT", one, json=change)
    removed = client.call("DELETE", one)

    assert made.keys() == ENDPOINT_KEYS | {"webhook_secret"}
    assert shown.json() == {name: made[name] for name in ENDPOINT_KEYS}
    assert listed.json() == [shown.json()]
    assert by_public_id.json() == shown.json()
    assert (changed.json()["name"], changed.json()["event_type_ids"]) == ("All", [])
    assert (removed.status_code, removed.content) == (204, b"")
    gone = client.call("GET", one)
    assert (gone.status_code, gone.json()) == (404, {"error": "Not found: Record missing"})


@pytest.mark.parametrize("slash", ["", "/"])
def test_what_was_lost_can_be_read_from_the_events(client: Client, slash: str) -> None:
    client.send(**as_sent_in(PUBLISHED))

    # With a slash the gateway of AWS takes its greedy route, which the emulator's does not.
    listed = client.call("GET", in_workspace(client, "events"))

    assert listed.status_code == 200, listed.text
    (event,) = listed.json()
    one = client.call("GET", f"{OUTGOING}/events/{event['id']}{slash}")
    deliveries = client.call("GET", f"{OUTGOING}/events/{event['id']}/deliveries{slash}")
    assert one.json() == event
    assert (event["uuid"], event["data"]) == (PUBLISHED["event_id"], PUBLISHED["data"])
    assert (event["event_type_id"], event["subject_id"]) == ("contact.identified", 236296209)
    assert (deliveries.status_code, deliveries.json()) == (200, [])


def test_an_endpoint_without_types_gets_what_its_pages_and_funnels_tell(
    client: Client, receiver: Receiver
) -> None:
    create(client, receiver.url("/all"), event_type_ids=[])
    create(client, receiver.url("/page"), event_type_ids=[], page_ids=[7])
    create(client, receiver.url("/funnel"), event_type_ids=[], funnel_ids=[3, "fun"])
    order = {"event_type": "order.created", "subject_type": "Order", "subject_id": 1, "data": {}}

    first = client.send(**order, page_id=7, funnel_id=4)
    second = client.send(**order, page_id=8, funnel_id=3)

    client.wait_for(first, "delivered", 2)
    client.wait_for(second, "delivered", 2)
    assert len(receiver.requests("/all")) == 2
    assert [json.loads(r.body)["page_id"] for r in receiver.requests("/page")] == [7]
    assert [json.loads(r.body)["funnel_id"] for r in receiver.requests("/funnel")] == [3]


def test_errors_have_the_shape_of_the_documents(client: Client) -> None:
    address = in_workspace(client, "endpoints")

    wrong = client.call("POST", address, json={"webhooks_outgoing_endpoint": {"name": "x"}})
    unknown = client.call("GET", address, headers={"Authorization": "Bearer fh_unknown"})

    assert (wrong.status_code, list(wrong.json()["errors"])) == (422, ["url"])
    assert (unknown.status_code, list(unknown.json())) == (401, ["error"])
