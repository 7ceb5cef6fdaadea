"""Identifiers: random where they are new or secret, derived where they must come out the same.

A delivery's request id holds the key of its event, so one GetItem finds the delivery that a
receiver quotes, and no index is paid for (docs/decisions/0003-request-ids.md).
"""

import base64
import hashlib
import json
import re
import secrets
import string
import uuid

# A UUID of version 8 leaves 122 bits to its maker: 80 for the event, 42 for the delivery.
_EVENT_BITS = 80
_DELIVERY_BITS = 42
_LOW_BITS = 62
# `fh_` and 30 of the secret's 256 bits.
_PREFIX_LENGTH = 8

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
# 2019-07-23T00:00:00Z, FunnelFlux's beginning of time.
_FUNNELFLUX_EPOCH_MS = 1_563_840_000_000


def new_asset_id(now_ms: int) -> str:
    """12 characters as FunnelFlux makes them: 7 of milliseconds in base 62, 5 at random.

    Source: FunnelFlux Pro, "Generating Asset IDs". They sort by the time of their making.
    """
    elapsed, stamp = now_ms - _FUNNELFLUX_EPOCH_MS, ""
    for _ in range(7):
        elapsed, digit = divmod(elapsed, len(BASE62))
        stamp = BASE62[digit] + stamp
    return stamp + "".join(secrets.choice(BASE62) for _ in range(5))


def new_event_id() -> str:
    return str(uuid.uuid4())


def natural_event_id(*parts: str) -> str:
    """The same for the same parts; it shows none of them, for they may be personal."""
    return sha256_hex(json.dumps(parts))[:32]


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
    """So much of a key's secret as its owner needs to recognise it."""
    return secret[:_PREFIX_LENGTH]


def new_signing_secret() -> str:
    """`whsec_` and 32 random bytes in base64, as Standard Webhooks writes a secret."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def new_link_secret() -> str:
    """What a workspace signs its action links with; never shown to anybody."""
    return f"fhl_{secrets.token_urlsafe(32)}"


def new_hex_secret() -> str:
    """64 hex digits, as FlowEstate and ClickFunnels write a secret."""
    return secrets.token_hex(32)


def new_replay_id(now_ms: int) -> str:
    """They sort by the time of their making."""
    return f"rpl_{new_asset_id(now_ms)}"


def new_lease() -> str:
    return secrets.token_hex(8)


def sha256_hex(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def event_key(workspace_id: str, event_id: str) -> str:
    """20 hex digits that stand for an event within its workspace."""
    return sha256_hex(f"{workspace_id}\0{event_id}")[: _EVENT_BITS // 4]


def visitor_key(workspace_id: str, visitor_id: str) -> str:
    """32 hex digits that stand for a visitor's id, which may have any length and any characters."""
    return sha256_hex(f"{workspace_id}\0visitor\0{visitor_id}")[:32]


def email_key(workspace_id: str, address: str) -> str:
    """32 hex digits that stand for an address, other ones in every workspace."""
    return sha256_hex(f"{workspace_id}\0email\0{address}")[:32]


def request_id(event: str, config_id: str) -> uuid.UUID:
    """The id of the delivery of the event with key `event` to a config: always the same one."""
    return _delivery_id(event, config_id)


def replay_request_id(event: str, config_id: str, replay_id: str) -> uuid.UUID:
    """The id of the delivery that a replay makes: one for each event, config and replay."""
    return _delivery_id(event, f"{config_id}\0{replay_id}")


def _delivery_id(event: str, of: str) -> uuid.UUID:
    delivery = int(sha256_hex(f"{event}\0{of}"), 16) >> (256 - _DELIVERY_BITS)
    return _pack(int(event, 16) << _DELIVERY_BITS | delivery)


def event_uuid(event_id: str, key: str) -> uuid.UUID:
    """For systems whose events have UUIDs: the event's id if it is one, else its key as one."""
    if _UUID.fullmatch(event_id):
        return uuid.UUID(event_id)
    return _pack(int(key, 16) << _DELIVERY_BITS)


def is_request_id(text: str) -> bool:
    """Whether it is written as `request_id` makes them: a UUID of version 8."""
    try:
        return uuid.UUID(text).version == 8 and str(uuid.UUID(text)) == text
    except ValueError:
        return False


def event_key_of(request: uuid.UUID) -> str:
    """The key of the event that a delivery belongs to; hex of no meaning for a foreign UUID."""
    return f"{_unpack(request) >> _DELIVERY_BITS:0{_EVENT_BITS // 4}x}"


def _pack(bits: int) -> uuid.UUID:
    high, middle = bits >> 74, bits >> _LOW_BITS & 0xFFF
    low = bits & (1 << _LOW_BITS) - 1
    return uuid.UUID(int=high << 80 | 0x8 << 76 | middle << 64 | 0b10 << _LOW_BITS | low)


def _unpack(request: uuid.UUID) -> int:
    high, middle = request.int >> 80, request.int >> 64 & 0xFFF
    return high << 74 | middle << _LOW_BITS | request.int & (1 << _LOW_BITS) - 1
