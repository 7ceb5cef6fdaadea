"""What stays of an event when its visitor is erased: ids, moments and money."""

from typing import Any

from shared.events.context import CURRENCIES

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


def remains(context: dict[str, Any]) -> dict[str, Any]:
    """The part of a payload that reports are made from and that names nobody."""
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
    """A client may use an e-mail address as an id or an order number."""
    return ERASED if isinstance(value, str) and "@" in value else value


def _currency(values: dict[str, Any]) -> dict[str, Any]:
    """The currency of the revenue, which a client sends among its own parameters."""
    passed = values.get("passthrough_params")
    if not isinstance(passed, dict) or passed.get("currency") not in CURRENCIES:
        return {}
    return {"passthrough_params": {"currency": passed["currency"]}}
