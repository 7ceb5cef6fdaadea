"""The operator's commands, as they are typed, on the deployed stack."""

import json
import os
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from shared.observability import METRICS
from tests.local.receiver import Receiver
from tests.local.stack import Stack, function_logs
from tests.stack.client import Client, until

CLI = [sys.executable, "-m", "shared.cli"]


def environment(client: Client) -> dict[str, str]:
    mine = {"FUNNELHOOKS_API_KEY": client.api_key, "FUNNELHOOKS_WORKSPACE": client.workspace_id}
    return {**os.environ, **mine}


def run(client: Client, *command: str, code: int = 0) -> str:
    """What a command of the client's workspace prints; `code` is what it ends with."""
    words, env = [*CLI, *command, "--local"], environment(client)
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert done.returncode == code, done.stderr
    return done.stderr if code else done.stdout


def asked(client: Client, *command: str) -> Any:
    return json.loads(run(client, *command, "--json"))


def test_what_happened_is_listed_and_shown(client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    event_id = client.send()
    client.wait_for(event_id, "delivered")

    (event,) = asked(client, "events", "list")
    (delivery,) = asked(client, "deliveries", "list", "--config", config.id)
    shown = run(client, "deliveries", "show", delivery["request_id"])

    assert event["event_id"] == event_id
    assert asked(client, "events", "show", event_id)["deliveries"][0]["state"] == "delivered"
    assert "delivered" in shown
    assert "schedule" in shown
    assert "404" in run(client, "deliveries", "show", str(uuid.uuid4()), code=1)


def test_a_delivery_is_sent_again(client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    client.wait_for(client.send(), "delivered")
    (delivery,) = asked(client, "deliveries", "list", "--config", config.id)

    resent = asked(client, "resend", delivery["request_id"])

    first, second = receiver.wait_for(2, "/in")
    assert (resent["request_id"], resent["reason"]) == (delivery["request_id"], "resent")
    assert (first.body, first.headers["webhook-id"]) == (second.body, second.headers["webhook-id"])


def test_a_delivery_that_cannot_be_sent_again_says_why(client: Client, receiver: Receiver) -> None:
    receiver.script("/gone", [410])
    client.make_config(receiver.url("/gone"))
    (delivery,) = client.wait_for(client.send(), "held")

    refusal = run(client, "resend", delivery["request_id"], code=1)

    assert "was answered 409: It cannot be sent: config_disabled. (conflict)" in refusal
    assert "correlation_id" in refusal
    assert len(receiver.requests("/gone")) == 1


def test_a_delivery_that_nobody_knows_cannot_be_sent_again(client: Client) -> None:
    unknown = str(uuid.uuid4())

    assert f"No delivery {unknown} is known here." in run(client, "resend", unknown, code=1)


def test_deliveries_are_told_as_they_come(client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    words = [*CLI, "tail", "--every", "0.5", "--seconds", "120", "--json", "--local"]

    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, env=environment(client)) as process,
        ThreadPoolExecutor(1) as pool,
    ):
        assert process.stdout is not None
        first = pool.submit(process.stdout.readline)
        until(lambda: bool(client.send()) and first.done(), "a delivery is told")
        process.terminate()

    assert json.loads(first.result())["config_id"] == config.id


def test_an_endpoint_that_is_gone_is_in_the_status(client: Client, receiver: Receiver) -> None:
    receiver.script("/gone", [410])
    config = client.make_config(receiver.url("/gone"))
    client.send()
    until(lambda: asked(client, "status")["endpoints"] != [], "the config is disabled")

    found = asked(client, "status")

    (endpoint,) = found["endpoints"]
    assert (endpoint["config_id"], endpoint["trouble"]) == (config.id, "disabled")
    assert {queue["queue"] for queue in found["queues"]} == {
        "intake",
        "import",
        "fanout",
        "dispatch",
        "retry",
    }
    assert len(found["functions"]) == 8


def test_dead_letters_are_shown_with_their_reason_and_sent_back(
    stack: Stack, client: Client
) -> None:
    body = {"workspace_id": client.workspace_id, "event_type": "on_action", "nick": "hunter2"}
    sqs, letters = stack.client("sqs"), stack.outputs["IntakeDeadLettersUrl"]
    sqs.send_message(QueueUrl=stack.outputs["IntakeQueueUrl"], MessageBody=json.dumps(body))
    until(lambda: _depth(sqs, letters) > 0, "the event is refused")

    shown = run(client, "redrive", "intake", "--yes")

    assert "invalid" in shown
    assert "hunter2" not in shown
    assert "sent back to intake" in shown
    until(lambda: _depth(sqs, letters) > 0, "it is refused again")
    sqs.purge_queue(QueueUrl=letters)


def _depth(sqs: Any, url: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(answer["Attributes"][name])


def test_a_key_is_made_and_works(client: Client) -> None:
    made = asked(client, "keys", "create", "--name", "Watcher", "--scope", "events:read")

    assert made["scopes"] == ["events:read"]
    assert made["id"] in {key["id"] for key in asked(client, "keys", "list")}
    client.api_key = made["secret"]
    assert asked(client, "events", "list") == []
    assert "(forbidden)" in run(client, "keys", "list", code=1)


def test_the_log_leads_from_the_answer_of_the_api_to_the_attempt(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/in"))
    answer = client.call("POST", "/v1/events", json={"event_type": "node_execution"})
    event_id = answer.json()["event_id"]
    client.wait_for(event_id, "delivered")

    found: dict[str, dict[str, Any]] = {}

    def are_there() -> bool:
        client.send()  # on a busy machine the emulator reads a line when its worker is next at work
        lines = [json.loads(line) for line in function_logs(stack) if event_id in line]
        found.update({line["message"]: line for line in lines})
        return found.keys() >= {"event.accepted", "attempt.settled"}

    until(are_there, "both lines are in the log")
    # The emulator's gateway tells caller and function two ids, where AWS tells one.
    assert found["event.accepted"]["correlation_id"]
    measured = {
        metric["Name"]
        for line in found.values()
        for part in line["_aws"]["CloudWatchMetrics"]
        for metric in part["Metrics"]
    }
    assert measured == {"accepted", "delivered", "lateness_ms", "time_to_first_attempt_ms"}
    assert measured <= {metric.name for metric in METRICS}
    parts = found["attempt.settled"]["_aws"]["CloudWatchMetrics"]
    assert {part["Namespace"] for part in parts} == {stack.stack_name}


def test_a_replay_is_counted_and_watched_to_its_end(client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    client.wait_for(client.send(), "delivered")
    wanted = ["replay", "--config", config.id, "--since", "2026-01-01T00:00:00Z"]

    counted = asked(client, *wanted, "--dry-run")
    begun = asked(client, *wanted, "--no-wait")
    ended = asked(client, "replay", "--follow", begun["replay_id"])

    assert counted["total"] == begun["total"] == 1
    assert (ended["state"], ended["delivered"]) == ("finished", 1)
    assert len(receiver.requests("/in")) == 2
