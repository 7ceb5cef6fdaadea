"""A replay: which events go to which config once more, and how far that has come."""

from enum import StrEnum
from typing import Any, Literal

from shared.deliveries.models import DeliveryState
from shared.jobs import Job
from shared.model import Model

# Those in which a delivery may stay; the others it only passes through.
Lasting = Literal[
    DeliveryState.WAITING,
    DeliveryState.HELD,
    DeliveryState.DELIVERED,
    DeliveryState.FAILED,
    DeliveryState.CANCELLED,
]


class ReplayState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


ACTIVE = (ReplayState.RUNNING, ReplayState.PAUSED)


class ReplayCursor(Model):
    """In which part of its source a replay is, and after which entry of it."""

    part: int = 0
    after: dict[str, str] | None = None


class Selection(Model):
    """Events that came in from `since` to `until`, in milliseconds, both included.

    All of the workspace; or with `source_id` those that went to that config, and with `states`
    only those whose delivery to it is in one of them.
    """

    workspace_id: str
    since: int
    until: int
    event_types: tuple[str, ...] = ()
    source_id: str | None = None
    states: tuple[DeliveryState, ...] = ()


class Replay(Selection):
    """`total` is what was found, `queued` and `skipped` what has been gone through of it."""

    replay_id: str
    config_id: str
    rate: int
    state: ReplayState = ReplayState.RUNNING
    is_counted: bool
    place: ReplayCursor = ReplayCursor()
    total: int = 0
    queued: int = 0
    skipped: int = 0
    created_at: int
    ended_at: int | None = None


def replay_id_of(job: Job) -> str:
    return job.id.rpartition("#")[2]


def stored(replay: Replay) -> dict[str, Any]:
    """As attributes of an item: the place as text, what is empty left out."""
    values = replay.model_dump(mode="json", exclude={"place", "event_types", "states"})
    lists = {"event_types": list(replay.event_types), "states": list(replay.states)}
    return values | {name: some or None for name, some in lists.items()} | place_of(replay.place)


def place_of(place: ReplayCursor) -> dict[str, str]:
    return {"place": place.model_dump_json()}


def replay_from(values: dict[str, Any]) -> Replay:
    known = {name: values[name] for name in values.keys() & Replay.model_fields.keys()}
    return Replay.model_validate(
        known | {"place": ReplayCursor.model_validate_json(values["place"])}
    )
