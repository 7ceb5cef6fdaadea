import hashlib
import hmac
import json
from typing import Any
from uuid import UUID

import pytest

from shared.dialects import DIALECTS, Rendered
from shared.events import accept
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

FLOWESTATE = DIALECTS["flowestate"]
REQUEST = UUID("afa7f540-76d9-4bfe-a18d-4bc4d690ea56")
EVENT_UUID = "123b4741-3f2d-431a-90d1-ddca0f4d6721"
LEAD = {
    "event_type": "lead.created",
    "subject_type": "Lead",
    "subject_id": "lead_1",
    "data": {"lead": {"id": "lead_1", "name": "Anna", "note": None}},
    "occurred_at": 1_777_485_855_000,
}


def rendered(values: dict[str, Any], event_id: str = EVENT_UUID) -> Rendered:
    event = accept.identify(accept.read(values), WORKSPACE, NOW, event_id)
    return FLOWESTATE.render(event, factories.workspace(), REQUEST, NOW + 5)


def sent(values: dict[str, Any], event_id: str = EVENT_UUID) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(rendered(values, event_id).body)
    return body


def test_the_envelope_has_the_five_keys_of_the_document_in_order() -> None:
    workspace = factories.workspace()

    body = sent(LEAD)

    assert list(body) == ["id", "type", "createdAt", "organization", "data"]
    assert body == {
        "id": f"evt_{EVENT_UUID}",
        "type": "lead.created",
        "createdAt": "2026-04-29T18:04:15.000Z",
        "organization": {"id": WORKSPACE, "name": workspace.name, "slug": workspace.slug},
        "data": LEAD["data"],
    }


def test_the_id_is_that_of_the_event_and_a_uuid_whatever_the_event_is_called() -> None:
    first, again = sent(LEAD, "order-42")["id"], sent(LEAD, "order-42")["id"]

    assert first == again
    assert UUID(first.removeprefix("evt_")).version == 8
    assert sent(LEAD, "order-43")["id"] != first


def test_the_headers_name_event_delivery_and_source() -> None:
    headers = rendered(LEAD | {"source": "ui"}).headers

    assert headers == {
        "User-Agent": "FlowEstate-Webhook/1.0",
        "X-FlowEstate-Event": "lead.created",
        "X-FlowEstate-Delivery": str(REQUEST),
        "X-FlowEstate-Source": "ui",
    }


def test_an_event_that_names_no_source_is_the_systems() -> None:
    assert rendered(LEAD).headers["X-FlowEstate-Source"] == "system"


def test_a_tracking_event_has_the_contract_as_its_data() -> None:
    values = factories.event_json("conversion_triggered")

    body = sent(values)

    head = {"schema_version", "event_type", "request_id", "timestamp"}
    assert body["type"] == "conversion_triggered"
    assert body["data"] == {key: value for key, value in values.items() if key not in head}


def test_the_signature_is_over_the_body_and_nothing_else() -> None:
    secret, body = "0f" * 32, b'{"id":"evt_1"}'

    signature = FLOWESTATE.signature(secret, body, 1_777_485_855)

    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    assert signature == {"X-FlowEstate-Signature": f"sha256={digest}"}
    assert FLOWESTATE.signature(secret, body, 1_999_999_999) == signature


@pytest.mark.parametrize("status", range(100, 600))
def test_every_2xx_is_success_and_nothing_else(status: int) -> None:
    assert FLOWESTATE.is_success(status) == (status // 100 == 2)


def test_the_schedule_begins_as_published() -> None:
    assert FLOWESTATE.schedule == (60, 300, 1_800, 7_200, 21_600, 86_400)


def test_a_secret_is_hex_and_another_one_each_time() -> None:
    first, second = FLOWESTATE.new_secret(), FLOWESTATE.new_secret()

    assert len(bytes.fromhex(first)) == 32
    assert first != second


def test_every_event_type_can_be_expressed() -> None:
    assert FLOWESTATE.can_express("lead.created")
    assert FLOWESTATE.can_express("node_execution")
    assert FLOWESTATE.can_express("my.own/type")
