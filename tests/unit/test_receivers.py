"""The receivers can refuse: what they accept elsewhere says something."""

import hashlib
import hmac
import json
import socket
from typing import Any

import pytest

from tests.local.receiver import Receiver
from tests.receivers.clickfunnels import ClickFunnelsReceiver
from tests.receivers.flowestate import FlowEstateReceiver
from tests.receivers.funnelflux import FunnelFluxReceiver

NOW_S = 1_712_258_191
SECRET = "5f" * 32
CF_EVENT = {
    "data": {"id": 1},
    "event_id": "123b4741-3f2d-431a-90d1-ddca0f4d6721",
    "event_type": "contact.identified",
    "subject_id": 1,
    "subject_type": "Contact",
    "created_at": "2024-04-04T19:16:31.000Z",
    "page_id": None,
    "funnel_id": None,
}
FE_EVENT: dict[str, Any] = {
    "id": "evt_123b4741-3f2d-431a-90d1-ddca0f4d6721",
    "type": "lead.created",
    "createdAt": "2026-04-29T18:04:15.000Z",
    "organization": {"id": "1", "name": "Acme", "slug": "acme"},
    "data": {"lead": {"id": 1}},
}
FF_EVENT: dict[str, Any] = {
    "schema_version": "1.0",
    "event_type": "on_action",
    "request_id": "afa7f540-76d9-4bfe-a18d-4bc4d690ea56",
    "timestamp": 1,
}


def digest(text: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()


class TestClickFunnels:
    def receive(
        self,
        body: bytes,
        at: int = NOW_S,
        secret: str = SECRET,
        headers: dict[str, str] | None = None,
    ) -> int:
        signed = {
            "X-Webhook-ClickFunnels-Timestamp": str(at),
            "X-Webhook-ClickFunnels-Signature": digest(f"{at}.".encode() + body, secret),
        }
        return ClickFunnelsReceiver(SECRET, lambda: NOW_S).receive(signed | (headers or {}), body)

    def test_takes_what_is_signed(self) -> None:
        assert self.receive(json.dumps(CF_EVENT).encode()) == 201

    @pytest.mark.parametrize("at", [NOW_S - 601, NOW_S + 601])
    def test_refuses_another_time(self, at: int) -> None:
        assert self.receive(json.dumps(CF_EVENT).encode(), at) == 404

    @pytest.mark.parametrize("at", [NOW_S - 600, NOW_S + 600])
    def test_takes_what_is_just_in_time(self, at: int) -> None:
        assert self.receive(json.dumps(CF_EVENT).encode(), at) == 201

    @pytest.mark.parametrize("text", ["", "-1", "now", "1712258191.5"])
    def test_refuses_a_time_that_is_none(self, text: str) -> None:
        body = json.dumps(CF_EVENT).encode()

        assert self.receive(body, headers={"X-Webhook-ClickFunnels-Timestamp": text}) == 404

    def test_refuses_another_secret_and_another_body(self) -> None:
        body = json.dumps(CF_EVENT).encode()
        of_another = {"X-Webhook-ClickFunnels-Signature": digest(f"{NOW_S}.".encode() + b"{}")}

        assert self.receive(body, secret="6f" * 32) == 404
        assert self.receive(body, headers=of_another) == 404

    def test_refuses_a_time_that_was_not_signed(self) -> None:
        body = json.dumps(CF_EVENT).encode()
        moved = {"X-Webhook-ClickFunnels-Timestamp": str(NOW_S + 1)}

        assert self.receive(body, headers=moved) == 404

    def test_refuses_other_keys(self) -> None:
        assert self.receive(json.dumps(CF_EVENT | {"more": 1}).encode()) == 400

    def test_counts_a_repeat(self) -> None:
        receiver, body = ClickFunnelsReceiver(SECRET, lambda: NOW_S), json.dumps(CF_EVENT).encode()
        signed = {
            "X-Webhook-ClickFunnels-Timestamp": str(NOW_S),
            "X-Webhook-ClickFunnels-Signature": digest(f"{NOW_S}.".encode() + body),
        }

        assert [receiver.receive(signed, body) for _ in range(2)] == [201, 200]
        assert (len(receiver.events), receiver.repeats) == (1, 1)


class TestFlowEstate:
    def headers(self, body: bytes, secret: str = SECRET) -> dict[str, str]:
        return {
            "User-Agent": "FlowEstate-Webhook/1.0",
            "X-FlowEstate-Event": "lead.created",
            "X-FlowEstate-Delivery": "afa7f540-76d9-4bfe-a18d-4bc4d690ea56",
            "X-FlowEstate-Source": "ui",
            "X-FlowEstate-Signature": f"sha256={digest(body, secret)}",
        }

    def test_takes_what_is_signed_and_counts_a_repeat(self) -> None:
        receiver, body = FlowEstateReceiver(SECRET), json.dumps(FE_EVENT).encode()

        assert [receiver.receive(self.headers(body), body) for _ in range(2)] == [200, 200]
        assert (receiver.events, receiver.repeats) == ([FE_EVENT], 1)

    def test_refuses_another_secret_and_another_body(self) -> None:
        receiver, body = FlowEstateReceiver(SECRET), json.dumps(FE_EVENT).encode()

        assert receiver.receive(self.headers(body, "6f" * 32), body) == 401
        assert receiver.receive(self.headers(body), body + b" ") == 401
        assert receiver.receive({"User-Agent": "FlowEstate-Webhook/1.0"}, body) == 401
        assert receiver.events == []

    def test_refuses_another_agent_type_and_envelope(self) -> None:
        receiver, body = FlowEstateReceiver(SECRET), json.dumps(FE_EVENT).encode()
        other = json.dumps({**FE_EVENT, "more": 1}).encode()

        assert receiver.receive(self.headers(body) | {"User-Agent": "curl"}, body) == 400
        assert receiver.receive(self.headers(body) | {"X-FlowEstate-Event": "x"}, body) == 400
        assert receiver.receive(self.headers(other), other) == 400

    def test_leaves_alone_what_the_api_caused(self) -> None:
        receiver, body = FlowEstateReceiver(SECRET), json.dumps(FE_EVENT).encode()

        assert receiver.receive(self.headers(body) | {"X-FlowEstate-Source": "api"}, body) == 204
        assert receiver.events == []


class TestFunnelFlux:
    def headers(self) -> dict[str, str]:
        return {
            "X-Key": "right",
            "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
            "X-Funnelflux-Trigger-Type": "on_action",
            "X-Funnelflux-Request-ID": FF_EVENT["request_id"],
        }

    def receive(self, body: dict[str, Any], **headers: str) -> int:
        receiver = FunnelFluxReceiver("X-Key", "right")
        return receiver.receive(self.headers() | headers, json.dumps(body).encode())

    def test_takes_what_its_headers_say(self) -> None:
        assert self.receive(FF_EVENT) == 200

    def test_refuses_who_has_not_its_key(self) -> None:
        assert self.receive(FF_EVENT, **{"X-Key": "wrong"}) == 401

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("schema_version", "2.0"),
            ("event_type", "lead.created"),
            ("event_type", "node_execution"),
            ("request_id", "0f28c95f-a519-49af-879d-94fbe6650f1d"),
        ],
    )
    def test_refuses_what_its_headers_do_not_say(self, name: str, value: str) -> None:
        assert self.receive(FF_EVENT | {name: value}) == 400


def test_a_request_that_is_cut_off_is_none() -> None:
    with Receiver() as receiver:
        with socket.create_connection(("127.0.0.1", receiver.port)) as sender:
            sender.sendall(b"POST /in HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nhalf")
            sender.shutdown(socket.SHUT_WR)
            assert sender.recv(1) == b""

        assert receiver.requests() == []
