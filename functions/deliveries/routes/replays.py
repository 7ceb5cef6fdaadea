"""Replays over HTTPS: begin one, watch it, pause, resume, cancel."""

from functools import cache
from typing import Annotated

from botocore.exceptions import BotoCoreError, ClientError
from pydantic import Field

from functions.deliveries.routes.log import api
from shared import settings
from shared.attempts.wiring import retry_queue
from shared.aws import clients
from shared.clock import Moment, Timestamp, now_ms
from shared.configs.models import Status
from shared.configs.store import ConfigStore
from shared.deliveries.models import DeliveryState
from shared.deliveries.queue import NotQueuedError
from shared.errors import InvalidError, NotFoundError
from shared.events.models import ConfigId, EventType
from shared.ids import new_replay_id
from shared.input.paging import PageOf
from shared.jobs import Cursor
from shared.model import Model
from shared.observability import fault, logger
from shared.replays.models import Lasting, Replay, ReplayState, Selection
from shared.replays.progress import ProgressReader
from shared.replays.source import ReplaySource
from shared.replays.store import FIRST_PAGE_MS, ReplayStore, first_message
from shared.web.operations import Answered
from shared.workspaces.models import Caller, Scope

# Some 20,000 entries of a log; what is more the job goes on counting.
COUNT_QUERIES = 5
DEFAULT_RATE = 10
COUNTING = "counting"

ShownState = Annotated[str, Field(json_schema_extra={"enum": [COUNTING, *ReplayState]})]


class ReplayNew(Model):
    """Events that came in from `since` to `until`, both included, to `config_id`.

    Without `states` and `from_config_id` they are those of the workspace, whatever the config's
    triggers; with one of them those that went to `from_config_id`, or else to `config_id` itself.
    """

    config_id: ConfigId
    since: Moment
    until: Moment | None = None
    event_types: Annotated[tuple[EventType, ...], Field(max_length=100)] = ()
    states: Annotated[tuple[Lasting, ...], Field(max_length=5)] = ()
    from_config_id: ConfigId | None = None
    rate_per_second: Annotated[int, Field(ge=1, le=500)] = DEFAULT_RATE
    dry_run: bool = False


class ReplayStarted(Model):
    """A dry run has no `replay_id` and no `state`. Unless `is_counted`, there are more."""

    replay_id: str | None = None
    state: ShownState | None = None
    total: int
    is_counted: bool


class ReplaySummary(Model):
    """`queued` and `skipped` are what has been gone through of `total`. `finished` says that all
    is queued."""

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
    """What became of `queued`. All five are null while too many are not delivered to be counted."""

    delivered: int | None = None
    pending: int | None = None
    held: int | None = None
    failed: int | None = None
    cancelled: int | None = None


class ReplayPage(Model):
    data: tuple[ReplaySummary, ...]
    next_cursor: str | None


@api.post(
    "/v1/replays",
    Scope.DELIVERIES_WRITE,
    status=202,
    also=(200,),
    errors=(403, 404),
    omit_none=True,
)
def start_replay(caller: Caller, body: ReplayNew) -> Answered[ReplayStarted]:
    """Send events to a config once more, or for the first time; begins within seconds.

    Each event goes once, with a request id of its own. A dry run counts, and answers 200.
    """
    _check_config(caller.workspace_id, body.config_id)
    now = now_ms()
    selection = _selection(caller.workspace_id, body, now)
    total, cursor = _source().count(selection, Cursor(), COUNT_QUERIES)
    if body.dry_run:
        return Answered(ReplayStarted(total=total, is_counted=cursor is None), status=200)
    replay = Replay(
        **selection.model_dump(),
        replay_id=new_replay_id(now),
        config_id=body.config_id,
        rate=body.rate_per_second,
        is_counted=cursor is None,
        cursor=cursor or Cursor(),
        total=total,
        created_at=now,
    )
    _replays().start(replay)
    _hurry(replay)
    shown = {"replay_id": replay.replay_id, "state": _state(replay)}
    return Answered(ReplayStarted(**shown, total=total, is_counted=replay.is_counted))


@api.get("/v1/replays", Scope.DELIVERIES_READ)
def list_replays(caller: Caller, query: PageOf) -> ReplayPage:
    """Replays of the workspace, newest first."""
    found, cursor = _replays().page(caller.workspace_id, query.limit, query.cursor)
    data = tuple(ReplaySummary(**_shown(replay)) for replay in found)
    return ReplayPage(data=data, next_cursor=cursor)


@api.get("/v1/replays/<replay_id>", Scope.DELIVERIES_READ, errors=(404,))
def get_replay(caller: Caller, replay_id: str) -> ReplayRead:
    """How far a replay has come, and what became of its deliveries."""
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/pause", Scope.DELIVERIES_WRITE, errors=(404, 409))
def pause_replay(caller: Caller, replay_id: str) -> ReplayRead:
    """Queue no more until it is resumed. What is queued goes out: some four seconds' worth."""
    _replays().pause(_find(caller, replay_id))
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/resume", Scope.DELIVERIES_WRITE, errors=(404, 409))
def resume_replay(caller: Caller, replay_id: str) -> ReplayRead:
    """Go on where it was paused, within seconds."""
    replay = _find(caller, replay_id)
    _replays().resume(replay, now_ms())
    _hurry(replay)
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/cancel", Scope.DELIVERIES_WRITE, errors=(404, 409))
def cancel_replay(caller: Caller, replay_id: str) -> ReplayRead:
    """Queue no more, for good. What is queued goes out."""
    _replays().cancel(_find(caller, replay_id), now_ms())
    return _read(_find(caller, replay_id))


def _hurry(replay: Replay) -> None:
    """Queue the first page. If this fails, repair queues it within a minute or two."""
    try:
        retry_queue().send([first_message(replay)], FIRST_PAGE_MS)
    except (BotoCoreError, ClientError, NotQueuedError) as error:
        logger.warning("replay.not_hurried", replay_id=replay.replay_id, **fault(error))


def _find(caller: Caller, replay_id: str) -> Replay:
    return _replays().find(caller.workspace_id, replay_id)


def _check_config(workspace_id: str, config_id: str) -> None:
    if _configs().find(workspace_id, config_id).status is Status.DELETED:
        raise NotFoundError(f"The webhook config {config_id} is deleted.")


def _selection(workspace_id: str, body: ReplayNew, now: int) -> Selection:
    until = now if body.until is None else min(body.until, now)
    if until < body.since:
        raise InvalidError.at("since", "must not be after until, nor in the future")
    source = body.from_config_id or (body.config_id if body.states else None)
    return Selection(
        workspace_id=workspace_id,
        since=body.since,
        until=until,
        event_types=tuple(dict.fromkeys(body.event_types)),
        source_id=source,
        states=tuple(dict.fromkeys(body.states)),
    )


def _read(replay: Replay) -> ReplayRead:
    progress = _progress().read(replay)
    return ReplayRead(**_shown(replay), **(progress.model_dump() if progress else {}))


def _shown(replay: Replay) -> dict[str, object]:
    names = ReplaySummary.model_fields.keys() - {"state"}
    values = {name: getattr(replay, name) for name in names & Replay.model_fields.keys()}
    source = {"from_config_id": replay.source_id, "rate_per_second": replay.rate}
    return values | source | {"state": _state(replay)}


def _state(replay: Replay) -> str:
    is_counting = replay.state is ReplayState.RUNNING and not replay.is_counted
    return COUNTING if is_counting else replay.state


@cache
def _configs() -> ConfigStore:
    return ConfigStore(clients.config_table())


@cache
def _replays() -> ReplayStore:
    env = settings.load()
    return ReplayStore(clients.config_table(), env.retention_days)


@cache
def _source() -> ReplaySource:
    return ReplaySource(clients.event_table())


@cache
def _progress() -> ProgressReader:
    return ProgressReader(clients.event_table())
