"""The demo judges rightly, and the sample events fit the code and each other."""

import hashlib
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from standardwebhooks import Webhook

from shared import ids
from shared.apis.funnelytics import rules
from shared.apis.funnelytics.events import Arrival, events
from shared.aws.items import from_item
from shared.deliveries.fanout import first_messages
from shared.deliveries.queue import AttemptMessage
from shared.events import accept
from shared.events.store import event_from
from tests.local import demo_check, demo_invoke
from tests.local.demo_api import Delivery
from tests.local.demo_check import Config, Expected, Result
from tests.local.demo_samples import FOLDER, SAMPLES, Outcome, Sample, webhook_config
from tests.local.receiver import Received

REQUEST = "afa7f540-76d9-4bfe-a18d-4bc4d690ea56"
SECRET = "whsec_" + "A" * 43 + "="
NODE_EXECUTION = SAMPLES[0]
CONFIG = Config("crm", "every event", webhook_config(), secret=SECRET)


def outcome_of(sample: Sample, event_id: str | None, outcome: Outcome | None = None) -> Expected:
    return Expected(CONFIG, sample, outcome or sample.outcomes[0], event_id, accepted_at=1.0)


def delivery(event_id: str, request_id: str = REQUEST, **more: Any) -> Delivery:
    values = {"state": "delivered", "attempt": 1, "next_attempt_at": None} | more
    return Delivery(event_id=event_id, request_id=request_id, **values)


def request(body: dict[str, Any], secret: str = SECRET, **headers: str) -> Received:
    """What a right delivery of `body` would look like."""
    sent = {"request_id": REQUEST} | body
    text, now = json.dumps(sent).encode(), datetime.now(UTC)
    own = {
        "webhook-id": sent["request_id"],
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(sent["request_id"], now, text.decode()),
        "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
        "X-Funnelflux-Trigger-Type": sent["event_type"],
        "X-Funnelflux-Request-ID": sent["request_id"],
        "X-Source": "funnelflux",
        "Authorization": "Basic dXNlcjpwYXNz",
    }
    return Received(
        method="POST",
        path="/crm",
        headers=CaseInsensitiveDict(own | headers),
        body=text,
        received_at=time.time(),
        monotonic=1.25,
        client_port=1,
    )


def right_result(**headers: str) -> Result:
    came = NODE_EXECUTION.json() | {"request_id": REQUEST, "timestamp": 1}
    return Result(
        outcome_of(NODE_EXECUTION, "event-1"), delivery("event-1"), (request(came, **headers),)
    )


def problems(result: Result) -> list[str]:
    return [problem for _, against in demo_check.CLAIMS for problem in against([result])]


def test_a_right_delivery_has_no_problems() -> None:
    result = right_result()

    assert result.is_there
    assert result.wait_ms == 250
    assert problems(result) == []


def test_what_did_not_arrive_is_named() -> None:
    result = Result(outcome_of(NODE_EXECUTION, "event-1"), None, ())

    assert problems(result) == [
        "node_execution → crm (“In-Flow Webhook Node”): did not arrive",
    ]


def test_a_delivery_in_another_state_is_named() -> None:
    result = replace(right_result(), delivery=delivery("event-1", state="waiting", attempt=2))

    (problem,) = problems(result)

    assert "is waiting after 2 attempts, not delivered" in problem


def test_a_wrong_signature_is_named() -> None:
    other = "whsec_" + "B" * 43 + "="
    result = right_result()
    wrong = replace(result, received=(request(demo_check.body(result.received[0]), other),))

    (problem,) = problems(wrong)

    assert problem.endswith("the signature of request 1 is wrong")


def test_a_wrong_header_is_named() -> None:
    problem, refusal = problems(right_result(**{"X-Funnelflux-Trigger-Type": "on_action"}))

    assert refusal.endswith("a receiver of funnelflux answers 400")
    assert "X-Funnelflux-Trigger-Type is 'on_action', not 'node_execution'" in problem


@pytest.mark.parametrize("dialect", ["flowestate", "clickfunnels"])
def test_what_a_receiver_of_its_system_refuses_is_named(dialect: str) -> None:
    result = right_result()
    config = replace(CONFIG, values=CONFIG.values | {"dialect": dialect})
    other = replace(result, expected=replace(result.expected, config=config))

    (problem,) = problems(other)

    assert f"a receiver of {dialect} answers 40" in problem


def test_a_webhook_that_came_twice_is_named() -> None:
    result = right_result()

    (problem,) = problems(replace(result, received=result.received * 2))

    assert problem.endswith("2 requests, 1 different bodies")


@pytest.mark.parametrize(
    ("came", "names"),
    [
        ({"a": 1, "request_id": "new", "timestamp": 2}, []),
        ({"a": True}, ["a"]),
        ({"a": 1.0}, ["a"]),
        ({}, ["a"]),
        ({"a": 1, "b": None}, ["b"]),
    ],
)
def test_json_that_differs_by_a_letter_differs(came: dict[str, Any], names: list[str]) -> None:
    assert demo_check.differing({"a": 1, "request_id": "old", "timestamp": 1}, came) == names


def test_a_native_event_is_found_by_its_id() -> None:
    expected = outcome_of(NODE_EXECUTION, "event-1")
    known = [delivery("event-2", "request-2"), delivery("event-1", "request-1")]

    (result,) = demo_check.match([expected], {CONFIG.id: known}, [])

    assert result.delivery == known[1]


def test_items_of_a_purchase_are_told_apart_by_their_facts() -> None:
    purchases = next(sample for sample in SAMPLES if sample.name == "purchases")
    expected = [outcome_of(purchases, None, outcome) for outcome in purchases.outcomes]
    received = [
        request(
            {
                "event_type": "conversion_triggered",
                "request_id": f"request-{number}",
                "conversion": {"conversion_id": "fny-1"} | dict(outcome.facts),
            }
        )
        for number, outcome in enumerate(purchases.outcomes)
    ]
    known = [delivery("fny-2", "request-1"), delivery("fny-1", "request-0")]

    results = demo_check.match(expected, {CONFIG.id: known}, received)

    assert [r.delivery and r.delivery.request_id for r in results] == ["request-0", "request-1"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_payload_is_accepted_and_makes_what_is_expected(sample: Sample) -> None:
    if sample.action is None:
        made = [accept.read(sample.json())]
    else:
        arrival = Arrival(visitor_id="visitor", event_id="fny", at_ms=1)
        made = events(rules.read(sample.action, sample.json()), arrival)

    payloads = [{"event_type": event.event_type} | event.payload() for event in made]

    assert [payload["event_type"] for payload in payloads] == [
        outcome.event_type for outcome in sample.outcomes
    ]
    for payload, outcome in zip(payloads, sample.outcomes, strict=True):
        extension = payload.get("conversion") or payload.get("custom_event") or {}
        assert outcome.facts.items() <= extension.items()


def test_the_samples_of_the_functions_are_one_story() -> None:
    (record,) = sample("fanout_stream")["Records"]
    event = event_from(from_item(record["dynamodb"]["NewImage"]))
    direct = sample("ingest_direct")

    named = event.model_copy(update={"config_ids": (demo_invoke.CONFIG_ID,)})
    (pointer,) = first_messages(named, lambda *_: [])

    assert event.workspace_id == direct.pop("workspace_id") == demo_invoke.WORKSPACE_ID
    assert event.event_id == direct["event_id"] == demo_invoke.EVENT_ID
    accepted = accept.identify(accept.read(direct), event.workspace_id, event.accepted_at)
    kept = {"expires_at": event.expires_at}
    assert accepted.model_copy(update=kept) == event
    assert pointers("dispatch_sqs") == [pointer]
    assert pointers("retry_sqs") == [pointer.model_copy(update={"attempt": 2})]
    path = sample("deliveries_http")["rawPath"]
    assert path == f"/v1/deliveries/{pointer.request_id}"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*_sqs.json")), ids=lambda path: path.name)
def test_messages_carry_their_checksum(path: Path) -> None:
    for record in json.loads(path.read_text())["Records"]:
        digest = hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
        assert record["md5OfBody"] == digest


def test_a_sample_for_another_workspace_points_to_its_own_delivery() -> None:
    text = (FOLDER / "dispatch_sqs.json").read_text()

    (record,) = json.loads(demo_invoke.localised(text, "workspace-2", "key-2"))["Records"]
    pointer = AttemptMessage.model_validate_json(record["body"])

    event_key = ids.event_key("workspace-2", demo_invoke.EVENT_ID)
    assert pointer.workspace_id == "workspace-2"
    assert pointer.request_id == ids.request_id(event_key, demo_invoke.CONFIG_ID)


def sample(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def pointers(name: str) -> list[AttemptMessage]:
    return [
        AttemptMessage.model_validate_json(record["body"]) for record in sample(name)["Records"]
    ]
