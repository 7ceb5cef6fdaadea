"""FlowEstate: an envelope around the data; the signature covers the whole body.

Source: FlowEstate developer documentation, "Webhooks". The documentation lists retries up to the
fourth attempt; the waits after it are our choice.
"""

import hashlib
import hmac
import json
from uuid import UUID

from shared import ids
from shared.clock import rfc3339
from shared.dialects.dialect import Rendered, data_of, source_of
from shared.events.models import Event, compact_json
from shared.version import FLOWESTATE_AGENT
from shared.workspaces.models import Workspace


class FlowEstate:
    name = "flowestate"
    listing: str | None = None
    header_prefix = "x-flowestate-"
    # 1 m, 5 m, 30 m, 2 h, 6 h, 24 h
    schedule: tuple[int, ...] = (60, 300, 1_800, 7_200, 21_600, 86_400)

    def can_express(self, event_type: str) -> bool:
        return True

    def render(
        self, event: Event, workspace: Workspace, request_id: UUID, built_at_ms: int
    ) -> Rendered:
        values = json.loads(event.payload)
        envelope = {
            "id": f"evt_{ids.event_uuid(event.event_id, event.key)}",
            "type": event.event_type,
            "createdAt": rfc3339(event.occurred_at),
            "organization": {
                "id": workspace.workspace_id,
                "name": workspace.name,
                "slug": workspace.slug,
            },
            "data": data_of(values),
        }
        headers = {
            "User-Agent": FLOWESTATE_AGENT,
            "X-FlowEstate-Event": event.event_type,
            "X-FlowEstate-Delivery": str(request_id),
            "X-FlowEstate-Source": source_of(values),
        }
        return Rendered(compact_json(envelope).encode(), headers)

    def signature(self, secret: str, body: bytes, now_s: int) -> dict[str, str]:
        digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return {"X-FlowEstate-Signature": f"sha256={digest}"}

    def is_success(self, status_code: int) -> bool:
        return 200 <= status_code <= 299

    def new_secret(self) -> str:
        return ids.new_hex_secret()
