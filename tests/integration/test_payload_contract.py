"""FunnelFlux's three published payloads: sent in, each comes out as it is published."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from functions.configs.routes import public
from shared.dialects.payload import OutboundPayload
from tests import factories
from tests.fakes import NOW
from tests.integration.world import Reply, World
from tests.local.demo_samples import PUBLISHED, Sample
from tests.local.receiver import Received, Receiver

SCHEMA = "/schemas/webhook-outbound-payload-v1.schema.json"
MADE_ANEW = {"request_id", "timestamp"}
HEAD = MADE_ANEW | {"schema_version", "event_type"}


def accepted(world: World, values: Any) -> Reply:
    reply = world.call("POST", "/v1/events", values)
    assert reply.status == 202, reply
    return reply


def delivered(world: World, receiver: Receiver, values: Any) -> Received:
    accepted(world, values)
    world.fan_out()
    world.work("DispatchQueue")
    return receiver.requests()[-1]


def without(names: set[str], values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


@pytest.fixture
def config(world: World, receiver: Receiver) -> None:
    world.make_config(receiver.url("/in"))


@pytest.mark.usefixtures("config")
class TestAPublishedExample:
    @pytest.fixture(params=PUBLISHED, ids=lambda sample: sample.name)
    def sample(self, request: pytest.FixtureRequest) -> Sample:
        sample: Sample = request.param
        return sample

    def test_comes_out_as_it_is_published(
        self, world: World, receiver: Receiver, sample: Sample
    ) -> None:
        request = delivered(world, receiver, sample.json())

        sent = json.loads(request.body)
        assert without(MADE_ANEW, sent) == without(MADE_ANEW, sample.json())
        assert sent["timestamp"] == NOW
        assert sent["request_id"] != sample.json()["request_id"]

    def test_comes_out_valid(self, world: World, receiver: Receiver, sample: Sample) -> None:
        schema = json.loads(world.get(SCHEMA).body)

        request = delivered(world, receiver, sample.json())

        formats = Draft202012Validator.FORMAT_CHECKER
        Draft202012Validator(schema, format_checker=formats).validate(json.loads(request.body))
        OutboundPayload.model_validate_json(request.body)

    def test_comes_out_with_the_headers_that_are_published(
        self, world: World, receiver: Receiver, sample: Sample
    ) -> None:
        request = delivered(world, receiver, sample.json())

        sent = json.loads(request.body)
        own = {
            name: value for name, value in request.headers.items() if "funnelflux" in name.lower()
        }
        assert own == {
            "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
            "X-Funnelflux-Trigger-Type": sent["event_type"],
            "X-Funnelflux-Request-ID": sent["request_id"],
        }

    def test_that_its_receiver_sends_back_in_is_known(
        self, world: World, receiver: Receiver, sample: Sample
    ) -> None:
        first = accepted(world, sample.json())
        world.fan_out()
        world.work("DispatchQueue")
        (request,) = receiver.requests()

        again = accepted(world, request.body.decode())
        world.fan_out()
        world.work("DispatchQueue")

        assert again.body == first.body
        assert len(receiver.requests()) == 1


@pytest.mark.usefixtures("config")
class TestWhatGoesOut:
    def test_has_no_legacy_name(self, world: World, receiver: Receiver) -> None:
        values = {
            "event_type": "custom_event_triggered",
            "ref_hit": {"HitID": "hit_123", "NodeType": "offer", "VisitorTags": ["tag_abc123"]},
            "VisitorID": "visitor_123",
            "custom_event": {"CustomEventID": "hit_123_1", "Revenue": "4.50"},
            "EventNumber": 1,
        }

        request = delivered(world, receiver, values)

        assert without(HEAD, json.loads(request.body)) == {
            "visitor": {"visitor_id": "visitor_123"},
            "hit": {"hit_id": "hit_123", "node_type": "offer"},
            "visitor_tags": ["tag_abc123"],
            "custom_event": {"custom_event_id": "hit_123_1", "revenue": "4.50", "event_number": 1},
        }
        assert OutboundPayload.model_validate_json(request.body)

    def test_has_nothing_null_and_nothing_empty(self, world: World, receiver: Receiver) -> None:
        values: dict[str, Any] = {
            "event_type": "on_action",
            "visitor": {"ip": None},
            "hit": {"hit_id": "h", "tracking_fields": {}},
            "session": {},
            "visitor_tags": [],
            "url_buffer": None,
            "action_data": {},
        }

        request = delivered(world, receiver, values)

        sent = without(HEAD, json.loads(request.body))
        assert sent == {"hit": {"hit_id": "h"}, "action_data": {}}

    def test_says_when_it_was_built_and_not_when_it_happened(
        self, world: World, receiver: Receiver
    ) -> None:
        accepted(world, factories.event_json(occurred_at=5, timestamp=7))
        world.fan_out()
        world.clock.advance(60)

        world.work("DispatchQueue")

        (request,) = receiver.requests()
        assert json.loads(request.body)["timestamp"] == NOW + 60_000


class TestTheSchema:
    @pytest.mark.parametrize("path", [SCHEMA, f"{SCHEMA}/"])
    def test_is_read_without_a_key(self, world: World, path: str) -> None:
        reply = world.call("GET", path, key="none")

        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/schema+json"
        assert reply.body == public.PAYLOAD_SCHEMA.read_text()
