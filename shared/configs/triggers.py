"""Which configs want an event."""

import json
from collections.abc import Iterable
from typing import Any

from shared.configs.models import Trigger
from shared.events.models import Event
from shared.model import Model


class Wanted(Model):
    """What a config wants of one event type, since a moment in milliseconds."""

    config_id: str
    since: int
    filters: tuple[Trigger, ...]


def wanting(event: Event, candidates: Iterable[Wanted]) -> list[str]:
    """Ids of the configs that want the event.

    One made after the event does not, so a second look at an event finds what the first one found.
    """
    facts = _facts(event)
    return [
        wanted.config_id
        for wanted in candidates
        if wanted.since <= event.accepted_at
        and any(_matches(trigger, facts) for trigger in wanted.filters)
    ]


def _facts(event: Event) -> dict[str, Any]:
    payload = json.loads(event.payload)
    funnel, hit = payload.get("funnel", {}), payload.get("hit", {})
    source = payload.get("traffic_source", {})
    return {
        "funnel_id": funnel.get("funnel_id") or hit.get("funnel_id") or payload.get("funnel_id"),
        "node_id": funnel.get("node_id") or hit.get("node_id"),
        "traffic_source_id": source.get("traffic_source_id") or hit.get("traffic_source_id"),
        "action_number": payload.get("action_number"),
    }


def _matches(trigger: Trigger, facts: dict[str, Any]) -> bool:
    asked = trigger.model_dump(exclude={"event_type"}, exclude_none=True)
    return all(
        facts[name] is not None and str(facts[name]) == str(value) for name, value in asked.items()
    )
