"""Which configs want an event."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from shared.configs.models import ALL_TYPES, Trigger
from shared.events.models import Event
from shared.events.operational import OPERATIONAL_TYPES
from shared.model import Model

_SEVERAL = {"funnel_ids": "funnel_id", "page_ids": "page_id"}
_ONE = ("funnel_id", "node_id", "traffic_source_id", "action_number")


class Wanted(Model):
    """What a config wants, of one event type or of all, since a moment in milliseconds."""

    config_id: str
    since: int
    filters: tuple[Trigger, ...]


def wanting(event: Event, candidates: Iterable[Wanted]) -> list[str]:
    """Ids of the configs that want the event, each once.

    One made after the event does not, so a second look at an event finds what the first one found.
    """
    facts = _facts(event)
    found = (
        wanted.config_id
        for wanted in candidates
        if wanted.since <= event.accepted_at
        and any(_matches(trigger, facts) for trigger in wanted.filters)
    )
    return list(dict.fromkeys(found))


def _facts(event: Event) -> dict[str, Any]:
    payload = json.loads(event.payload)
    funnel, hit = payload.get("funnel", {}), payload.get("hit", {})
    source = payload.get("traffic_source", {})
    return {
        "event_type": event.event_type,
        "page_id": payload.get("page_id") or hit.get("page_id"),
        "funnel_id": funnel.get("funnel_id") or hit.get("funnel_id") or payload.get("funnel_id"),
        "node_id": funnel.get("node_id") or hit.get("node_id"),
        "traffic_source_id": source.get("traffic_source_id") or hit.get("traffic_source_id"),
        "action_number": payload.get("action_number"),
    }


def _matches(trigger: Trigger, facts: dict[str, Any]) -> bool:
    """What the platform tells of itself goes to those alone that ask for it by its name."""
    if trigger.event_type == ALL_TYPES and facts["event_type"] in OPERATIONAL_TYPES:
        return False
    return all(
        facts[name] is not None and str(facts[name]) in wanted for name, wanted in _asked(trigger)
    )


def _asked(trigger: Trigger) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Facts of an event, and the values of which each must have one."""
    if trigger.event_type != ALL_TYPES:
        yield "event_type", (trigger.event_type,)
    for name, several in _SEVERAL.items():
        if wanted := getattr(trigger, name):
            yield several, wanted
    for name in _ONE:
        if (value := getattr(trigger, name)) is not None:
            yield name, (str(value),)
