"""FunnelFlux: the payload contract `webhook_outbound_payload_v1`.

Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0).
"""

import json
from typing import Any
from uuid import UUID

from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE
from shared.events.models import TRACKING_TYPES, Event

PAYLOAD_SCHEMA = "webhook_outbound_payload_v1"
SCHEMA_VERSION = "1.0"


class FunnelFlux:
    name = "funnelflux"
    # FunnelFlux publishes no schedule.
    schedule: tuple[int, ...] = CLICKFUNNELS_SCHEDULE

    def can_express(self, event: Event) -> bool:
        return event.event_type in TRACKING_TYPES

    def body(self, event: Event, request_id: UUID, built_at_ms: int) -> bytes:
        payload = {
            "schema_version": SCHEMA_VERSION,
            "event_type": event.event_type,
            "request_id": str(request_id),
            "timestamp": built_at_ms,
        } | _available(json.loads(event.payload))
        return json.dumps(payload, separators=(",", ":"), ensure_ascii=False).encode()

    def headers(self, event_type: str, request_id: UUID) -> dict[str, str]:
        return {
            "X-Funnelflux-Payload-Schema": PAYLOAD_SCHEMA,
            "X-Funnelflux-Trigger-Type": event_type,
            "X-Funnelflux-Request-ID": str(request_id),
        }

    def is_success(self, status_code: int) -> bool:
        return 200 <= status_code <= 299


def _available(context: dict[str, Any]) -> dict[str, Any]:
    """An empty object says that its context was not available, so it is left out.

    `action_data` alone is said to be empty when an action carried nothing.
    """
    return {
        key: value
        for key, value in context.items()
        if key == "action_data" or value not in ({}, [])
    }
