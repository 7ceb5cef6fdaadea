"""What an event tells of a person: whose it is, and what may stay of it when that is erased."""

from typing import Any

from shared.events.currencies import CURRENCIES

# Where the contract tells the visitor's id, the surest place first.
_WHOSE = ("visitor", "hit", "session")
_CONTEXTS = frozenset(
    {"visitor", "funnel", "traffic_source", "hit", "session", "conversion", "custom_event"}
)
_KEPT = frozenset(
    {
        "revenue",
        "transaction",
        "timestamp",
        "conversion_time",
        "event_number",
        "is_action",
        "action_number",
        "subject_type",
        "source",
    }
)
_KEPT_ENDINGS = ("_id", "_timestamp")
ERASED = "erased"


def visitor_of(context: dict[str, Any]) -> str | None:
    found = (context.get(name, {}).get("visitor_id") for name in _WHOSE)
    return next((visitor_id for visitor_id in found if visitor_id), None)


def remains(context: dict[str, Any]) -> dict[str, Any]:
    """The ids, moments and money of an event: what reports are added up from."""
    kept: dict[str, Any] = {}
    for name, value in context.items():
        if name in _CONTEXTS:
            kept[name] = _kept(value) | _currency(value)
        elif name == "data":
            kept[name] = {}
    return {name: value for name, value in kept.items() if value or name == "data"} | _kept(context)


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _impersonal(value) for name, value in values.items() if _is_kept(name, value)}


def _is_kept(name: str, value: Any) -> bool:
    is_flat = not isinstance(value, dict | list)
    return is_flat and (name in _KEPT or name.endswith(_KEPT_ENDINGS))


def _impersonal(value: Any) -> Any:
    """Nobody stops a client from making an id or an order number of an e-mail address."""
    return ERASED if isinstance(value, str) and "@" in value else value


def _currency(values: dict[str, Any]) -> dict[str, Any]:
    """Revenue means nothing without its currency, which stands among what the client passed on."""
    passed = values.get("passthrough_params")
    if not isinstance(passed, dict) or passed.get("currency") not in CURRENCIES:
        return {}
    return {"passthrough_params": {"currency": passed["currency"]}}
