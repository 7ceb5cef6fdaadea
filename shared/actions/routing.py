"""The system keys of an action, `flux_*`, and the fields of the event that they set."""

from typing import Any

from shared.errors import InvalidError
from shared.events.context import Scalar, Scalars

MAX_TEXT = 256

EVENT_ID = "flux_event_id"
REDIRECT = "flux_redirect"
# Only the workspace itself may send these: the first event with an id takes it.
RESERVED = frozenset({EVENT_ID, REDIRECT})

# The fields that each key sets.
_PLACES: dict[str, tuple[str, ...]] = {
    "flux_visitor_id": ("visitor.visitor_id", "hit.visitor_id", "session.visitor_id"),
    "flux_hit_id": ("hit.hit_id", "session.hit_id"),
    "flux_entrance_id": ("hit.entrance_id", "session.entrance_id"),
    "flux_page_id": ("session.most_recent_page_id", "action_data.origin_page_id"),
    "flux_traffic_source_id": (
        "traffic_source.traffic_source_id",
        "hit.traffic_source_id",
    ),
    "flux_origin_node_id": ("action_data.origin_node_id",),
    "flux_origin_node_name": ("action_data.origin_node_name",),
    "flux_origin_node_type": ("action_data.origin_node_type",),
    "flux_origin_page_id": ("action_data.origin_page_id",),
    "flux_origin_page_name": ("action_data.origin_page_name",),
}
_SHORT = {
    "flux_visitor": "flux_visitor_id",
    "flux_hit": "flux_hit_id",
    "flux_session": "flux_entrance_id",
    "flux_entrance": "flux_entrance_id",
    "flux_page": "flux_page_id",
    "flux_traffic_source": "flux_traffic_source_id",
}


def spelled(fields: Scalars) -> Scalars:
    """The fields with the long spelling of each system key."""
    return {_SHORT.get(name, name): value for name, value in fields.items()}


def check_not_reserved(fields: Scalars) -> None:
    for name in sorted(RESERVED & fields.keys()):
        raise InvalidError.at(name, "can be sent with an API key only")


def context(fields: Scalars) -> dict[str, dict[str, Any]]:
    """The objects of the payload that the system keys set."""
    found: dict[str, dict[str, Any]] = {}
    for name, places in _PLACES.items():
        if text := text_of(fields, name):
            for place in places:
                kind, _, key = place.partition(".")
                found.setdefault(kind, {})[key] = text
    return found


def text_of(fields: Scalars, name: str, limit: int = MAX_TEXT) -> str:
    """Empty if the field is missing or empty, such as an unfilled placeholder."""
    value: Scalar = fields.get(name)
    if value is None:
        return ""
    if isinstance(value, bool | float):
        raise InvalidError.at(name, "must be a string")
    if len(text := str(value)) > limit:
        raise InvalidError.at(name, f"is longer than {limit} characters")
    return text
