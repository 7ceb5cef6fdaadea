"""Identifiers: random if they are new or secret, derived if they must be the same again.

The request id of a delivery holds the key of its event. So one GetItem finds a delivery by the id
that its receiver quotes, without an index (docs/decisions/0003-request-ids.md).
"""

import base64
import hashlib
import json
import re
import secrets
import string
import uuid
from collections.abc import Mapping
from typing import Any

# A UUID of version 8 has 122 free bits: 80 for the event, 42 for the delivery.
_EVENT_BITS = 80
_DELIVERY_BITS = 42
_LOW_BITS = 62
# `fh_` and 30 of the secret's 256 bits.
_PREFIX_LENGTH = 8

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 2019-07-23T00:00:00Z, the epoch of FunnelFlux.
_FUNNELFLUX_EPOCH_MS = 1_563_840_000_000


def new_asset_id(now_ms: int) -> str:
    """12 characters as FunnelFlux makes them: 7 of milliseconds in base 62, 5 at random.

    Source: FunnelFlux Pro, "Generating Asset IDs". They sort by creation time.
    """
    elapsed, stamp = now_ms - _FUNNELFLUX_EPOCH_MS, ""
    for _ in range(7):
        elapsed, digit = divmod(elapsed, len(BASE62))
        stamp = BASE62[digit] + stamp
    return stamp + "".join(secrets.choice(BASE62) for _ in range(5))


def new_event_id() -> str:
    return str(uuid.uuid4())


def natural_event_id(event_type: str, context: Mapping[str, Any]) -> str | None:
    """The same id for the same conversion, custom event, or hit at a node; None for any other.

    `context` is what the event says. It may be personal, and cannot be read from the id.
    """
    parts = _natural_parts(context)
    return None if parts is None else sha256_hex(json.dumps((event_type, *parts)))[:32]


def _natural_parts(context: Mapping[str, Any]) -> tuple[str, ...] | None:
    for name in ("conversion", "custom_event"):
        if name in context:
            return (context[name][f"{name}_id"],)
    hit, session, funnel = (context.get(name, {}) for name in ("hit", "session", "funnel"))
    hit_id = hit.get("hit_id") or session.get("hit_id")
    node_id = funnel.get("node_id") or hit.get("node_id")
    if not hit_id or not node_id:
        return None
    return hit_id, node_id, str(context.get("action_number", ""))


def new_workspace_id() -> str:
    return str(uuid.uuid4())


def new_visitor_id() -> str:
    return f"vis_{secrets.token_hex(10)}"


def new_key_id() -> str:
    return f"key_{secrets.token_hex(8)}"


def new_subscription_id() -> str:
    return f"wh_{secrets.token_hex(12)}"


def new_api_key() -> str:
    return f"fh_{secrets.token_urlsafe(32)}"


def key_prefix(secret: str) -> str:
    """The part of a key by which its owner recognises it."""
    return secret[:_PREFIX_LENGTH]


def new_signing_secret() -> str:
    """`whsec_` and 32 random bytes in base64, the format of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def new_link_secret() -> str:
    """Signs the action links of a workspace. It is never shown."""
    return f"fhl_{secrets.token_urlsafe(32)}"


def new_hex_secret() -> str:
    """64 hex digits, the format of FlowEstate and ClickFunnels."""
    return secrets.token_hex(32)


def new_replay_id(now_ms: int) -> str:
    """Replay ids sort by creation time."""
    return f"rpl_{new_asset_id(now_ms)}"


def new_lease() -> str:
    return secrets.token_hex(8)


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def event_key(workspace_id: str, event_id: str) -> str:
    """20 hex digits for an event of a workspace."""
    return sha256_hex(f"{workspace_id}\0{event_id}")[: _EVENT_BITS // 4]


def visitor_key(workspace_id: str, visitor_id: str) -> str:
    """32 hex digits for a visitor id, which may have any length and any characters."""
    return sha256_hex(f"{workspace_id}\0visitor\0{visitor_id}")[:32]


def email_key(workspace_id: str, address: str) -> str:
    """32 hex digits for an e-mail address; they differ between workspaces."""
    return sha256_hex(f"{workspace_id}\0email\0{address}")[:32]


def request_id(event: str, config_id: str) -> uuid.UUID:
    """The id of the delivery of an event, by its key, to a config; always the same."""
    return _delivery_id(event, config_id)


def replay_request_id(event: str, config_id: str, replay_id: str) -> uuid.UUID:
    """The id of the delivery that a replay makes of an event for a config."""
    return _delivery_id(event, f"{config_id}\0{replay_id}")


def _delivery_id(event: str, of: str) -> uuid.UUID:
    delivery = int(sha256_hex(f"{event}\0{of}"), 16) >> (256 - _DELIVERY_BITS)
    return _pack(int(event, 16) << _DELIVERY_BITS | delivery)


def event_uuid(event_id: str, key: str) -> uuid.UUID:
    """The event id if it is a UUID; otherwise a UUID made of the event's key."""
    if _UUID.fullmatch(event_id):
        return uuid.UUID(event_id)
    return _pack(int(key, 16) << _DELIVERY_BITS)


def is_request_id(text: str) -> bool:
    """Whether the text is a UUID of version 8 in its usual form."""
    try:
        return uuid.UUID(text).version == 8 and str(uuid.UUID(text)) == text
    except ValueError:
        return False


def event_key_of(request: uuid.UUID) -> str:
    """The key of the event of a delivery; meaningless hex digits for any other UUID."""
    return f"{_unpack(request) >> _DELIVERY_BITS:0{_EVENT_BITS // 4}x}"


def _pack(bits: int) -> uuid.UUID:
    high, middle = bits >> 74, bits >> _LOW_BITS & 0xFFF
    low = bits & (1 << _LOW_BITS) - 1
    return uuid.UUID(int=high << 80 | 0x8 << 76 | middle << 64 | 0b10 << _LOW_BITS | low)


def _unpack(request: uuid.UUID) -> int:
    high, middle = request.int >> 80, request.int >> 64 & 0xFFF
    return high << 74 | middle << _LOW_BITS | request.int & (1 << _LOW_BITS) - 1
