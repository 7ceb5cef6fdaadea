"""A receiver of FlowEstate's webhooks.

Source: FlowEstate developer documentation, "Webhooks": `sha256=` and the hex HMAC-SHA256 of the raw
body, deliveries told apart by `X-FlowEstate-Delivery`, what the API itself caused left alone.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


class FlowEstateReceiver:
    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._seen: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.repeats = 0

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        names = {name.lower(): value for name, value in headers.items()}
        digest = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(names.get("x-flowestate-signature", ""), f"sha256={digest}"):
            return 401
        if names["user-agent"] != "FlowEstate-Webhook/1.0":
            return 400
        event = json.loads(body)
        if event["type"] != names["x-flowestate-event"] or not event["id"].startswith("evt_"):
            return 400
        if event.keys() != {"id", "type", "createdAt", "organization", "data"}:
            return 400
        if names["x-flowestate-source"] == "api":
            return 204
        self._keep(names["x-flowestate-delivery"], event)
        return 200

    def _keep(self, delivery: str, event: dict[str, Any]) -> None:
        if delivery in self._seen:
            self.repeats += 1
            return
        self._seen.add(delivery)
        self.events.append(event)
