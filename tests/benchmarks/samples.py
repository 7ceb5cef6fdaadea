"""Events of a given size that look like a funnel's: words, addresses, and ids that say nothing."""

import json
import random
from collections.abc import Iterator
from typing import Any

from tests import factories

SEED = 20_261_121
# What browsers, networks and shops add to the URL of an entrance.
_WORDS = ("spring", "sale", "offer", "lander", "video", "retarget", "checkout", "upsell")
_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1"
)


class TooSmallError(ValueError):
    """The event cannot be made as small as that."""


def events(
    size: int, count: int, seed: int = SEED, visitor: bool = True
) -> Iterator[dict[str, Any]]:
    """`count` events of `size` bytes of JSON; the same ones for the same seed.

    Without a `visitor`, nothing says whose they are.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing here is a secret
    for _ in range(count):
        event = _event(chance)
        if not visitor:
            for context in ("visitor", "hit", "session"):
                del event[context]["visitor_id"]
        yield _filled(event, size, chance)


def text(event: dict[str, Any]) -> str:
    return json.dumps(event, separators=(",", ":"))


def _event(chance: random.Random) -> dict[str, Any]:
    visitor_id, hit_id = _id(chance), _id(chance)
    node_id, at = _id(chance, 5), 1_780_062_493_000 + chance.randrange(10**6)
    values: dict[str, Any] = {
        "visitor": {
            "visitor_id": visitor_id,
            "ip": f"203.0.113.{chance.randrange(256)}",
            "user_agent": _AGENT,
            "country_code": "US",
        },
        "funnel": {"funnel_id": _id(chance, 5), "node_id": node_id},
        "hit": {"hit_id": hit_id, "hit_timestamp": at, "visitor_id": visitor_id},
        "session": {"visitor_id": visitor_id, "hit_id": hit_id, "hit_timestamp": at},
        "action_data": {"email": f"{_id(chance, 4)}@example.com"},
        "tracking_fields": {},
    }
    return factories.event_json("on_action", is_action=True, action_number=1) | values


def _filled(event: dict[str, Any], size: int, chance: random.Random) -> dict[str, Any]:
    fields: dict[str, str] = event["tracking_fields"]
    while (missing := size - len(text(event))) > 0:
        name = f"{chance.choice(_WORDS)}_{len(fields)}"
        room = missing - len(f',"{name}":""')
        fields[name] = _value(chance)[: max(room, 0)]
        if room < 0:
            fields.popitem()
            _stretch(event, missing)
    if missing < 0:
        raise TooSmallError(f"{-missing} bytes more than {size}")
    return event


def _stretch(event: dict[str, Any], by: int) -> None:
    event["action_data"]["email"] = "x" * by + event["action_data"]["email"]


def _value(chance: random.Random) -> str:
    """Every other value is a click id, the others are words."""
    if chance.random() < 0.5:
        return _id(chance, chance.randrange(8, 32))
    return "-".join(chance.choices(_WORDS, k=chance.randrange(1, 4)))


def _id(chance: random.Random, octets: int = 8) -> str:
    return chance.randbytes(octets).hex()
