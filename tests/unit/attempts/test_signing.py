import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import WebhookVerificationError

from shared import ids
from shared.apis.funnelflux import mapping
from shared.attempts import request
from shared.configs.models import WebhookConfig
from shared.dialects import Rendered
from tests import factories

# The second wraps the first since its version 2, and reads the headers in its own way.
LIBRARIES = [standardwebhooks.Webhook, svix.webhooks.Webhook]
HOUR_MS = 3_600_000
SECRETS = st.binary(min_size=24, max_size=64).map(
    lambda key: "whsec_" + base64.b64encode(key).decode()
)
any_library = pytest.mark.parametrize("library", LIBRARIES, ids=["standardwebhooks", "svix"])
Library = Callable[[str], Any]


@pytest.mark.parametrize("prefix", ["whsec_", ""])
def test_the_published_example_comes_out_as_published(prefix: str) -> None:
    """Source: the test "sign function works" of every library of standard-webhooks on GitHub
    (libraries/javascript/src/webhook.test.ts), and docs.svix.com, "How to verify webhooks".
    """
    signature = request.signature(
        prefix + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        b'{"test": 2432232314}',
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_headers_carry_what_was_signed() -> None:
    headers = request.signature_headers(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], "msg_1", 1_614_265_330, b"{}"
    )

    assert headers["webhook-id"] == "msg_1"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"].startswith("v1,")


class TestALibrary:
    @any_library
    @given(secret=SECRETS, values=st.dictionaries(st.text(), st.text(), max_size=5))
    def test_accepts_any_body(self, library: Library, secret: str, values: dict[str, str]) -> None:
        body = json.dumps(values).encode()

        headers = request.signature_headers([secret], "msg_1", int(time.time()), body)

        library(secret).verify(body, headers)

    @any_library
    @given(secrets=st.lists(SECRETS, min_size=1, max_size=4))
    def test_accepts_each_of_several_secrets(self, library: Library, secrets: list[str]) -> None:
        headers = request.signature_headers(secrets, "msg_1", int(time.time()), b"{}")

        for secret in secrets:
            library(secret).verify(b"{}", headers)

    @any_library
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("webhook-id", "msg_2"),
            ("webhook-timestamp", "a minute ago"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
    )
    def test_refuses_what_was_not_signed(self, library: Library, name: str, value: str) -> None:
        secret, now = ids.new_signing_secret(), int(time.time())
        headers = request.signature_headers([secret], "msg_1", now, b"{}")
        value = str(now - 60) if value == "a minute ago" else value

        with pytest.raises(WebhookVerificationError):
            library(secret).verify(b"{}", headers | {name: value})

    @any_library
    def test_refuses_another_body(self, library: Library) -> None:
        secret = ids.new_signing_secret()
        headers = request.signature_headers([secret], "msg_1", int(time.time()), b'{"amount": 1}')

        with pytest.raises(WebhookVerificationError):
            library(secret).verify(b'{"amount": 2}', headers)

    @any_library
    def test_takes_a_new_secret_of_ours(self, library: Library) -> None:
        secret = ids.new_signing_secret()

        assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
        library(secret)


class TestRotation:
    """As the API does it, with the headers that the next attempt sends."""

    @pytest.fixture
    def now(self) -> int:
        return int(time.time()) * 1000

    @any_library
    def test_lets_either_secret_verify_while_they_overlap(self, library: Library, now: int) -> None:
        first = factories.config()
        second = mapping.rotated(first, 24, now - 24 * HOUR_MS + 1)

        for config in (first, second):
            library(config.secret).verify(b"{}", self._headers(second, now))

    @any_library
    def test_ends_with_the_overlap(self, library: Library, now: int) -> None:
        first = factories.config()
        second = mapping.rotated(first, 24, now - 24 * HOUR_MS)

        headers = self._headers(second, now)

        library(second.secret).verify(b"{}", headers)
        with pytest.raises(WebhookVerificationError):
            library(first.secret).verify(b"{}", headers)

    @any_library
    def test_without_overlap_ends_the_old_secret_at_once(self, library: Library, now: int) -> None:
        first = factories.config()

        headers = self._headers(mapping.rotated(first, 0, now), now)

        with pytest.raises(WebhookVerificationError):
            library(first.secret).verify(b"{}", headers)

    @any_library
    def test_may_come_again_before_the_last_one_is_over(self, library: Library, now: int) -> None:
        first = factories.config()
        second = mapping.rotated(first, 24, now - 2 * HOUR_MS)
        third = mapping.rotated(second, 24, now - HOUR_MS)

        headers = self._headers(third, now)

        assert len(headers["webhook-signature"].split(" ")) == 3
        for config in (first, second, third):
            library(config.secret).verify(b"{}", headers)

    def _headers(self, config: WebhookConfig, now: int) -> dict[str, str]:
        return request.prepare(config, factories.request_id(), Rendered(b"{}", {}), now).headers


def test_several_signatures_stand_in_the_order_of_their_secrets() -> None:
    secrets = [ids.new_signing_secret(), ids.new_signing_secret()]

    headers = request.signature_headers(secrets, "msg_1", 1_614_265_330, b"{}")

    assert headers["webhook-signature"].split(" ") == [
        request.signature(secret, "msg_1", 1_614_265_330, b"{}") for secret in secrets
    ]
