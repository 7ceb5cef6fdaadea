"""The triggers of a webhook config: which events it wants."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from shared.events.models import Event
from shared.events.operational import OPERATIONAL_TYPES
from shared.model import Model

# In place of an event type: every event type.
ALL_TYPES = "*"
# A transaction takes 100 items: a save may add this many trigger items and delete as many.
MAX_LISTED = 45

_SEVERAL = {"funnel_ids": "funnel_id", "page_ids": "page_id"}
_ONE = ("funnel_id", "node_id", "traffic_source_id", "action_number")


class Trigger(Model):
    """An event type, or all types, and filters; an event must match every filter that is set.

    One of `funnel_ids`, and one of `page_ids`, must match; an empty tuple is no filter.
    """

    event_type: str
    funnel_ids: tuple[str, ...] = ()
    page_ids: tuple[str, ...] = ()
    funnel_id: str | None = None
    node_id: str | None = None
    traffic_source_id: str | None = None
    action_number: int | None = None

    def matches(self, facts: Mapping[str, Any]) -> bool:
        """Whether the trigger wants the event with these facts (see `facts_of`).

        An operational event matches only a trigger that names its type.
        """
        if self.event_type == ALL_TYPES and facts["event_type"] in OPERATIONAL_TYPES:
            return False
        return all(
            facts[name] is not None and str(facts[name]) in allowed
            for name, allowed in self._filters()
        )

    def _filters(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The names of facts, each with the values that it may have."""
        if self.event_type != ALL_TYPES:
            yield "event_type", (self.event_type,)
        for name, fact in _SEVERAL.items():
            if allowed := getattr(self, name):
                yield fact, allowed
        for name in _ONE:
            if (value := getattr(self, name)) is not None:
                yield name, (str(value),)


class Interest(Model):
    """The triggers of a config for one event type, or for all.

    The config wants events that were accepted at `since` (ms) or later.
    """

    config_id: str
    since: int
    triggers: tuple[Trigger, ...]


def interested(event: Event, interests: Iterable[Interest]) -> list[str]:
    """The ids of the configs that want the event, each once.

    A config that is made after the event does not want it, so a second look at an event finds the
    same configs.
    """
    facts = facts_of(event)
    found = (
        interest.config_id
        for interest in interests
        if interest.since <= event.accepted_at
        and any(trigger.matches(facts) for trigger in interest.triggers)
    )
    return list(dict.fromkeys(found))


def facts_of(event: Event) -> dict[str, Any]:
    """What the filters of a trigger look at; None for what the event does not say."""
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
