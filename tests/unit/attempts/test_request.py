import base64
import json

import pytest
from botocore.credentials import Credentials

from shared import ids
from shared.attempts import request
from shared.attempts.request import Prepared
from shared.configs.models import BasicAuth, OldSecret, TargetType, WebhookConfig
from shared.dialects import Rendered
from tests import factories
from tests.factories import SECRET
from tests.fakes import NOW

BODY = b'{"visitor":{"visitor_id":"visitor 1"}}'
FUNCTION_URL = "https://abc123.lambda-url.eu-central-1.on.aws/in"


def prepare(config: WebhookConfig, now: int = NOW) -> Prepared:
    return request.prepare(
        config, factories.request_id(), Rendered(BODY, {"X-Kept": "as it was"}), now
    )


def signatures(config: WebhookConfig, now: int = NOW) -> list[str]:
    return prepare(config, now).headers["webhook-signature"].split(" ")


def signature(secret: str, now: int = NOW) -> str:
    return request.signature(secret, str(factories.request_id()), now // 1000, BODY)


def test_a_request_says_what_it_is_and_who_sent_it() -> None:
    url, headers = prepare(factories.config())

    assert url == "https://hooks.example.com/in"
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": "Funnelhooks/1",
        "X-Kept": "as it was",
        "webhook-id": str(factories.request_id()),
        "webhook-timestamp": "1777485855",
        "webhook-signature": signature(SECRET),
    }


def test_the_configs_own_headers_go_along() -> None:
    sent = prepare(factories.config(headers={"X-Team": "growth", "Accept": "text/plain"})).headers

    assert sent["X-Team"] == "growth"
    assert sent["Accept"] == "text/plain"


def test_placeholders_in_the_configs_url_and_headers_are_filled_in() -> None:
    url, headers = prepare(
        factories.config(url="https://example.com/?v={visitor}", headers={"X-V": "{visitor}"})
    )

    assert url == "https://example.com/?v=visitor%201"
    assert headers["X-V"] == "visitor 1"


def test_basic_auth_becomes_the_authorization_header() -> None:
    sent = prepare(
        factories.config(basic_auth=BasicAuth(username="{visitor}", password="pässword"))
    ).headers

    pair = base64.b64decode(sent["Authorization"].removeprefix("Basic ")).decode()
    assert pair == "{visitor}:pässword"


def test_only_signature_and_timestamp_differ_between_attempts() -> None:
    config = factories.config(headers={"X-Team": "growth"})

    first, second = prepare(config, NOW), prepare(config, NOW + 1000)

    changed = {name for name in first.headers if first.headers[name] != second.headers[name]}
    assert changed == {"webhook-timestamp", "webhook-signature"}
    assert first.url == second.url


class TestARotatedSecret:
    OLD = ids.new_signing_secret()
    CONFIG = factories.config(old_secrets=(OldSecret(secret=OLD, signs_until=NOW + 1000),))

    def test_signs_after_the_new_one_until_its_time_is_over(self) -> None:
        assert signatures(self.CONFIG, NOW + 999) == [
            signature(SECRET, NOW + 999),
            signature(self.OLD, NOW + 999),
        ]

    def test_signs_no_more_from_then_on(self) -> None:
        assert signatures(self.CONFIG, NOW + 1000) == [signature(SECRET, NOW + 1000)]


class TestIam:
    @pytest.fixture(autouse=True)
    def _role(self, monkeypatch: pytest.MonkeyPatch) -> None:
        role = Credentials("role-key", "role-secret", "role-token")
        monkeypatch.setattr("shared.aws.clients.credentials", lambda: role)

    def config(self, **changes: object) -> WebhookConfig:
        values = {"url": FUNCTION_URL, "target_type": TargetType.AWS_LAMBDA, "aws_iam_auth": True}
        return factories.config(**values | changes)

    def test_signs_what_goes_to_a_function_url(self) -> None:
        sent = prepare(self.config()).headers

        assert sent["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=role-key/")
        assert "/eu-central-1/lambda/aws4_request" in sent["Authorization"]
        assert sent["X-Amz-Security-Token"] == "role-token"
        assert sent["webhook-signature"] == signature(SECRET)

    def test_replaces_any_other_authorization(self) -> None:
        basic = BasicAuth(username="jo", password="password")

        sent = prepare(self.config(basic_auth=basic, headers={"x-amz-date": "1"})).headers

        values = json.dumps(list(sent.values()))
        assert [name.lower() for name in sent].count("x-amz-date") == 1
        assert "Basic " not in values

    @pytest.mark.parametrize(
        "url",
        ["https://example.com/", "https://abc123.lambda-url.eu-central-1.on.aws@example.com/"],
    )
    def test_signs_for_nobody_but_lambda(self, url: str) -> None:
        sent = prepare(self.config(url=url))

        assert sent.url == url
        assert "Authorization" not in sent.headers
        assert "X-Amz-Security-Token" not in sent.headers

    def test_is_asked_for_or_not_done(self) -> None:
        assert "Authorization" not in prepare(self.config(aws_iam_auth=False)).headers
