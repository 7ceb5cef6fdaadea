"""What a customer notices: accepted, delivered, retried, exhausted, explained."""

import json

import pytest

from tests.local.receiver import Receiver, verify_standard_webhook
from tests.local.stack import Stack
from tests.stack.client import Client

CONTEXT = {
    "visitor": {"visitor_id": "visitor_1", "language": "en-US"},
    "hit": {"hit_id": "hit_1", "hit_timestamp": 1780062493202},
}


def test_an_accepted_event_is_delivered_signed_and_as_it_came(
    client: Client, receiver: Receiver
) -> None:
    config = client.make_config(receiver.url("/hook"), headers={"X-Source": "funnelflux"})

    event_id = client.send(**CONTEXT)

    (received,) = receiver.wait_for(1, "/hook")
    body = json.loads(received.body)
    assert {key: body[key] for key in CONTEXT} == CONTEXT
    assert body.keys() - CONTEXT.keys() == {
        "schema_version",
        "event_type",
        "request_id",
        "timestamp",
    }
    assert received.headers["X-Source"] == "funnelflux"
    assert received.headers["X-Funnelflux-Payload-Schema"] == "webhook_outbound_payload_v1"
    assert received.headers["X-Funnelflux-Trigger-Type"] == body["event_type"] == "node_execution"
    assert received.headers["X-Funnelflux-Request-ID"] == body["request_id"]
    assert verify_standard_webhook(received, config.secret) == body
    (delivery,) = client.wait_for(event_id, "delivered")
    assert delivery["request_id"] == body["request_id"]
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [200]


def test_basic_auth_goes_out_and_never_comes_back(client: Client, receiver: Receiver) -> None:
    auth = {"username": "user", "password": "pass"}
    config = client.make_config(receiver.url("/hook"), basicAuth=auth)

    client.send()

    (received,) = receiver.wait_for(1, "/hook")
    shown = client.call("GET", f"/v1/webhookconfig/find/byId?idWebhookConfig={config.id}").json()
    assert received.headers["Authorization"] == "Basic dXNlcjpwYXNz"
    assert shown["basicAuth"] == {"username": "user"}


def test_a_failing_endpoint_is_tried_again_on_schedule_with_the_same_bytes(
    client: Client, receiver: Receiver
) -> None:
    receiver.script("/flaky", [500, 503])
    config = client.make_config(receiver.url("/flaky"), retrySchedule=[1, 2])

    event_id = client.send(**CONTEXT)

    first, second, third = receiver.wait_for(3, "/flaky")
    assert second.received_at - first.received_at >= 1
    assert third.received_at - second.received_at >= 2
    assert first.body == second.body == third.body
    ids = {request.headers["webhook-id"] for request in (first, second, third)}
    assert len(ids) == 1
    for received in (first, second, third):
        verify_standard_webhook(received, config.secret)
    (delivery,) = client.wait_for(event_id, "delivered")
    assert [attempt["status_code"] for attempt in delivery["attempts"]] == [500, 503, 200]
    assert [attempt["next_wait_ms"] for attempt in delivery["attempts"]] == [1000, 2000, None]


def test_a_spent_schedule_ends_in_a_failure_that_is_seen(
    client: Client, receiver: Receiver
) -> None:
    receiver.script("/dead", [500], repeat=True)
    config = client.make_config(receiver.url("/dead"), retrySchedule=[1, 1])

    event_id = client.send()

    (delivery,) = client.wait_for(event_id, "failed")
    assert delivery["reason"] == "schedule_spent"
    assert delivery["next_attempt_at"] is None
    assert [attempt["cause"] for attempt in delivery["attempts"]] == ["http_status"] * 3
    listed = client.call("GET", f"/v1/deliveries?config_id={config.id}&state=failed").json()
    assert [item["request_id"] for item in listed["data"]] == [delivery["request_id"]]
    assert len(receiver.requests("/dead")) == 3


def test_an_endpoint_that_is_not_there_waits_visibly_for_its_next_attempt(
    client: Client, receiver: Receiver
) -> None:
    url = receiver.url("/gone")
    receiver.stop()
    client.make_config(url, retrySchedule=[3600])

    event_id = client.send()

    (delivery,) = client.wait_for(event_id, "waiting")
    assert delivery["next_attempt_at"] is not None
    assert delivery["attempts"][0]["cause"] == "connect"


def test_an_event_that_comes_twice_is_delivered_once(client: Client, receiver: Receiver) -> None:
    client.make_config(receiver.url("/hook"))

    first = client.send(event_id="order-1", **CONTEXT)
    client.wait_for(first, "delivered")
    again = client.send(event_id="order-1", **CONTEXT)
    marker = client.send(event_id="order-2")
    client.wait_for(marker, "delivered")

    assert first == again == "order-1"
    assert len(receiver.requests("/hook")) == 2


def test_the_same_id_with_another_body_is_refused(client: Client) -> None:
    client.send(event_id="order-1", **CONTEXT)

    answer = client.call(
        "POST", "/v1/events", json={"event_type": "node_execution", "event_id": "order-1"}
    )

    assert answer.status_code == 409


def test_an_event_goes_to_every_config_that_wants_it_and_to_no_other(
    client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/all"))
    client.make_config(receiver.url("/actions"), triggers=[{"eventType": "on_action"}])
    client.make_config(
        receiver.url("/funnel"), triggers=[{"eventType": "node_execution", "idFunnel": "funnel_1"}]
    )

    event_id = client.send(funnel={"funnel_id": "funnel_1"})

    client.wait_for(event_id, "delivered", count=2)
    assert len(receiver.requests("/all")) == len(receiver.requests("/funnel")) == 1
    assert not receiver.requests("/actions")


def test_a_disabled_config_holds_its_deliveries(client: Client, receiver: Receiver) -> None:
    client.make_config(receiver.url("/hook"), enabled=False)

    event_id = client.send()

    (delivery,) = client.wait_for(event_id, "held")
    assert delivery["reason"] == "config_disabled"
    assert not receiver.requests()


def test_an_event_that_no_config_wants_is_kept(client: Client) -> None:
    event_id = client.send(**CONTEXT)

    answer = client.call("GET", f"/v1/events/{event_id}").json()
    assert answer["payload"] == CONTEXT
    assert answer["deliveries"] == []


@pytest.mark.deployed
def test_events_of_other_aws_services_take_the_same_road(
    client: Client, receiver: Receiver, stack: Stack
) -> None:
    client.make_config(receiver.url("/hook"))
    event = {"workspace_id": client.workspace_id, "visitor": {"visitor_id": "v"}}

    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["IntakeQueueUrl"],
        MessageBody=json.dumps(event | {"event_type": "node_execution"}),
    )
    stack.client("events").put_events(
        Entries=[
            {
                "EventBusName": stack.outputs["EventBusName"],
                "Source": "shop",
                "DetailType": "on_action",
                "Detail": json.dumps(event),
            }
        ]
    )
    stack.client("lambda").invoke(
        FunctionName=stack.outputs["IngestFunctionName"],
        Payload=json.dumps(event | {"event_type": "node_execution"}),
    )

    received = receiver.wait_for(3, "/hook")
    types = sorted(request.headers["X-Funnelflux-Trigger-Type"] for request in received)
    assert types == ["node_execution", "node_execution", "on_action"]


def test_a_funnelytics_purchase_becomes_a_conversion_for_each_item(
    client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/hook"))
    items = [
        {
            "__sku__": sku,
            "__label__": "A car",
            "__total_in_cents__": cents,
            "__order__": "1",
            "__currency__": "USD",
        }
        for sku, cents in (("A", 1999), ("B", "500"))
    ]

    answer = client.call(
        "POST",
        "/api/v1/webhook/__commerce_action__",
        headers={"X-PROJECT-ID": client.workspace_id, "X-API-KEY": client.api_key},
        json={"email": "alice@example.com", "purchase_data": items},
    )

    assert (answer.status_code, answer.json()) == (202, {"accepted": True, "events": 2})
    bodies = [json.loads(request.body) for request in receiver.wait_for(2, "/hook")]
    assert sorted(body["conversion"]["revenue"] for body in bodies) == ["19.99", "5.00"]
