"""Older names and places of fields, mapped to the names of the payload contract.

Earlier payloads of FunnelFlux held its raw models: `HitID` for `hit_id`, `ref_hit` for `hit`.
Source: FunnelFlux Pro, "Webhook Payloads", Removed Legacy/Internal Fields.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from shared.errors import InvalidError
from shared.events.context import (
    Context,
    Conversion,
    CustomEvent,
    Funnel,
    Hit,
    Session,
    TrafficSource,
    Visitor,
)
from shared.events.models import IN_FLOW_TYPES, TrackingContext, TriggerType

Names = Mapping[str, str]
Place = tuple[str, ...]

OBJECTS: Mapping[str, type[Context]] = {
    "visitor": Visitor,
    "funnel": Funnel,
    "traffic_source": TrafficSource,
    "hit": Hit,
    "session": Session,
    "conversion": Conversion,
    "custom_event": CustomEvent,
}
# A raw key at the top level belongs to the first of these objects that has such a field.
OWNERS = {
    kind: ("visitor", "funnel", "traffic_source", "hit", own)
    for kind, own in {
        TriggerType.NODE_EXECUTION: "session",
        TriggerType.ON_ACTION: "session",
        TriggerType.CONVERSION_TRIGGERED: "conversion",
        TriggerType.CUSTOM_EVENT_TRIGGERED: "custom_event",
    }.items()
}
# At the top level these keys could mean anything.
VAGUE = {"Name", "Timestamp"}
CAPITALS = {"id": "ID", "ip": "IP", "os": "OS", "pii": "PII", "url": "URL"}
ACTION_FIELDS = ("is_action", "action_number")


def _raw(names: Iterable[str]) -> dict[str, str]:
    """The names by their raw spellings: `HitID` and `HitId` lead to `hit_id`."""
    return {raw: name for name in names for raw in _spellings(name.split("_"))}


def _spellings(words: list[str]) -> set[str]:
    plain = [word.capitalize() for word in words]
    return {"".join(plain), "".join(map(CAPITALS.get, words, plain))}


FIELDS: Mapping[str, Names] = {name: _raw(model.model_fields) for name, model in OBJECTS.items()}
_TAGS = dict.fromkeys(("tags", "Tags", "VisitorTags"), "visitor_tags")
INSIDE: Mapping[str, Names] = {**FIELDS, "hit": {**FIELDS["hit"], **_TAGS}}


def _beside(kind: TriggerType) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for owner in reversed(OWNERS[kind]):
        places |= {raw: (owner, name) for raw, name in FIELDS[owner].items() if raw not in VAGUE}
    of_the_top = TrackingContext.model_fields.keys() - {"event_type"}
    return places | {raw: (name,) for raw, name in _raw(of_the_top).items()}


BESIDE: Mapping[str, Mapping[str, Place]] = {kind: _beside(kind) for kind in TriggerType}


def normalized(values: Mapping[str, Any]) -> dict[str, Any]:
    """The incoming trigger with the names of the contract.

    Raises InvalidError if two names of one field have different values.
    """
    event = {name: _renamed(name, value, name) for name, value in values.items()}
    for name in ("ref_hit", "RefHit"):
        _move(event, name, _place_of_ref_hit(event, event.get(name)))
    beside = BESIDE[event["event_type"]]
    for name in [name for name in event if name in beside]:
        _move(event, name, beside[name])
    _fall_back_to_the_tags_of_the_hit(event)
    _lift_action_fields(event)
    return event


def _renamed(name: str, value: Any, given: str) -> Any:
    """The object `name` with the names of the contract; `given` is the sender's name for it."""
    names = INSIDE.get(name, {})
    if not isinstance(value, dict) or names.keys().isdisjoint(value):
        return value
    renamed = {key: inner for key, inner in value.items() if key not in names}
    for key in [key for key in value if key in names]:
        _put(renamed, names[key], value[key], f"{given}.{key}", f"{name}.{names[key]}")
    return renamed


def _place_of_ref_hit(event: Mapping[str, Any], value: Any) -> Place:
    """An object is the hit. An id is that of the hit, or in the flow of the reference hit."""
    if isinstance(value, dict):
        return ("hit",)
    in_flow = event["event_type"] in IN_FLOW_TYPES
    return ("session", "reference_hit_id") if in_flow else ("hit", "hit_id")


def _move(event: dict[str, Any], given: str, place: Place) -> None:
    owner, value = place[0], event.pop(given, None)
    if len(place) == 2:
        _put_into(event, owner, {place[1]: value}, {place[1]: given})
    elif owner in OBJECTS and isinstance(value, dict):
        fields = _renamed(owner, value, given)
        _put_into(event, owner, fields, {name: f"{given}.{name}" for name in fields})
    else:
        _put(event, owner, value, given, owner)


def _put_into(event: dict[str, Any], owner: str, fields: Mapping[str, Any], given: Names) -> None:
    given_fields = {name: value for name, value in fields.items() if value is not None}
    known = event.get(owner)
    if not given_fields or not isinstance(known, dict | None):
        return
    event[owner] = dict(known or {})
    for name, value in given_fields.items():
        _put(event[owner], name, value, given[name], f"{owner}.{name}")


def _put(target: dict[str, Any], name: str, value: Any, given: str, kept: str) -> None:
    """Set a field. `given` and `kept` are the two names of the field in an error message."""
    if value is None:
        return
    if target.get(name) is None:
        target[name] = value
    elif target[name] != value:
        raise InvalidError.at(given, f"differs from {kept}, its other name; send one of them")


def _fall_back_to_the_tags_of_the_hit(event: dict[str, Any]) -> None:
    hit = event.get("hit")
    if not isinstance(hit, dict) or "visitor_tags" not in hit:
        return
    event["hit"] = {name: value for name, value in hit.items() if name != "visitor_tags"}
    if event.get("visitor_tags") in (None, []):
        event["visitor_tags"] = hit["visitor_tags"]


def _lift_action_fields(event: dict[str, Any]) -> None:
    """Move these fields from `action_data` to the top level."""
    data = event.get("action_data")
    if not isinstance(data, dict) or data.keys().isdisjoint(ACTION_FIELDS):
        return
    event["action_data"] = {key: data[key] for key in data if key not in ACTION_FIELDS}
    for name in ACTION_FIELDS:
        _put(event, name, _read(data.get(name)), f"action_data.{name}", name)


def _read(value: Any) -> Any:
    """A value of a form, in which everything is text."""
    if value in ("true", "false"):
        return value == "true"
    is_number = isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,9}", value)
    return int(value) if is_number else value
