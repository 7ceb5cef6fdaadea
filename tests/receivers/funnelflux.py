"""A receiver of FunnelFlux's webhooks.

Source: FunnelFlux Pro, "Webhook Payloads": three headers that say what the body says, one payload
contract for four types. Authenticity is a header or Basic auth that the config carries.
"""

import json
import uuid
from collections.abc import Mapping
from typing import Any

TYPES = {"node_execution", "on_action", "conversion_triggered", "custom_event_triggered"}


class FunnelFluxReceiver:
    def __init__(self, header: str, value: str) -> None:
        self._header, self._value = header.lower(), value
        self._seen: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.repeats = 0

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        names = {name.lower(): value for name, value in headers.items()}
        if names.get(self._header) != self._value:
            return 401
        payload = json.loads(body)
        if names.get("x-funnelflux-payload-schema") != "webhook_outbound_payload_v1":
            return 400
        if payload["schema_version"] != "1.0" or payload["event_type"] not in TYPES:
            return 400
        if names["x-funnelflux-trigger-type"] != payload["event_type"]:
            return 400
        request_id = payload["request_id"]
        if (
            names["x-funnelflux-request-id"] != request_id
            or str(uuid.UUID(request_id)) != request_id
        ):
            return 400
        if request_id in self._seen:
            self.repeats += 1
            return 200
        self._seen.add(request_id)
        self.events.append(payload)
        return 200
