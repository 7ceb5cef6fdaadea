"""What the functions log: one wide line for each attempt, and nothing that is nobody's business."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest

from shared.observability import logger
from tests import factories
from tests.integration.world import World
from tests.local.receiver import Receiver, Reply

SECRETS = {
    "api key in a header": "tok_live_4cf7",
    "password": "correct-horse",
    "query of the URL": "sesame-in-the-url",
    "e-mail": "alice@example.com",
    "address": "203.0.113.42",
    "order": "order_123",
    "answer of the receiver": "Dear Alice",
    "broken input": "hunter2",
}


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the functions write to their log, exactly."""
    written = io.StringIO()
    before = logger.registered_handler.setStream(written)  # type: ignore[attr-defined]
    yield written
    logger.registered_handler.setStream(before)  # type: ignore[attr-defined]


def parsed(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_an_attempt_is_one_wide_line(world: World, receiver: Receiver, lines: io.StringIO) -> None:
    receiver.script("/in", [503])
    world.make_config(receiver.url("/in"))

    event_id = world.deliver()

    (line,) = [line for line in parsed(lines) if line["message"] == "attempt.settled"]
    expected = {
        "workspace_id": world.workspace_id,
        "config_id": "crm",
        "event_id": event_id,
        "event_type": "node_execution",
        "request_id": world.request_id(event_id),
        "attempt": 1,
        "succeeded": False,
        "status_code": 503,
        "cause": "http_status",
        "next_wait_ms": 1000,
        "next_reason": "attempt_failed",
        "trigger": "schedule",
        "dialect": "funnelflux",
        "failed": 1,
    }
    assert expected.items() <= line.items()
    assert line["lateness_ms"] == line["time_to_first_attempt_ms"] >= 0
    assert "exhausted" not in line
    assert line["total_ms"] >= 0


def test_a_whole_run_tells_no_secret_and_no_payload(
    world: World, receiver: Receiver, lines: io.StringIO, caplog: pytest.LogCaptureFixture
) -> None:
    url = receiver.url("/in") + "?token=" + SECRETS["query of the URL"]
    receiver.script("/in", [Reply(500, body=b"Dear Alice")])
    signing_secret = world.make_config(
        url,
        headers={"X-Api-Key": SECRETS["api key in a header"]},
        basicAuth={"username": "jo", "password": SECRETS["password"]},
    )

    for event_type in ("conversion_triggered", "on_action", "node_execution"):
        world.deliver(event_type=event_type)
    world.wait(1)
    receiver.stop()
    world.deliver()
    world.sweep()
    go_wrong_everywhere(world)

    signatures = [request.headers["webhook-signature"] for request in receiver.requests()]
    written = lines.getvalue() + caplog.text
    assert len(receiver.requests()) == 4
    assert "attempt.settled" in written
    assert "record.failed" in written
    for secret in [*SECRETS.values(), world.key, signing_secret, *signatures]:
        assert secret not in written


def metrics_of(line: dict[str, Any]) -> dict[str, tuple[list[str], str]]:
    """Each metric's dimensions and unit, as CloudWatch reads them out of a line."""
    embedded = line["_aws"]
    assert embedded.keys() == {"Timestamp", "CloudWatchMetrics"}
    found = {}
    for part in embedded["CloudWatchMetrics"]:
        assert part.keys() == {"Namespace", "Dimensions", "Metrics"}
        (dimensions,) = part["Dimensions"]
        assert all(isinstance(line[name], str) for name in dimensions)
        for metric in part["Metrics"]:
            assert isinstance(line[metric["Name"]], int)
            found[metric["Name"]] = (dimensions, metric["Unit"])
    return found


def test_the_flow_is_measured_by_the_lines_that_are_written_anyway(
    world: World, receiver: Receiver, lines: io.StringIO
) -> None:
    receiver.script("/in", [503])
    world.make_config(receiver.url("/in"), retrySchedule=[1])
    world.send(event_id="one")
    world.send(event_id="one")
    world.call("POST", "/v1/events", factories.event_json(visitor={"nick": 1}))
    world.call("POST", "/v1/events", factories.event_json(), key="fh_nobodys")
    world.fan_out()
    world.work("DispatchQueue")
    world.wait(1)

    measured = [(line["message"], metrics_of(line)) for line in parsed(lines) if "_aws" in line]
    by_message = dict(measured)
    service, lateness = ["service"], (["service"], "Milliseconds")
    assert by_message["event.accepted"] == {"accepted": (service, "Count")}
    assert by_message["event.repeated"] == {"duplicates": (service, "Count")}
    assert by_message["refused"] == {"refused": (["service", "reason"], "Count")}
    assert by_message["fanned_out"] == {"fanned_out": (service, "Count")}
    failed, delivered = [found for message, found in measured if message == "attempt.settled"]
    assert failed == {
        "failed": (["service", "cause"], "Count"),
        "lateness_ms": lateness,
        "time_to_first_attempt_ms": lateness,
    }
    assert delivered == {"delivered": (service, "Count"), "lateness_ms": lateness}
    refused = [line["reason"] for line in parsed(lines) if line["message"] == "refused"]
    assert refused == ["invalid", "unauthenticated"]


def test_the_id_of_an_answer_leads_to_the_attempt(
    world: World, receiver: Receiver, lines: io.StringIO
) -> None:
    world.make_config(receiver.url("/in"))

    event_id = world.deliver()

    found = {line["message"]: line for line in parsed(lines) if line.get("event_id") == event_id}
    assert found.keys() == {"event.accepted", "attempt.settled"}
    assert found["event.accepted"]["correlation_id"]


def go_wrong_everywhere(world: World) -> None:
    """Broken input on every road."""
    world.call("POST", "/v1/events", factories.event_json(visitor={"ip": ["hunter2"]}))
    world.call("POST", "/v1/events", '{"event_type": "hunter2')
    world.call("POST", "/v1/webhookconfig/save", {"idWebhookConfig": "hunter2 hunter2"})
    world.call("GET", "/v1/events", key="fh_hunter2")
    world.call("POST", "/api/v1/webhook/Demo", {"a": ["hunter2"]}, headers={"x-api-key": "hunter2"})
    world.put_message("IntakeQueue", '{"workspace_id": "hunter2"}')
    world.put_message("IntakeQueue", "hunter2")
    world.work("IntakeQueue")
    world.put_message("DispatchQueue", {"workspace_id": "hunter2"})
    world.work("DispatchQueue")


def test_a_record_of_the_stream_that_cannot_be_read_comes_back_alone_and_untold(
    world: World, receiver: Receiver, lines: io.StringIO
) -> None:
    world.make_config(receiver.url("/in"))
    world.send(event_id="good-1")
    world.send(event_id="broken", visitor={"city": "hunter2"})
    world.send(event_id="good-2")
    records = world.stream()
    del records[1]["dynamodb"]["NewImage"]["fingerprint"]

    answer = world.invoke("fanout", {"Records": records})
    world.work("DispatchQueue")

    sequence_number = records[1]["dynamodb"]["SequenceNumber"]
    assert answer == {"batchItemFailures": [{"itemIdentifier": sequence_number}]}
    assert len(receiver.requests()) == 2
    assert "hunter2" not in lines.getvalue()


def test_a_fault_behind_the_api_is_told_by_its_place(
    world: World, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("shared.events.store.EventStore.add", broken)
    world.call("POST", "/v1/events", factories.event_json())

    (line,) = parsed(lines)
    assert (line["message"], line["error"]) == ("request.failed", "RuntimeError")
    assert line["faults"] == 1
    assert "test_log_lines.py" in line["at"][-1]
    assert "hunter2" not in lines.getvalue()
