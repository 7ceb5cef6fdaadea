"""Which events a pattern of EventBridge matches: the parts of the language that the template uses.

Source: Amazon EventBridge User Guide, "Creating Amazon EventBridge event patterns".
"""

from typing import Any

from shared.standalone.engine.values import UnsupportedError


def matches(pattern: Any, value: Any) -> bool:
    """Whether every field of the pattern matches; a list matches if one of its entries does."""
    if isinstance(pattern, list):
        return any(_is_met(wanted, value) for wanted in pattern)
    return isinstance(value, dict) and all(
        name in value and matches(inner, value[name]) for name, inner in pattern.items()
    )


def _is_met(wanted: Any, value: Any) -> bool:
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    match wanted:
        case {"anything-but": list(others)}:
            return value not in others
        case {"suffix": str(end)}:
            return isinstance(value, str) and value.endswith(end)
        case {"prefix": str(start)}:
            return isinstance(value, str) and value.startswith(start)
        case _:
            raise UnsupportedError(f"the pattern {wanted}")
