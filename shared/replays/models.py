"""A replay: the events that go to a config once more, and how far this has come."""

from enum import StrEnum
from typing import Any, Literal

from shared.deliveries.models import DeliveryState
from shared.jobs import Cursor, Job
from shared.model import Model

# The states in which a delivery may stay; it only passes through the others.
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


class Selection(Model):
    """Events that were accepted from `since` to `until` (ms), both included.

    They are all events of the workspace; with `source_id`, the events that went to that config; and
    with `states`, the events whose delivery to it is in one of these states.
    """

    workspace_id: str
    since: int
    until: int
    event_types: tuple[str, ...] = ()
    source_id: str | None = None
    states: tuple[DeliveryState, ...] = ()


class Replay(Selection):
    """`total` events were found; so far, `queued` became deliveries and `skipped` did not.

    `cursor` is how far the counting is, and once all are counted, how far the replay is.
    """

    replay_id: str
    config_id: str
    rate: int
    state: ReplayState = ReplayState.RUNNING
    is_counted: bool
    cursor: Cursor = Cursor()
    total: int = 0
    queued: int = 0
    skipped: int = 0
    created_at: int
    ended_at: int | None = None


def replay_id_of(job: Job) -> str:
    return job.id.rpartition("#")[2]


def stored(replay: Replay) -> dict[str, Any]:
    """The attributes of its item; empty lists are left out."""
    values = replay.model_dump(mode="json")
    return values | {name: values[name] or None for name in ("event_types", "states")}
