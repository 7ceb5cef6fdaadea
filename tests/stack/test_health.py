"""Endpoints in trouble, on the deployed stack: disabled, tripped, taken back, and not overrun."""

import json
import threading
import time
import uuid
from typing import Any

import pytest

from tests.local.receiver import Receiver, Reply
from tests.local.stack import Stack
from tests.stack.client import Client, until


def find(client: Client, config_id: str) -> dict[str, Any]:
    answer = client.call("GET", f"/v1/webhookconfig/find/byId?idWebhookConfig={config_id}")
    return dict(answer.json())


def save(client: Client, config_id: str, url: str, **fields: Any) -> None:
    body = {"idWebhookConfig": config_id, "webhookConfigName": "Test", "url": url} | fields
    assert client.call("PUT", "/v1/webhookconfig/save", json=body).status_code == 204


def operational(client: Client) -> list[str]:
    listed = client.call("GET", "/v1/events?limit=100").json()["data"]
    return [event["event_type"] for event in listed if event["event_id"].startswith("!")]


def test_an_endpoint_that_is_gone_is_disabled_and_what_is_held_goes_when_it_is_enabled(
    client: Client, receiver: Receiver
) -> None:
    receiver.script("/gone", [410])
    config = client.make_config(receiver.url("/gone"), retrySchedule=[2])
    first = client.send()
    until(lambda: not find(client, config.id)["enabled"], "the config is disabled")
    held = [client.send() for _ in range(5)]
    for event_id in (first, *held):
        client.wait_for(event_id, "held")

    shown = find(client, config.id)
    save(client, config.id, receiver.url("/gone"), retrySchedule=[2])

    assert shown["disabledReason"] == "endpoint_gone"
    assert shown["disabledAt"].endswith("Z")
    assert operational(client) == ["webhook_config.disabled"]
    for event_id in (first, *held):
        client.wait_for(event_id, "delivered")
    assert len(receiver.requests("/gone")) == 7
    assert "disabledReason" not in find(client, config.id)


def test_an_endpoint_that_fails_is_left_alone_and_taken_back(
    client: Client, receiver: Receiver
) -> None:
    receiver.script("/dead", [500] * 5)
    client.make_config(receiver.url("/dead"), retrySchedule=[86_400])
    failed = [client.send() for _ in range(5)]
    for event_id in failed:
        client.wait_for(event_id, "waiting")
    until(lambda: operational(client) == ["webhook_config.tripped"], "the breaker is open")

    deferred = [client.send() for _ in range(5)]
    for event_id in deferred:
        (delivery,) = client.wait_for(event_id, "waiting")
        assert delivery["reason"] == "endpoint_tripped"
        assert (delivery["attempt"], delivery["attempts"]) == (0, [])
        assert delivery["next_attempt_at"]

    assert len(receiver.requests("/dead")) == 5
    for event_id in deferred:
        client.wait_for(event_id, "delivered")
    assert operational(client) == ["webhook_config.recovered", "webhook_config.tripped"]
    assert len(receiver.requests("/dead")) == 10


def test_while_requests_to_an_endpoint_hang_others_wait(client: Client, receiver: Receiver) -> None:
    answers = threading.Event()
    receiver.script("/hangs", [Reply(after=answers)], repeat=True)
    client.make_config(receiver.url("/hangs"))
    events: list[str] = []

    def one_waits() -> bool:
        events.append(client.send())
        time.sleep(0.5)
        latest = [one for event_id in events[-3:] for one in client.deliveries(event_id)]
        waiting = [one for one in latest if one["reason"] == "endpoint_hangs"]
        return any(one["attempts"] == [] for one in waiting)

    until(one_waits, "a delivery waits, because others hang")
    answers.set()

    attempts = [client.wait_for(event_id, "delivered")[0]["attempts"] for event_id in events]
    assert len(receiver.requests("/hangs")) == sum(map(len, attempts))


def test_a_rate_limit_is_kept_and_nobody_else_waits_for_it(
    client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/slow"), rateLimitPerSecond=2)
    client.make_config(receiver.url("/quick"))

    events = [client.send() for _ in range(12)]
    receiver.wait_for(12, "/quick")
    for event_id in events:
        client.wait_for(event_id, "delivered", count=2)

    times = sorted(request.monotonic for request in receiver.requests("/slow"))
    assert len(times) == 12
    # A bucket of one second's worth, and the whole seconds in which SQS delays.
    assert times[-1] - times[0] >= (12 - 2) / 2 - 1


@pytest.mark.deployed
def test_an_operational_event_is_on_the_bus_and_does_not_come_back_in(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    queue, rule = _listen(stack)
    receiver.script("/gone", [410])
    config = client.make_config(receiver.url("/gone"))

    client.send()
    heard: list[dict[str, Any]] = []
    until(lambda: _heard(stack, queue, heard, config.id), "the event is on the bus")

    (envelope,) = [event for event in heard if event["detail"]["subject_id"] == config.id]
    assert envelope["source"] == "funnelhooks"
    assert envelope["detail-type"] == "webhook_config.disabled"
    time.sleep(2)  # for what must not happen
    assert operational(client) == ["webhook_config.disabled"]
    assert len(client.call("GET", "/v1/events").json()["data"]) == 2
    stack.client("events").remove_targets(
        Rule=rule, EventBusName=stack.outputs["EventBusName"], Ids=["test"]
    )


def _listen(stack: Stack) -> tuple[str, str]:
    name = f"test-{uuid.uuid4().hex[:8]}"
    sqs, events, bus = stack.client("sqs"), stack.client("events"), stack.outputs["EventBusName"]
    url = str(sqs.create_queue(QueueName=name)["QueueUrl"])
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    events.put_rule(
        Name=name, EventBusName=bus, EventPattern=json.dumps({"source": ["funnelhooks"]})
    )
    events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "test", "Arn": arn}])
    return url, name


def _heard(stack: Stack, queue: str, heard: list[dict[str, Any]], config_id: str) -> bool:
    answer = stack.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    heard += [json.loads(message["Body"]) for message in answer.get("Messages", [])]
    return any(event["detail"]["subject_id"] == config_id for event in heard)
