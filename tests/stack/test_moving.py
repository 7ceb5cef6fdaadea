"""A workspace moves: exported here, imported there, and what happens there is delivered."""

from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import Client

NDJSON = {"Content-Type": "application/x-ndjson"}


def test_an_event_is_delivered_where_the_config_has_moved(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url(), idWebhookConfig="crm")
    there = Client(stack)

    exported = client.call("GET", "/v1/export")
    answer = there.call("POST", "/v1/import/", data=exported.content, headers=NDJSON)
    event_id = there.send()

    assert answer.status_code == 200, answer.text
    assert (answer.json()["accepted"], answer.json()["refused"]) == (1, 0)
    assert there.call("GET", "/v1/export/").text == exported.text
    (delivery,) = there.wait_for(event_id, "delivered")
    assert delivery["config_id"] == "crm"


def test_pages_follow_each_other(client: Client, receiver: Receiver) -> None:
    client.make_config(receiver.url(), idWebhookConfig="crm")

    first = client.call("GET", "/v1/export?limit=1")
    query = {"cursor": first.headers["Next-Cursor"]}
    second = client.call("GET", "/v1/export", params=query)

    assert first.text + second.text == client.call("GET", "/v1/export").text
    assert "Next-Cursor" not in second.headers
