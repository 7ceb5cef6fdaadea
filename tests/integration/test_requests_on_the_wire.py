"""What a receiver gets of a prepared request, and whether it can check the signatures."""

import json
import socket
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from shared import ids
from shared.attempts import request
from shared.clock import now_ms
from shared.configs.models import OldSecret, TargetType, WebhookConfig
from shared.dialects import Rendered
from shared.outbound.response import Cause, Response
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests import factories
from tests.factories import SECRET
from tests.fakes import NOW
from tests.integration.world import World
from tests.local.receiver import Received, Receiver, verify_standard_webhook

ROLE = Credentials("role-key", "role-secret", "role-token")
FUNCTION_HOST = "abc123.lambda-url.eu-central-1.on.aws"
BODY = json.dumps(
    {
        "visitor": {"visitor_id": "visitor_1", "city": "Zürich"},
        "url_buffer": {"q": "a+b c&d=é/{hit}", "evil": "x\r\nX-Evil: 1", "long": "x" * 3000},
    }
).encode()


@pytest.fixture
def function_url(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> str:
    """A function URL whose name leads to the receiver."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda _, port, **options: real("127.0.0.1", port, **options)
    )
    return f"http://{FUNCTION_HOST}:{receiver.port}"


def send(config: WebhookConfig, now: int) -> Response:
    prepared = request.prepare(config, factories.request_id(), Rendered(BODY, {}), now)
    with Sender(Policy(allow_private=True)) as sender:
        return sender.post(prepared.url, prepared.headers, BODY)


def lambda_config(url: str, **changes: Any) -> WebhookConfig:
    return factories.config(
        url=url, target_type=TargetType.AWS_LAMBDA, aws_iam_auth=True, **changes
    )


def expected_authorization(received: Received, credentials: Credentials) -> str:
    """Signed anew from what came over the wire, its query decoded as a server does it."""
    signed_names = received.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0]
    path, _, query = received.path.partition("?")
    again = AWSRequest(
        received.method,
        f"https://{received.headers['Host']}{path}",
        headers={name: received.headers[name] for name in signed_names.split(";")},
        data=received.body,
        params=cast(Any, parse_qsl(query, keep_blank_values=True)),
    )
    again.context["timestamp"] = received.headers["X-Amz-Date"]
    signer = SigV4Auth(credentials, "lambda", "eu-central-1")
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(again)}, "
        f"SignedHeaders={signed_names}, Signature={signer.signature(text, again)}"
    )


class TestPlaceholders:
    def test_arrive_as_values_of_the_query_and_of_headers(self, receiver: Receiver) -> None:
        config = factories.config(
            url=receiver.url("/in?q={data-q}&none={data-none}&json={%22a%22:1}"),
            headers={"X-Visitor": "{visitor} {visitor.city}", "X-Evil-Not": "{data-evil}"},
        )

        send(config, NOW)

        (received,) = receiver.requests()
        assert urlsplit(received.path).path == "/in"
        assert parse_qsl(urlsplit(received.path).query, keep_blank_values=True) == [
            ("q", "a+b c&d=é/{hit}"),
            ("none", ""),
            ("json", '{"a":1}'),
        ]
        assert received.headers["X-Visitor"] == "visitor_1 Z%C3%BCrich"
        assert received.headers["X-Evil-Not"] == "xX-Evil: 1"
        assert "X-Evil" not in received.headers

    def test_that_make_the_url_too_long_are_a_failed_attempt(self, receiver: Receiver) -> None:
        answer = send(factories.config(url=receiver.url("/?q={data-long}")), NOW)

        assert answer.cause is Cause.REFUSED_ADDRESS
        assert answer.detail == "the URL is longer than 2048 characters"
        assert receiver.requests() == []

    def test_fill_in_alike_at_a_later_attempt(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(
            receiver.url("/in?c={data-campaign}&t={timestamp}"), headers={"X-Hit": "{hit}"}
        )

        event_id = world.deliver()
        world.forget(event_id)
        world.wait(1)

        first, second = receiver.requests()
        sent = json.loads(first.body)
        assert first.path == second.path == f"/in?c=spring_sale&t={sent['timestamp']}"
        assert first.headers["X-Hit"] == second.headers["X-Hit"] == "hit_123"

    def test_that_no_url_can_hold_are_in_the_log(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in?c={data-campaign}"))

        event_id = world.deliver(url_buffer={"campaign": "x" * 3000})

        (attempt,) = world.delivery(event_id)["attempts"]
        assert (attempt["cause"], attempt["status_code"]) == ("refused_address", None)
        assert world.state(event_id) == "waiting"


class TestSignatures:
    def test_of_two_secrets_can_be_verified_with_either(self, receiver: Receiver) -> None:
        now, old = now_ms(), ids.new_signing_secret()
        overlap = OldSecret(secret=old, signs_until=now + 1)

        send(factories.config(url=receiver.url(), old_secrets=(overlap,)), now)

        (received,) = receiver.requests()
        for secret in (SECRET, old):
            assert verify_standard_webhook(received, secret) == json.loads(BODY)


class TestIam:
    @pytest.fixture(autouse=True)
    def _role(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shared.aws.clients.credentials", lambda: ROLE)

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "/in",
            "/in/%7euser/a%20b/%c3%a9/",
            "/a/./b/../c",
            "/?q={data-q}&v={visitor}",
            "/?b=2&a=1&a=0&flag",
            "/?a=b+c&d=%2b&e=/:@~*'()",
            "/?json={%22a%22:1}",
        ],
    )
    def test_covers_what_arrives(self, receiver: Receiver, function_url: str, path: str) -> None:
        config = lambda_config(
            function_url + path,
            headers={"X-Team": "a  b", "Accept": "text/plain", "X-Visitor": "{visitor.city}"},
        )

        send(config, NOW)

        (received,) = receiver.requests()
        assert received.body == BODY
        assert received.headers["X-Amz-Security-Token"] == "role-token"
        assert received.headers["Authorization"] == expected_authorization(received, ROLE)

    def test_covers_host_body_and_all_that_the_config_says(
        self, receiver: Receiver, function_url: str
    ) -> None:
        send(lambda_config(function_url, headers={"X-Team": "growth"}), NOW)

        (received,) = receiver.requests()
        names = received.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0]
        assert {
            "content-type",
            "host",
            "webhook-id",
            "webhook-signature",
            "webhook-timestamp",
            "x-amz-date",
            "x-amz-security-token",
            "x-team",
        } <= set(names.split(";"))
        assert (
            expected_authorization(received, Credentials("role-key", "another"))
            != (received.headers["Authorization"])
        )

    def test_leaves_the_webhook_signature_as_it_is(
        self, receiver: Receiver, function_url: str
    ) -> None:
        send(lambda_config(function_url), now_ms())

        verify_standard_webhook(receiver.requests()[0], SECRET)
