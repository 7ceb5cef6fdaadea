"""The payload contract on the deployed stack: its schema, and the published payloads."""

import json

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.local.demo_samples import PUBLISHED, Sample
from tests.local.receiver import Receiver, verify_standard_webhook
from tests.local.schema import text
from tests.local.stack import Stack
from tests.stack.client import PATIENCE_S, Client

SCHEMA = "/schemas/webhook-outbound-payload-v1.schema.json"
MADE_ANEW = {"request_id", "timestamp"}


@pytest.mark.parametrize("path", [SCHEMA, f"{SCHEMA}/"])
def test_the_schema_that_is_served_is_the_one_of_the_code(stack: Stack, path: str) -> None:
    answer = requests.get(stack.api_url + path, timeout=PATIENCE_S)

    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/schema+json"
    assert answer.text == text()


@pytest.mark.parametrize("sample", PUBLISHED, ids=lambda sample: sample.name)
def test_a_published_payload_comes_out_as_it_went_in_and_once(
    client: Client, receiver: Receiver, stack: Stack, sample: Sample
) -> None:
    schema = requests.get(stack.api_url + SCHEMA, timeout=PATIENCE_S).json()
    config = client.make_config(receiver.url("/hook"))

    first = client.call("POST", "/v1/events", json=sample.json())
    client.wait_for(first.json()["event_id"], "delivered")
    again = client.call("POST", "/v1/events", json=sample.json())
    marker = client.send()
    client.wait_for(marker, "delivered")

    received, _ = receiver.requests("/hook")
    sent = verify_standard_webhook(received, config.secret)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(sent)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert {name: sent[name] for name in sent.keys() - MADE_ANEW} == {
        name: value for name, value in sample.json().items() if name not in MADE_ANEW
    }
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["X-Funnelflux-Payload-Schema"] == "webhook_outbound_payload_v1"
    assert received.headers["X-Funnelflux-Trigger-Type"] == sent["event_type"]
    assert received.headers["X-Funnelflux-Request-ID"] == sent["request_id"]
    assert json.loads(received.body) == sent
