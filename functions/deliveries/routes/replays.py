"""Replays: started, listed, shown, paused, resumed, cancelled."""

from botocore.exceptions import BotoCoreError, ClientError

from functions.deliveries.wiring import api, configs, replay_progress, replay_source, replays
from shared.attempts.wiring import retry_queue
from shared.clock import now_ms
from shared.configs.models import Status
from shared.deliveries.queue import MessagesNotSentError
from shared.errors import NotFoundError
from shared.ids import new_replay_id
from shared.input.paging import PageOf
from shared.jobs import Cursor
from shared.observability import fault, logger
from shared.replays import views
from shared.replays.models import Replay
from shared.replays.store import FIRST_PAGE_MS, first_message
from shared.web.operations import Answered
from shared.workspaces.models import Caller, Scope


@api.post(
    "/v1/replays",
    Scope.DELIVERIES_WRITE,
    status=202,
    also=(200,),
    errors=(403, 404),
    omit_none=True,
)
def start_replay(caller: Caller, body: views.ReplayNew) -> Answered[views.ReplayStarted]:
    """Send events to a config again, or for the first time. It begins within seconds.

    Each event is sent once, with a request id of its own. A dry run counts, and answers 200.
    """
    _check_config(caller.workspace_id, body.config_id)
    now = now_ms()
    selection = body.selection(caller.workspace_id, now)
    total, cursor = replay_source().count(selection, Cursor(), views.COUNT_QUERIES)
    if body.dry_run:
        counted = views.ReplayStarted(total=total, is_counted=cursor is None)
        return Answered(counted, status=200)
    replay = body.replay(selection, new_replay_id(now), total, cursor, now)
    replays().start(replay)
    _hurry(replay)
    return Answered(views.started(replay))


@api.get("/v1/replays", Scope.DELIVERIES_READ)
def list_replays(caller: Caller, query: PageOf) -> views.ReplayPage:
    """Replays of the workspace, newest first."""
    found, cursor = replays().page(caller.workspace_id, query.limit, query.cursor)
    return views.ReplayPage(data=tuple(map(views.summary, found)), next_cursor=cursor)


@api.get("/v1/replays/<replay_id>", Scope.DELIVERIES_READ, errors=(404,))
def get_replay(caller: Caller, replay_id: str) -> views.ReplayRead:
    """How far a replay is, and the states of its deliveries."""
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/pause", Scope.DELIVERIES_WRITE, errors=(404, 409))
def pause_replay(caller: Caller, replay_id: str) -> views.ReplayRead:
    """Queue no more deliveries until it is resumed. Queued ones are sent: those of four seconds."""
    replays().pause(_find(caller, replay_id))
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/resume", Scope.DELIVERIES_WRITE, errors=(404, 409))
def resume_replay(caller: Caller, replay_id: str) -> views.ReplayRead:
    """Go on where it was paused, within seconds."""
    replay = _find(caller, replay_id)
    replays().resume(replay, now_ms())
    _hurry(replay)
    return _read(_find(caller, replay_id))


@api.post("/v1/replays/<replay_id>/cancel", Scope.DELIVERIES_WRITE, errors=(404, 409))
def cancel_replay(caller: Caller, replay_id: str) -> views.ReplayRead:
    """Queue no more deliveries, for good. Queued ones are sent."""
    replays().cancel(_find(caller, replay_id), now_ms())
    return _read(_find(caller, replay_id))


def _hurry(replay: Replay) -> None:
    """Queue the first page. If this fails, repair queues it within a minute or two."""
    try:
        retry_queue().send([first_message(replay)], FIRST_PAGE_MS)
    except (BotoCoreError, ClientError, MessagesNotSentError) as error:
        logger.warning("replay.not_hurried", replay_id=replay.replay_id, **fault(error))


def _find(caller: Caller, replay_id: str) -> Replay:
    return replays().find(caller.workspace_id, replay_id)


def _check_config(workspace_id: str, config_id: str) -> None:
    if configs().find(workspace_id, config_id).status is Status.DELETED:
        raise NotFoundError(f"The webhook config {config_id} is deleted.")


def _read(replay: Replay) -> views.ReplayRead:
    return views.full(replay, replay_progress().read(replay))
