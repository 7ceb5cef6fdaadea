import hashlib
import hmac
import json
from typing import Any
from uuid import UUID

import pytest

from shared.dialects import DIALECTS
from shared.events import accept
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

CLICKFUNNELS = DIALECTS["clickfunnels"]
V1 = DIALECTS["clickfunnels_v1"]
REQUEST = UUID("afa7f540-76d9-4bfe-a18d-4bc4d690ea56")

# Source: ClickFunnels, "How to Work with Webhooks", the payload of contact.identified (V2).
PUBLISHED: dict[str, Any] = {
    "data": {
        "id": 236296209,
        "tags": [],
        "uuid": "31cabea548c19c0495106323678abcac",
        "fb_url": None,
        "anonymous": 0,
        "last_name": "Dullan",
        "public_id": "BbBNRxw",
        "time_zone": None,
        "created_at": "2024-04-04T19:16:30.660Z",
        "first_name": "Bob",
        "updated_at": "2024-04-04T19:16:45.253Z",
        "twitter_url": None,
        "website_url": None,
        "linkedin_url": None,
        "phone_number": "+18472555555",
        "workspace_id": 42,
        "email_address": "bob@example.com",
        "instagram_url": None,
        "unsubscribed_at": None,
        "custom_attributes": {},
        "last_notification_email_sent_at": None,
    },
    "event_id": "123b4741-3f2d-431a-90d1-ddca0f4d6721",
    "event_type": "contact.identified",
    "subject_id": 236296209,
    "subject_type": "Contact",
    "created_at": "2024-04-04T19:16:31.000Z",
    "page_id": None,
    "funnel_id": None,
}


def as_sent_in(published: dict[str, Any]) -> dict[str, Any]:
    """The event that our API takes for what ClickFunnels sends."""
    values = {key: value for key, value in published.items() if value is not None}
    values["occurred_at"] = values.pop("created_at")
    return values


def body(values: dict[str, Any], dialect: str = "clickfunnels") -> bytes:
    event = accept.identify(accept.read(values), WORKSPACE, NOW)
    rendered = DIALECTS[dialect].render(event, factories.workspace(), REQUEST, NOW + 5)
    assert rendered.headers == {}
    return rendered.body


def test_the_published_payload_goes_out_byte_for_byte() -> None:
    published = json.dumps(PUBLISHED, separators=(",", ":"), ensure_ascii=False)

    assert body(as_sent_in(PUBLISHED)).decode() == published


def test_page_and_funnel_go_out_as_they_came_in() -> None:
    values = as_sent_in(PUBLISHED) | {"page_id": 7, "funnel_id": "fun_1"}

    sent = json.loads(body(values))

    assert (sent["page_id"], sent["funnel_id"]) == (7, "fun_1")


@pytest.mark.parametrize(
    ("event_type", "kind", "subject_id"),
    [
        ("conversion_triggered", "Conversion", "conv_123"),
        ("custom_event_triggered", "CustomEvent", "hit_123_1"),
        ("on_action", "Hit", "hit_123"),
        ("node_execution", "Hit", "hit_123"),
    ],
)
def test_a_tracking_event_has_the_contract_as_its_data(
    event_type: str, kind: str, subject_id: str
) -> None:
    values = factories.event_json(event_type)

    sent = json.loads(body(values))

    head = {"schema_version", "event_type", "request_id", "timestamp"}
    assert (sent["subject_type"], sent["subject_id"]) == (kind, subject_id)
    assert sent["funnel_id"] == values["funnel"]["funnel_id"]
    assert sent["data"] == {key: value for key, value in values.items() if key not in head}


def test_a_tracking_event_without_a_hit_has_no_subject_id() -> None:
    sent = json.loads(body({"event_type": "node_execution"}))

    assert (sent["subject_type"], sent["subject_id"], sent["data"]) == ("Hit", None, {})


def test_v1_wraps_the_data_as_a_resource() -> None:
    sent = json.loads(body(as_sent_in(PUBLISHED) | {"subject_type": "AppliedTag"}, V1.name))

    assert sent == {
        "data": {"id": "236296209", "type": "applied_tag", "attributes": PUBLISHED["data"]},
        "event_id": PUBLISHED["event_id"],
        "event_type": "contact.identified",
    }


def test_the_signature_is_over_time_and_body() -> None:
    secret, text = "a1" * 32, b'{"data":{}}'

    headers = CLICKFUNNELS.signature(secret, text, 1_712_258_191)

    digest = hmac.new(secret.encode(), b"1712258191." + text, hashlib.sha256).hexdigest()
    assert headers == {
        "X-Webhook-ClickFunnels-Timestamp": "1712258191",
        "X-Webhook-ClickFunnels-Signature": digest,
    }


@pytest.mark.parametrize("status", range(100, 600))
def test_success_is_exactly_what_the_table_lists(status: int) -> None:
    listed = status in {200, 201, 202, 203, 204, 205, 206, 207, 226}

    assert CLICKFUNNELS.is_success(status) == V1.is_success(status) == listed


def test_the_schedule_is_the_published_table() -> None:
    minute, hour = 60, 3_600

    assert CLICKFUNNELS.schedule == (
        1, 15, minute, 5 * minute, 15 * minute, hour, 12 * hour, 24 * hour
    )  # fmt: skip


def test_a_secret_is_64_hex_digits() -> None:
    assert len(bytes.fromhex(CLICKFUNNELS.new_secret())) == 32
