"""FunnelFlux: the payload contract `webhook_outbound_payload_v1`.

Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0).
"""

import json
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
        """The stored payload is one of the contract: it is neither read nor written again."""
        head = json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "event_type": event.event_type,
                "request_id": str(request_id),
                "timestamp": built_at_ms,
            },
            separators=(",", ":"),
        )
        context = event.payload
        return (head if context == "{}" else f"{head[:-1]},{context[1:]}").encode()

    def headers(self, event_type: str, request_id: UUID) -> dict[str, str]:
        return {
            "X-Funnelflux-Payload-Schema": PAYLOAD_SCHEMA,
            "X-Funnelflux-Trigger-Type": event_type,
            "X-Funnelflux-Request-ID": str(request_id),
        }

    def is_success(self, status_code: int) -> bool:
        return 200 <= status_code <= 299
