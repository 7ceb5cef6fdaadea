"""ClickFunnels: an envelope around the data; the signature covers a timestamp and the body.

Sources: ClickFunnels, "How to Work with Webhooks" and "Signature verification". Version 1 is
deprecated and its payload is not published; this one follows the JSON:API serializers of Bullet
Train, on which ClickFunnels is built.
"""

import hashlib
import hmac
import json
import re
from typing import Any
from uuid import UUID

from shared import ids
from shared.clock import rfc3339
from shared.dialects.dialect import (
    CLICKFUNNELS_SCHEDULE,
    Rendered,
    data_of,
    funnel_of,
    page_of,
    subject_of,
)
from shared.events.models import Event, compact_json
from shared.workspaces.models import Workspace

SUCCESS = frozenset({*range(200, 208), 226})
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class ClickFunnels:
    """Payloads of version 2."""

    name = "clickfunnels"
    api_version = 2
    listing: str | None = "clickfunnels"
    header_prefix = "x-webhook-clickfunnels-"
    schedule: tuple[int, ...] = CLICKFUNNELS_SCHEDULE

    def can_express(self, event_type: str) -> bool:
        return True

    def render(
        self, event: Event, workspace: Workspace, request_id: UUID, built_at_ms: int
    ) -> Rendered:
        envelope = self._envelope(event, json.loads(event.payload))
        return Rendered(compact_json(envelope).encode(), {})

    def signature(self, secret: str, body: bytes, now_s: int) -> dict[str, str]:
        signed = f"{now_s}.".encode() + body
        return {
            "X-Webhook-ClickFunnels-Timestamp": str(now_s),
            "X-Webhook-ClickFunnels-Signature": hmac.new(
                secret.encode(), signed, hashlib.sha256
            ).hexdigest(),
        }

    def is_success(self, status_code: int) -> bool:
        return status_code in SUCCESS

    def new_secret(self) -> str:
        return ids.new_hex_secret()

    def _envelope(self, event: Event, payload: dict[str, Any]) -> dict[str, Any]:
        subject = subject_of(payload)
        return {
            "data": data_of(payload),
            "event_id": str(ids.event_uuid(event.event_id, event.key)),
            "event_type": event.event_type,
            "subject_id": subject.id,
            "subject_type": subject.kind,
            "created_at": rfc3339(event.occurred_at),
            "page_id": page_of(payload),
            "funnel_id": funnel_of(payload),
        }


class ClickFunnelsV1(ClickFunnels):
    """Payloads of version 1: the data as a JSON:API resource, in an envelope of three keys."""

    name = "clickfunnels_v1"
    api_version = 1

    def _envelope(self, event: Event, payload: dict[str, Any]) -> dict[str, Any]:
        v2 = super()._envelope(event, payload)
        resource = {
            "id": str(v2["subject_id"]),
            "type": _HUMP.sub("_", v2["subject_type"]).replace("::", "/").lower(),
            "attributes": v2["data"],
        }
        return {"data": resource, "event_id": v2["event_id"], "event_type": v2["event_type"]}
