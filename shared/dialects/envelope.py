"""What envelopes are filled with: the subject of an event, its data, where it came from.

A resource event names them itself. A tracking event has the objects of FunnelFlux's contract as its
data, and for its subject the one that the contract identifies.
"""

import json
from typing import Any, NamedTuple

Identifier = str | int | None


class Subject(NamedTuple):
    kind: str
    id: Identifier


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def data_of(payload: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = payload.get("data", payload)
    return data


def source_of(payload: dict[str, Any]) -> str:
    """`ui`, `api` or `system`; what fires by itself is the system's."""
    return str(payload.get("source", "system"))


def subject_of(payload: dict[str, Any]) -> Subject:
    if "subject_type" in payload:
        return Subject(payload["subject_type"], payload["subject_id"])
    if "conversion" in payload:
        return Subject("Conversion", payload["conversion"]["conversion_id"])
    if "custom_event" in payload:
        return Subject("CustomEvent", payload["custom_event"]["custom_event_id"])
    return Subject("Hit", payload.get("hit", {}).get("hit_id"))


def funnel_of(payload: dict[str, Any]) -> Identifier:
    known = (payload, payload.get("funnel", {}), payload.get("hit", {}))
    found: Identifier = next((some["funnel_id"] for some in known if "funnel_id" in some), None)
    return found


def page_of(payload: dict[str, Any]) -> Identifier:
    known = (payload, payload.get("hit", {}))
    found: Identifier = next((some["page_id"] for some in known if "page_id" in some), None)
    return found
