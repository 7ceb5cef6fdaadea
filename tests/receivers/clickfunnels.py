"""A receiver of ClickFunnels' webhooks.

Source: ClickFunnels, "Signature verification": the hex HMAC-SHA256 of `timestamp.body`, no older or
newer than 600 s; a request that fails is answered like an address that does not exist.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any

TOLERANCE_S = 600
KEYS = {
    "data",
    "event_id",
    "event_type",
    "subject_id",
    "subject_type",
    "created_at",
    "page_id",
    "funnel_id",
}


class ClickFunnelsReceiver:
    def __init__(self, secret: str, clock_s: Callable[[], float]) -> None:
        self._secret = secret
        self._clock_s = clock_s
        self._seen: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.repeats = 0

    def receive(self, headers: Mapping[str, str], body: bytes) -> int:
        names = {name.lower(): value for name, value in headers.items()}
        timestamp = names.get("x-webhook-clickfunnels-timestamp", "")
        signature = names.get("x-webhook-clickfunnels-signature", "")
        if not timestamp.isdigit() or abs(self._clock_s() - int(timestamp)) > TOLERANCE_S:
            return 404
        signed = f"{timestamp}.".encode() + body
        digest = hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, digest):
            return 404
        event = json.loads(body)
        if event.keys() != KEYS:
            return 400
        if event["event_id"] in self._seen:
            self.repeats += 1
            return 200
        self._seen.add(event["event_id"])
        self.events.append(event)
        return 201
