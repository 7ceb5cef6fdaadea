"""A config can be tried out with a sample of any type, and the answer tells all that came of it."""

import json
from typing import Any

import jsonschema_rs
import pytest

from shared.attempts import request
from shared.dialects import DIALECTS
from shared.dialects.payload import document
from shared.events import catalogue
from shared.events.models import TRACKING_TYPES
from shared.outbound.redaction import MASK
from tests.integration.world import Reply, World
from tests.local.receiver import Receiver
from tests.local.receiver import Reply as Said


def try_out(world: World, event_type: str = "node_execution", path: str = "") -> Reply:
    return world.call(
        "POST",
        f"/v1/webhookconfig/test{path}",
        {"event_type": event_type},
        query={"idWebhookConfig": "crm"},
    )


class TestATestEvent:
    @pytest.mark.parametrize("path", ["", "/"])
    def test_is_sent_at_once_signed_and_marked(
        self, world: World, receiver: Receiver, path: str
    ) -> None:
        secret = world.make_config(receiver.url("/in"))

        reply = try_out(world, path=path)

        (received,) = receiver.requests()
        assert (reply.status, reply.body["state"], reply.body["status_code"]) == (
            200,
            "delivered",
            200,
        )
        assert received.headers["X-Funnelhooks-Test"] == "true"
        told = received.headers["webhook-id"], int(received.headers["webhook-timestamp"])
        signed = request.signature_headers([secret], *told, received.body)
        assert received.headers["webhook-signature"] == signed["webhook-signature"]
        assert reply.body["request"]["body"].encode() == received.body
        assert reply.body["request"]["headers"]["webhook-signature"] == MASK
        assert reply.body["request_id"] == received.headers["webhook-id"]
        assert reply.body["timings_ms"]["total"] >= 0

    def test_leaves_no_trace(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500] * 10)
        world.make_config(receiver.url("/in"))
        before = world.items("ConfigTable"), world.items("EventTable")

        for _ in range(6):
            try_out(world)

        tables = world.items("ConfigTable"), world.items("EventTable")
        known = [[item["pk"] for item in items] for items in before]
        assert [[i["pk"] for i in items if i["pk"].startswith("W#")] for items in tables] == [
            [pk for pk in pks if pk.startswith("W#")] for pks in known
        ]
        assert world.depth("RetryQueue") == world.depth("DispatchQueue") == 0
        assert world.get("/v1/events").body["data"] == []

    def test_tells_what_an_endpoint_said_that_refused_it(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [Said(422, body=b"no such funnel")])
        world.make_config(receiver.url("/in"))

        shown = try_out(world).body

        assert (shown["state"], shown["status_code"], shown["cause"]) == (
            "failed",
            422,
            "http_status",
        )
        assert shown["response_excerpt"] == "no such funnel"

    def test_tells_that_nobody_was_there(self, world: World) -> None:
        world.make_config("http://127.0.0.1:9/in")

        shown = try_out(world).body

        assert (shown["state"], shown["status_code"], shown["cause"]) == ("failed", None, "connect")
        assert shown["detail"]

    def test_tries_a_config_that_is_disabled(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"), enabled=False)

        assert try_out(world).body["state"] == "delivered"

    @pytest.mark.parametrize(
        ("changes", "event_type", "status"),
        [
            ({"status": "deleted"}, "node_execution", 409),
            ({}, "lead.won", 400),
            ({}, "NO TYPE", 400),
        ],
    )
    def test_is_refused(
        self, world: World, receiver: Receiver, changes: Any, event_type: str, status: int
    ) -> None:
        world.make_config(receiver.url("/in"))
        world.save_config(receiver.url("/in"), **changes)

        assert try_out(world, event_type).status == status
        assert receiver.requests() == []

    def test_for_a_config_that_is_not_there_is_a_404(self, world: World) -> None:
        assert try_out(world).status == 404


class TestASample:
    @pytest.mark.parametrize("event_type", sorted(TRACKING_TYPES))
    def test_for_funnelflux_is_of_the_contract(
        self, world: World, receiver: Receiver, event_type: str
    ) -> None:
        world.make_config(receiver.url("/in"))

        try_out(world, event_type)

        (received,) = receiver.requests()
        schema = jsonschema_rs.Draft202012Validator(document())
        schema.validate(json.loads(received.body))

    @pytest.mark.parametrize("dialect", sorted(DIALECTS.keys() - {"funnelflux", "clickfunnels_v1"}))
    def test_there_is_of_every_type(self, world: World, receiver: Receiver, dialect: str) -> None:
        world.make_config(receiver.url("/in"), dialect=dialect)
        wanted = [*(entry.name for entry in catalogue.ENTRIES[::6]), "parcel/box.sent", "parcel"]

        shown = [try_out(world, event_type).body for event_type in wanted]

        assert {outcome["state"] for outcome in shown} == {"delivered"}
        assert len(receiver.requests()) == len(wanted)
