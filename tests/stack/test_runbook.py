"""The steps of docs/runbook.md, typed as they stand there, on the deployed stack.

`--stack NAME` becomes `--local`, and `aws` is tests/local/aws.py.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from shutil import which
from typing import Any, TypeVar

import pytest

from tests.local.receiver import Receiver
from tests.local.stack import Stack, up
from tests.stack.client import Client, until
from tests.stack.conftest import MINUTE_S, PARAMETERS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
STEPS = {name: text for name, text in SECTIONS.items() if not name.endswith("Alarm")}
PYTHON = ".venv/bin/python"
AWS = f'aws() {{ {sys.executable} -m tests.local.aws "$@"; }}'

EVENT = {"event_id": "from-a-letter", "event_type": "node_execution"}

Test = TypeVar("Test", bound=Callable[..., None])
tried = set[str]()


def tries(step: str) -> Callable[[Test], Test]:
    tried.add(step)
    return lambda test: test


def typed(step: str, stack: Stack, given: str = "", **values: str) -> str:
    """What the block of a step prints; `values` take the place of words and of variables in it."""
    (block,) = re.findall(r"^```sh\n(.*?)^```$", STEPS[step], re.MULTILINE | re.DOTALL)
    for name, value in {"--stack NAME": "--local", "NAME": stack.stack_name, **values}.items():
        block = block.replace(name, value)
    script = f"{AWS}\n{block.replace(PYTHON, sys.executable)}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        input=given,
        capture_output=True,
        text=True,
        env=environment(stack) | values,
        check=False,
    )
    assert done.returncode == 0 or given == "n\n", done.stderr
    return done.stdout


def environment(stack: Stack) -> dict[str, str]:
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": stack.endpoint_url,
        "AWS_ACCESS_KEY_ID": stack.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": stack.credentials.secret_access_key,
        "AWS_DEFAULT_REGION": stack.region,
        "API": stack.api_url,
    }


def queue_url(stack: Stack, logical_id: str) -> str:
    found = stack.client("cloudformation").describe_stack_resource(
        StackName=stack.stack_name, LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def depth(stack: Stack, logical_id: str) -> int:
    name = "ApproximateNumberOfMessages"
    answer = stack.client("sqs").get_queue_attributes(
        QueueUrl=queue_url(stack, logical_id), AttributeNames=[name]
    )
    return int(answer["Attributes"][name])


def put_letter(stack: Stack, logical_id: str, body: dict[str, Any]) -> None:
    """Alone: other tests leave letters, too."""
    url = queue_url(stack, logical_id)
    stack.client("sqs").purge_queue(QueueUrl=url)
    stack.client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps(body))


def test_every_step_is_tried() -> None:
    assert STEPS.keys() == tried


@tries("The stack at a glance")
def test_the_status_is_shown(stack: Stack) -> None:
    shown = typed("The stack at a glance", stack)

    assert f"Queues of {stack.stack_name}" in shown
    assert "Endpoints in trouble" in shown


@tries("What went wrong in a function")
def test_the_log_and_the_deployments_of_a_function_are_shown(stack: Stack) -> None:
    shown = typed("What went wrong in a function", stack)

    assert '"events": [' in shown
    assert "CREATE_COMPLETE" in shown


@tries("Dead letters, looked at and sent back")
@pytest.mark.parametrize(
    ("queue", "letters"),
    [
        ("intake", "IntakeDeadLetters"),
        ("imports", "ImportDeadLetters"),
        ("dispatch", "DispatchDeadLetters"),
        ("retry", "RetryDeadLetters"),
    ],
)
def test_dead_letters_are_looked_at_and_sent_back(
    stack: Stack, client: Client, receiver: Receiver, queue: str, letters: str
) -> None:
    config = client.make_config(receiver.url("/in"))
    (delivery,) = client.wait_for(client.send(), "delivered")
    ids = {"workspace_id": client.workspace_id, "config_id": config.id}
    body = {
        "intake": EVENT | {"workspace_id": client.workspace_id},
        "imports": notice_of_an_empty_file(stack, client),
    }
    pointer = ids | {"request_id": delivery["request_id"], "attempt": 1}
    put_letter(stack, letters, body.get(queue, pointer))
    until(lambda: depth(stack, letters) == 1, "the letter lies there")
    step, words = "Dead letters, looked at and sent back", {"redrive dispatch": f"redrive {queue}"}

    looked = typed(step, stack, "n\n", **words)
    left = depth(stack, letters)
    sent = typed(step, stack, "y\n", **words)

    assert f"1 dead letters of {queue}" in looked
    assert left == 1
    assert f"1 sent back to {queue}" in sent
    assert is_worked_off(client, queue, receiver)
    assert depth(stack, letters) == 0


def notice_of_an_empty_file(stack: Stack, client: Client) -> dict[str, Any]:
    """As the bucket gives it; the file is read once by itself, and once by the letter."""
    bucket, key = stack.outputs["ImportBucketName"], f"{client.workspace_id}/empty.jsonl"
    etag = stack.client("s3").put_object(Bucket=bucket, Key=key, Body=b"\n")["ETag"]
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "etag": etag.strip('"')}}
    return {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}


def is_worked_off(client: Client, queue: str, receiver: Receiver) -> bool:
    """The event is there now; a delivery that was made meanwhile is not made again."""
    if queue == "intake":
        client.wait_for("from-a-letter", "delivered")
        return True
    time.sleep(2)
    return len(receiver.requests("/in")) == 1


@tries("Dead letters of fanout")
def test_dead_letters_of_fanout_are_looked_at_and_deleted(stack: Stack) -> None:
    put_letter(stack, "FanoutDeadLetters", {"workspace_id": "w", "event_id": "told-to-nobody"})
    until(lambda: depth(stack, "FanoutDeadLetters") == 1, "the letter lies there")

    shown = typed("Dead letters of fanout", stack)

    assert "told-to-nobody" in shown
    assert depth(stack, "FanoutDeadLetters") == 0


@tries("A dead letter of an invocation")
def test_the_letter_of_an_invocation_becomes_an_event(
    stack: Stack, client: Client, tmp_path: Path
) -> None:
    event, answer = tmp_path / "event.json", tmp_path / "answer.json"
    payload = {"workspace_id": client.workspace_id, "event_type": "node_execution"}
    event.write_text(json.dumps(payload))

    files = {"event.json": str(event), "answer.json": str(answer)}
    typed("A dead letter of an invocation", stack, **files)

    event_id = json.loads(answer.read_text())["event_id"]
    assert client.deliveries(event_id) == []


@tries("What became of an event")
def test_an_event_is_shown(stack: Stack, client: Client) -> None:
    event_id = client.send()

    values = {"EVENT_ID": event_id, "FUNNELHOOKS_API_KEY": client.api_key}
    shown = typed("What became of an event", stack, **values)

    assert event_id in shown


@tries("More workers")
def test_more_workers_are_set_at_once(stack: Stack) -> None:
    typed("More workers", stack)

    assert concurrency(stack, "dispatch") == 400


@tries("Another deployment")
def test_another_deployment_changes_a_parameter_and_no_data(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/in"))
    before = client.send()
    client.wait_for(before, "delivered")

    up(parameters=PARAMETERS | {"RetryConcurrency": "21"}, minute_s=MINUTE_S)

    assert concurrency(stack, "retry") == 21
    assert [one["state"] for one in client.deliveries(before)] == ["delivered"]
    client.wait_for(client.send(), "delivered")


def concurrency(stack: Stack, function: str) -> int:
    found = stack.client("lambda").list_event_source_mappings(
        FunctionName=f"{stack.stack_name}-{function}"
    )
    (mapping,) = found["EventSourceMappings"]
    return int(mapping["ScalingConfig"]["MaximumConcurrency"])


@tries("Concurrency of the account")
def test_the_limit_of_the_account_is_shown(stack: Stack) -> None:
    assert "ConcurrentExecutions" in typed("Concurrency of the account", stack)


@tries("Whose first attempts are late")
def test_late_first_attempts_are_asked_for(stack: Stack) -> None:
    assert '"results": [' in typed("Whose first attempts are late", stack)


@tries("Whether the sweep runs")
def test_the_sweep_is_looked_for_and_enabled(stack: Stack) -> None:
    def shown() -> str:
        return typed("Whether the sweep runs", stack)

    until(lambda: "swept" in shown(), "the sweep has left its line")

    assert "rate(1 minute)" in shown()
    assert "ENABLED" in shown()


@tries("A replay, paused")
@pytest.mark.skipif(which("curl") is None, reason="the step is typed with curl")
def test_a_replay_is_paused(stack: Stack, client: Client, receiver: Receiver) -> None:
    client.make_config(receiver.url("/in"), idWebhookConfig="late")
    client.send()
    body = {"config_id": "late", "since": 0, "rate_per_second": 1}
    replay_id = client.call("POST", "/v1/replays", json=body).json()["replay_id"]

    values = {"$REPLAY": replay_id, "$KEY": client.api_key}
    answer = json.loads(typed("A replay, paused", stack, **values))

    assert (answer["replay_id"], answer["state"]) == (replay_id, "paused")


@tries("One endpoint, slowed down")
def test_an_endpoint_is_slowed_down(client: Client, receiver: Receiver) -> None:
    config = client.make_config(receiver.url("/in"))
    body = {"idWebhookConfig": config.id, "webhookConfigName": "Test", "url": receiver.url("/in")}
    limits = {"rateLimitPerSecond": 1, "timeoutSeconds": 2}

    answer = client.call("PUT", "/v1/webhookconfig/save", json=body | limits)

    events = [client.send() for _ in range(3)]
    for event_id in events:
        client.wait_for(event_id, "delivered")
    assert answer.status_code == 204
    assert receiver.requests("/in")[-1].received_at - receiver.requests("/in")[0].received_at > 1
