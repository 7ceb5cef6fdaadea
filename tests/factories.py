"""Valid things of every kind; a test says only what matters to it."""

from copy import deepcopy
from typing import Any
from uuid import UUID

from shared import ids
from shared.configs.models import WebhookConfig
from shared.configs.triggers import Trigger
from shared.deliveries.queue import AttemptMessage
from shared.events.models import Event, TriggerType
from shared.replays.models import Replay
from shared.web.authentication import Request
from shared.workspaces.models import ApiKey, Caller, Client, Scope, Workspace
from tests.fakes import NOW

WORKSPACE = "5b8f0a4e-6f0a-4d3c-9a51-2f6f6f0c7a11"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

# Source: FunnelFlux Pro, "Webhook Payloads", the three examples.
_COMMON: dict[str, Any] = {
    "schema_version": "1.0",
    "visitor": {
        "visitor_id": "visitor_123",
        "ip": "203.0.113.42",
        "user_agent": "Mozilla/5.0",
    },
    "funnel": {"funnel_id": "funnel_123", "node_id": "node_offer"},
    "traffic_source": {"traffic_source_id": "ts_123", "name": "7SearchPPC Test"},
    "hit": {
        "hit_id": "hit_123",
        "hit_timestamp": 1780062493202,
        "visitor_id": "visitor_123",
        "traffic_source_id": "ts_123",
        "funnel_id": "funnel_123",
        "node_id": "node_offer",
        "node_type": "offer",
    },
    "tracking_fields": {"campaign": "spring_sale"},
    "visitor_tags": ["tag_abc123"],
}
_EXAMPLES: dict[str, dict[str, Any]] = {
    "conversion_triggered": {
        "request_id": "0f28c95f-a519-49af-879d-94fbe6650f1d",
        "timestamp": 1780062500123,
        "conversion": {
            "conversion_id": "conv_123",
            "hit_id": "hit_123",
            "transaction": "order_123",
            "revenue": "19.99",
            "conversion_timestamp": 1780062500000,
        },
    },
    "custom_event_triggered": {
        "request_id": "8c42ff98-c7d8-45f2-98d8-e3e5dcfb1c73",
        "timestamp": 1780062501123,
        "custom_event": {
            "custom_event_id": "hit_123_1",
            "event_number": 1,
            "hit_id": "hit_123",
            "revenue": "4.50",
            "timestamp": 1780062501000,
        },
    },
    "node_execution": {
        "request_id": "afa7f540-76d9-4bfe-a18d-4bc4d690ea56",
        "timestamp": 1780062493221,
        "is_action": True,
        "action_number": 1,
        "session": {
            "visitor_id": "visitor_123",
            "hit_id": "hit_123",
            "entrance_id": "entrance_123",
            "entrance_timestamp": 1780062493000,
            "hit_timestamp": 1780062493202,
            "most_recent_page_id": "page_123",
        },
        "url_buffer": {"campaign": "spring_sale", "email": "alice@example.com"},
        "action_data": {"email": "alice@example.com", "origin_node_id": "node_lander"},
    },
    "on_action": {"is_action": True, "action_number": 2, "action_data": {}},
}


def event_json(event_type: str = "node_execution", **changes: Any) -> dict[str, Any]:
    """An event as a client sends it; a change to None leaves the key out."""
    values = deepcopy(_COMMON | _EXAMPLES[event_type]) | {"event_type": event_type} | changes
    return {name: value for name, value in values.items() if value is not None}


def resource_json(event_type: str = "contact.created", **changes: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "event_type": event_type,
        "subject_type": "Contact",
        "subject_id": 42,
        "data": {"name": "Alice", "tags": [{"id": 1}], "score": None},
    }
    return values | changes


def config_json(url: str = "https://hooks.example.com/in", **changes: Any) -> dict[str, Any]:
    """A webhook config as a client saves it."""
    values = {"idWebhookConfig": "crm", "webhookConfigName": "CRM", "url": url}
    return values | changes


def lead_json(**changes: Any) -> dict[str, Any]:
    """Source: Funnelytics, "Send webhook events to Funnelytics", example 1."""
    values = {
        "email": "alice@example.com",
        "session": 12345678,
        "carBrand": "Lamborghini",
        "carModel": "Urus",
        "productionYear": "2021",
    }
    return values | changes


def purchase_json(**changes: Any) -> dict[str, Any]:
    values = {
        "__sku__": "LAMBO007",
        "__label__": "LAMBO Urus",
        "__total_in_cents__": "30000000",
        "__order__": "123456",
        "__currency__": "USD",
    }
    return values | changes


def commerce_json(*purchases: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Source: Funnelytics, "Send webhook events to Funnelytics", example 2."""
    return lead_json(purchase_data=list(purchases or [purchase_json()])) | changes


def event(
    payload: str = "{}",
    event_type: str = TriggerType.NODE_EXECUTION,
    event_id: str = "event-1",
    accepted_at: int = NOW,
    config_ids: tuple[str, ...] = (),
    workspace_id: str = WORKSPACE,
) -> Event:
    return Event(
        workspace_id=workspace_id,
        key=ids.event_key(workspace_id, event_id),
        event_id=event_id,
        event_type=str(event_type),
        accepted_at=accepted_at,
        occurred_at=accepted_at,
        payload=payload,
        fingerprint="f" * 64,
        config_ids=config_ids,
    )


def config(**changes: Any) -> WebhookConfig:
    values: dict[str, Any] = {
        "id": "crm",
        "workspace_id": WORKSPACE,
        "name": "CRM",
        "url": "https://hooks.example.com/in",
        "triggers": tuple(Trigger(event_type=kind.value) for kind in TriggerType),
        "secret": SECRET,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return WebhookConfig.model_validate(values | changes)


def request_id(config_id: str = "crm", event_id: str = "event-1") -> UUID:
    return ids.request_id(ids.event_key(WORKSPACE, event_id), config_id)


def pointer(config_id: str = "crm", event_id: str = "event-1", attempt: int = 1) -> AttemptMessage:
    return AttemptMessage(
        workspace_id=WORKSPACE,
        config_id=config_id,
        request_id=request_id(config_id, event_id),
        attempt=attempt,
    )


def replay(**changes: Any) -> Replay:
    """Of everything, to `crm`."""
    values: dict[str, Any] = {
        "workspace_id": WORKSPACE,
        "replay_id": "rpl_000000000000",
        "config_id": "crm",
        "since": 0,
        "until": NOW,
        "rate": 10,
        "created_at": NOW,
    }
    return Replay(**values | changes)


def api_key(*scopes: Scope, **changes: Any) -> ApiKey:
    values: dict[str, Any] = {
        "id": "key_1",
        "workspace_id": WORKSPACE,
        "name": "A key",
        "client": Client.API,
        "scopes": scopes or frozenset(Scope),
        "created_at": NOW,
    }
    return ApiKey.model_validate(values | changes)


def workspace(**changes: Any) -> Workspace:
    values: dict[str, Any] = {"workspace_id": WORKSPACE, "name": "Acme", "created_at": NOW}
    return Workspace.model_validate(values | changes)


def caller(*scopes: Scope, **limits: int) -> Caller:
    return Caller(key=api_key(*scopes), workspace=workspace(limits=limits))


def http_request(path: str = "/", query: str = "", **headers: str) -> Request:
    """Of a header's name, `_` is `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(path=path, query=query, headers=named, source_ip="203.0.113.42")
