"""What is refused on the roads without HTTPS lies among the dead letters, with its reason."""

import json
from typing import Any

from tests.local.stack import Stack
from tests.stack.client import Client, until

RED = {"event_type": "on_action", "colour": "red"}


def dead_letter(stack: Stack, mark: str) -> dict[str, Any]:
    """The message that holds `mark`; it stays where it is."""
    found: list[dict[str, Any]] = []

    def is_there() -> bool:
        answer = stack.client("sqs").receive_message(
            QueueUrl=stack.outputs["IntakeDeadLettersUrl"],
            MaxNumberOfMessages=10,
            VisibilityTimeout=0,
            MessageAttributeNames=["All"],
        )
        found.extend(one for one in answer.get("Messages", []) if mark in one["Body"])
        return bool(found)

    until(is_there, f"a dead letter holds {mark}")
    return found[0]


def attributes(letter: dict[str, Any]) -> dict[str, str]:
    return {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}


def send(stack: Stack, body: Any) -> None:
    stack.client("sqs").send_message(
        QueueUrl=stack.outputs["IntakeQueueUrl"], MessageBody=json.dumps(body)
    )


def test_a_poison_message_is_put_aside_at_once_and_blocks_nobody(
    stack: Stack, client: Client
) -> None:
    good = {"workspace_id": client.workspace_id, "event_type": "on_action"}

    send(stack, {"workspace_id": client.workspace_id} | RED)
    send(stack, good | {"event_id": "good"})

    letter = dead_letter(stack, client.workspace_id)
    assert attributes(letter)["error_code"] == "invalid"
    assert attributes(letter)["error_fields"] == '["colour"]'
    until(lambda: client.call("GET", "/v1/events/good").ok, "the other one is accepted")


def test_of_a_batch_the_refused_events_alone_are_put_aside(stack: Stack, client: Client) -> None:
    good = {"event_type": "on_action", "event_id": "good"}

    send(stack, {"workspace_id": client.workspace_id, "events": [good, RED]})

    letter = dead_letter(stack, client.workspace_id)
    assert attributes(letter)["batch_index"] == "1"
    assert json.loads(letter["Body"])["events"] == [RED]
    assert client.call("GET", "/v1/events/good").ok


def test_an_event_of_the_bus_is_put_aside_with_the_reason(stack: Stack, client: Client) -> None:
    detail = {"workspace_id": client.workspace_id, "colour": "red"}

    stack.client("events").put_events(
        Entries=[
            {
                "EventBusName": stack.outputs["EventBusName"],
                "Source": "com.example.shop",
                "DetailType": "on_action",
                "Detail": json.dumps(detail),
            }
        ]
    )

    assert attributes(dead_letter(stack, client.workspace_id))["error_fields"] == '["colour"]'


def test_a_caller_who_waits_is_told(stack: Stack, client: Client) -> None:
    answer = stack.client("lambda").invoke(
        FunctionName=stack.outputs["IngestFunctionName"],
        Payload=json.dumps({"workspace_id": client.workspace_id} | RED),
    )

    told = json.loads(answer["Payload"].read())
    assert "FunctionError" in answer
    assert told["errorMessage"] == "colour: is not a known field"


def test_a_caller_who_does_not_wait_finds_the_reason_beside_the_event(
    stack: Stack, client: Client
) -> None:
    sent = {"workspace_id": client.workspace_id} | RED
    stack.client("lambda").invoke(
        FunctionName=stack.outputs["IngestFunctionName"],
        InvocationType="Event",
        Payload=json.dumps(sent),
    )

    letter = json.loads(dead_letter(stack, client.workspace_id)["Body"])

    assert letter["requestPayload"] == sent
    assert letter["responsePayload"]["errorMessage"] == "colour: is not a known field"


def test_a_config_that_points_at_our_own_intake_makes_no_loop(client: Client) -> None:
    credentials = {"Authorization": f"Bearer {client.api_key}"}
    client.make_config(f"{client.api_url}/v1/events", headers=credentials, retrySchedule=[1])

    event_id = client.send()

    until(lambda: any(d["attempts"] for d in client.deliveries(event_id)), "an attempt is made")
    (listed_delivery,) = client.deliveries(event_id)
    delivery = client.call("GET", f"/v1/deliveries/{listed_delivery['request_id']}").json()
    attempt = delivery["attempts"][0]
    assert attempt["status_code"] == 410
    assert '"code":"loop"' in attempt["response_excerpt"]
    assert "Change the URL of its webhook config" in attempt["response_excerpt"]
    listed = client.call("GET", "/v1/events", params={"event_type": "node_execution"})
    assert [event["event_id"] for event in listed.json()["data"]] == [event_id]
