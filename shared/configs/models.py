"""A webhook config: a destination, and the triggers that decide which events it gets.

Each API shows a config in its own words.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any

from pydantic import Field

from shared.events.models import Event
from shared.events.operational import OPERATIONAL_TYPES
from shared.model import Model
from shared.workspaces.models import Client

# In place of an event type: every event type.
ALL_TYPES = "*"
# A transaction takes 100 items: a save may add this many trigger items and delete as many.
MAX_LISTED = 45

_SEVERAL = {"funnel_ids": "funnel_id", "page_ids": "page_id"}
_ONE = ("funnel_id", "node_id", "traffic_source_id", "action_number")


class Status(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


# The filters of a list by status.
LISTED: dict[str, frozenset[Status]] = {
    "active": frozenset({Status.ACTIVE}),
    "archived": frozenset({Status.ARCHIVED}),
    "not-deleted": frozenset({Status.ACTIVE, Status.ARCHIVED}),
    "all": frozenset(Status),
}


class DisabledReason(StrEnum):
    """Why the platform disabled a config. None if its owner disabled it."""

    ENDPOINT_GONE = "endpoint_gone"
    ENDPOINT_FAILING = "endpoint_failing"


class TargetType(StrEnum):
    CUSTOM = "custom"
    ZAPIER = "zapier"
    MAKE = "make"
    PIPEDREAM = "pipedream"
    N8N = "n8n"
    TRAY_IO = "tray_io"
    IFTTT = "ifttt"
    AWS_LAMBDA = "aws_lambda"


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


class BasicAuth(Model):
    username: str
    password: str


class OldSecret(Model):
    """A replaced secret, which signs beside the new one until `signs_until` (ms)."""

    secret: str
    signs_until: int


class Listing(Model):
    """The list of another system's API in which a config stands, and its position there.

    No other config of the list may have the same `claim`.
    """

    name: str
    position: int
    claim: str | None = None


class ConfigName(Model):
    """The fields of a config that a list shows."""

    id: str
    name: str
    status: Status
    enabled: bool
    target_type: TargetType
    category_id: str
    disabled_reason: DisabledReason | None = None
    disabled_at: int | None = None


class WebhookConfig(Model):
    """Times are milliseconds, waits are seconds.

    `version` counts the saves, so that one of two concurrent saves is refused.
    """

    id: str
    workspace_id: str
    name: str
    description: str = ""
    category_id: str = ""
    status: Status = Status.ACTIVE
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    disabled_at: int | None = None
    target_type: TargetType = TargetType.CUSTOM
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    triggers: tuple[Trigger, ...]
    dialect: str = "funnelflux"
    managed_by: Client = Client.DASHBOARD
    listing: Listing | None = None
    external_id: str | None = None
    secret: str
    old_secrets: tuple[OldSecret, ...] = ()
    aws_iam_auth: bool = False
    rate_limit_per_second: int | None = None
    retry_schedule: tuple[int, ...] | None = None
    timeout_s: int = 10
    created_at: int
    updated_at: int
    deleted_at: int | None = None
    version: int = 1

    def enabled_again(self, now: int) -> "WebhookConfig":
        """The config after its owner enables it; the platform's reason to disable it is gone."""
        changes = {"enabled": True, "disabled_reason": None, "disabled_at": None}
        return self.model_copy(update=changes | {"updated_at": now, "version": self.version + 1})

    @property
    def is_receiving(self) -> bool:
        return self.status is Status.ACTIVE and self.enabled

    @property
    def listed_under(self) -> tuple[str, ...]:
        """The event types under which fanout finds the config: its own, or ALL_TYPES if it has
        more than MAX_LISTED."""
        types = tuple(dict.fromkeys(trigger.event_type for trigger in self.triggers))
        many = ALL_TYPES in types or len(types) > MAX_LISTED
        return (ALL_TYPES,) if many else types
