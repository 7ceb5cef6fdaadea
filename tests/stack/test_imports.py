"""Files of events from S3 to the receiver, by the bucket, rule and queue of the template."""

import gzip
import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.receiver import Receiver
from tests.local.stack import Stack
from tests.stack.client import Client, until

MANY = 500


def upload(stack: Stack, key: str, content: bytes) -> None:
    stack.client("s3").put_object(Bucket=stack.outputs["ImportBucketName"], Key=key, Body=content)


def report(stack: Stack, key: str, state: str = "done") -> dict[str, Any]:
    """What lies beside the object, once the import is in `state`."""
    found: dict[str, Any] = {}

    def is_there() -> bool:
        nonlocal found
        try:
            answer = stack.client("s3").get_object(
                Bucket=stack.outputs["ImportBucketName"], Key=f"{key}.report.json"
            )
        except ClientError:
            return False
        found = json.loads(answer["Body"].read())
        return bool(found["state"] == state)

    until(is_there, f"{key} is {state}")
    return found


def line(**fields: Any) -> bytes:
    return json.dumps({"event_type": "node_execution"} | fields).encode() + b"\n"


def test_a_file_becomes_events_and_deliveries(
    stack: Stack, client: Client, receiver: Receiver
) -> None:
    client.make_config(receiver.url("/in"))
    key = f"{client.workspace_id}/orders.jsonl"

    upload(stack, key, line(event_id="a") + b"{\n" + line(event_id="b"))

    shown = report(stack, key)
    assert (shown["accepted"], shown["repeated"], shown["refused"]) == (2, 0, 1)
    assert shown["refused_lines"][0]["line"] == 2
    client.wait_for("a", "delivered")
    client.wait_for("b", "delivered")
    assert len(receiver.requests("/in")) == 2


def test_a_packed_file_is_imported(stack: Stack, client: Client) -> None:
    key = f"{client.workspace_id}/orders.jsonl.gz"
    content = b"".join(line(event_id=f"e{number}") for number in range(MANY))
    started = time.monotonic()

    upload(stack, key, gzip.compress(content))

    shown = report(stack, key)
    assert (shown["accepted"], shown["lines"]) == (MANY, MANY)
    print(f"{MANY} lines in {time.monotonic() - started:.1f} s")


def test_a_file_that_is_uploaded_twice_adds_nothing(stack: Stack, client: Client) -> None:
    key, content = f"{client.workspace_id}/orders.jsonl", line() * 3
    upload(stack, key, content)
    first = report(stack, key)

    upload(stack, key, content)
    until(lambda: report(stack, key)["started_at"] > first["started_at"], "it is read again")

    assert report(stack, key)["accepted"] == first["accepted"] == 3
    assert len(client.call("GET", "/v1/events").json()["data"]) == 3


def test_a_file_of_no_workspace_says_so_in_its_report(stack: Stack) -> None:
    upload(stack, "unknown/orders.jsonl", line())

    assert "workspace" in report(stack, "unknown/orders.jsonl", "failed")["reason"]


def test_the_function_may_write_reports_and_nothing_else(stack: Stack) -> None:
    policies = stack.client("iam").list_roles()["Roles"]
    (role,) = (one["RoleName"] for one in policies if "ImportsRole" in one["RoleName"])
    document = stack.client("iam").get_role_policy(RoleName=role, PolicyName="imports")

    written = [
        statement["Resource"]
        for statement in document["PolicyDocument"]["Statement"]
        if "s3:PutObject" in statement["Action"]
    ]
    assert written == [f"arn:aws:s3:::{stack.outputs['ImportBucketName']}/*.report.json"]


@pytest.mark.parametrize("key", ["{}/orders.json", "{}/orders.jsonl.report.json", "{}/notes.txt"])
def test_other_files_start_no_import(stack: Stack, client: Client, key: str) -> None:
    named = key.format(client.workspace_id)
    upload(stack, named, line())
    upload(stack, f"{client.workspace_id}/after.jsonl", line(event_id="after"))

    report(stack, f"{client.workspace_id}/after.jsonl")

    listed = client.call("GET", "/v1/events").json()["data"]
    assert [event["event_id"] for event in listed] == ["after"]
