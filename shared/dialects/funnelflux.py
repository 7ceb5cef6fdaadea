"""FunnelFlux: the payload contract `webhook_outbound_payload_v1`.

Source: FunnelFlux Pro, "Webhook Payloads" (schema_version 1.0).
"""

from uuid import UUID

from shared import ids
from shared.dialects.dialect import CLICKFUNNELS_SCHEDULE, Rendered
from shared.events.models import TRACKING_TYPES, Event, compact_json
from shared.workspaces.models import Workspace

PAYLOAD_SCHEMA = "webhook_outbound_payload_v1"
SCHEMA_VERSION = "1.0"


class FunnelFlux:
    name = "funnelflux"
    listing: str | None = None
    header_prefix = "x-funnelflux-"
    # FunnelFlux publishes no schedule.
    schedule: tuple[int, ...] = CLICKFUNNELS_SCHEDULE

    def can_express(self, event_type: str) -> bool:
        return event_type in TRACKING_TYPES

    def render(
        self, event: Event, workspace: Workspace, request_id: UUID, built_at_ms: int
    ) -> Rendered:
        """The stored payload follows the contract already, so it is inserted without parsing."""
        head = compact_json(
            {
                "schema_version": SCHEMA_VERSION,
                "event_type": event.event_type,
                "request_id": str(request_id),
                "timestamp": built_at_ms,
            }
        )
        context = event.payload
        body = head if context == "{}" else head[:-1] + "," + context[1:]
        headers = {
            "X-Funnelflux-Payload-Schema": PAYLOAD_SCHEMA,
            "X-Funnelflux-Trigger-Type": event.event_type,
            "X-Funnelflux-Request-ID": str(request_id),
        }
        return Rendered(body.encode(), headers)

    def signature(self, secret: str, body: bytes, now_s: int) -> dict[str, str]:
        """Empty: FunnelFlux has no signature of its own."""
        return {}

    def is_success(self, status_code: int) -> bool:
        return 200 <= status_code <= 299

    def new_secret(self) -> str:
        return ids.new_signing_secret()
