"""Replays as the API reads and shows them."""

from typing import Annotated, Any

from pydantic import Field

from shared.clock import Moment, Timestamp
from shared.deliveries.models import DeliveryState
from shared.errors import InvalidError
from shared.events.models import ConfigId, EventType
from shared.jobs import Cursor
from shared.model import Model
from shared.replays.models import Lasting, Replay, ReplayState, Selection
from shared.replays.progress import ReplayProgress

# About 20,000 entries of a log. The job counts the others.
COUNT_QUERIES = 5
DEFAULT_RATE = 10
COUNTING = "counting"

ShownState = Annotated[str, Field(json_schema_extra={"enum": [COUNTING, *ReplayState]})]


class ReplayNew(Model):
    """Events that were accepted from `since` to `until`, both included, are sent to `config_id`.

    Without `states` and `from_config_id` these are the events of the workspace, whatever the
    triggers of the config. With either, they are the events that went to `from_config_id`, by
    default to `config_id` itself.
    """

    config_id: ConfigId
    since: Moment
    until: Moment | None = None
    event_types: Annotated[tuple[EventType, ...], Field(max_length=100)] = ()
    states: Annotated[tuple[Lasting, ...], Field(max_length=5)] = ()
    from_config_id: ConfigId | None = None
    rate_per_second: Annotated[int, Field(ge=1, le=500)] = DEFAULT_RATE
    dry_run: bool = False

    def selection(self, workspace_id: str, now: int) -> Selection:
        """The events that are asked for, until `now` (ms) at most. Raises InvalidError."""
        until = now if self.until is None else min(self.until, now)
        if until < self.since:
            raise InvalidError.at("since", "must not be after until, nor in the future")
        source = self.from_config_id or (self.config_id if self.states else None)
        return Selection(
            workspace_id=workspace_id,
            since=self.since,
            until=until,
            event_types=tuple(dict.fromkeys(self.event_types)),
            source_id=source,
            states=tuple(dict.fromkeys(self.states)),
        )

    def replay(
        self, selection: Selection, replay_id: str, total: int, cursor: Cursor | None, now: int
    ) -> Replay:
        """`total` events are counted. The counting goes on at `cursor`; None if it is done."""
        return Replay(
            **selection.model_dump(),
            replay_id=replay_id,
            config_id=self.config_id,
            rate=self.rate_per_second,
            is_counted=cursor is None,
            cursor=cursor or Cursor(),
            total=total,
            created_at=now,
        )


class ReplayStarted(Model):
    """A dry run has no `replay_id` and no `state`. Unless `is_counted`, there are more events."""

    replay_id: str | None = None
    state: ShownState | None = None
    total: int
    is_counted: bool


class ReplaySummary(Model):
    """Of `total` events, `queued` became deliveries and `skipped` did not. A replay that is
    `finished` has queued all of its events."""

    replay_id: str
    state: ShownState
    config_id: str
    from_config_id: str | None
    since: Timestamp
    until: Timestamp
    event_types: tuple[str, ...]
    states: tuple[DeliveryState, ...]
    rate_per_second: int
    total: int
    queued: int
    skipped: int
    created_at: Timestamp
    ended_at: Timestamp | None


class ReplayRead(ReplaySummary):
    """The states of the `queued` deliveries. All five numbers are null while too many deliveries
    are not delivered to be counted."""

    delivered: int | None = None
    pending: int | None = None
    held: int | None = None
    failed: int | None = None
    cancelled: int | None = None


class ReplayPage(Model):
    data: tuple[ReplaySummary, ...]
    next_cursor: str | None


def started(replay: Replay) -> ReplayStarted:
    return ReplayStarted(
        replay_id=replay.replay_id,
        state=_state(replay),
        total=replay.total,
        is_counted=replay.is_counted,
    )


def summary(replay: Replay) -> ReplaySummary:
    return ReplaySummary(**_shown(replay))


def full(replay: Replay, progress: ReplayProgress | None) -> ReplayRead:
    return ReplayRead(**_shown(replay), **(progress.model_dump() if progress else {}))


def _shown(replay: Replay) -> dict[str, Any]:
    names = ReplaySummary.model_fields.keys() - {"state"}
    values = {name: getattr(replay, name) for name in names & Replay.model_fields.keys()}
    source = {"from_config_id": replay.source_id, "rate_per_second": replay.rate}
    return values | source | {"state": _state(replay)}


def _state(replay: Replay) -> str:
    is_counting = replay.state is ReplayState.RUNNING and not replay.is_counted
    return COUNTING if is_counting else replay.state
