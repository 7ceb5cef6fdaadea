import base64

from shared.configs.models import BasicAuth, WebhookConfig
from shared.delivery import request, signing
from shared.dialects import DIALECTS
from tests import factories
from tests.factories import SECRET

BODY = b'{"a":1}'


def headers(config: WebhookConfig, timestamp_s: int = 1_777_485_855) -> dict[str, str]:
    dialect = DIALECTS[config.dialect]
    return request.headers(config, dialect, "on_action", factories.request_id(), BODY, timestamp_s)


def test_a_request_says_what_it_is_and_who_sent_it() -> None:
    sent, request_id = headers(factories.config()), str(factories.request_id())

    assert sent == {
        "Content-Type": "application/json",
        "User-Agent": "Funnelhooks/1",
        "X-Funnelflux-Payload-Schema": "webhook_outbound_payload_v1",
        "X-Funnelflux-Trigger-Type": "on_action",
        "X-Funnelflux-Request-ID": request_id,
        "webhook-id": request_id,
        "webhook-timestamp": "1777485855",
        "webhook-signature": signing.signature(SECRET, request_id, 1_777_485_855, BODY),
    }


def test_the_configs_own_headers_go_along() -> None:
    sent = headers(factories.config(headers={"X-Team": "growth", "Accept": "text/plain"}))

    assert sent["X-Team"] == "growth"
    assert sent["Accept"] == "text/plain"


def test_basic_auth_becomes_the_authorization_header() -> None:
    sent = headers(factories.config(basic_auth=BasicAuth(username="jo", password="pässword")))

    assert base64.b64decode(sent["Authorization"].removeprefix("Basic ")).decode() == "jo:pässword"


def test_only_signature_and_timestamp_differ_between_attempts() -> None:
    config = factories.config(headers={"X-Team": "growth"})

    first, second = headers(config, 1), headers(config, 2)

    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"webhook-timestamp", "webhook-signature"}
