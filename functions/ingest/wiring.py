"""What the roads into `ingest` share: the store, the keys, the clock."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from shared import journal, settings
from shared.actions.authenticator import ActionAuthenticator
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters
from shared.clock import now_ms
from shared.errors import FunnelhooksError, InvalidError
from shared.events.accept import Acceptor
from shared.events.models import EventId
from shared.events.own_types import EventTypeStore
from shared.events.schema_check import SchemaChecker
from shared.events.store import EventStore
from shared.model import Model
from shared.web.keyring import Keyring
from shared.web.problems import EVENT_FAULT, Problem, fault, problem
from shared.web.rate_limits import EventRateLimiter, IngestAuthenticator
from shared.workspaces.models import Workspace
from shared.workspaces.store import RememberedWorkspaces, WorkspaceStore

MAX_BATCH = 100
PARALLEL = 10


class EventResult(Model):
    """What became of an event of a batch: its id, or why it was refused."""

    event_id: EventId | None = None
    error: Problem | None = None


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def store() -> EventStore:
    return EventStore(clients.event_table(), env().retention_days, env().repair_after_s)


@cache
def door() -> Acceptor:
    return Acceptor(store(), checker(), now_ms)


@cache
def dead_letters() -> DeadLetters:
    return DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms)


@cache
def workspaces() -> WorkspaceStore:
    return WorkspaceStore(clients.config_table())


@cache
def remembered_workspaces() -> RememberedWorkspaces:
    return RememberedWorkspaces(workspaces().get, now_ms)


@cache
def checker() -> SchemaChecker:
    types = EventTypeStore(clients.config_table())
    return SchemaChecker(types.find_schema, now_ms)


@cache
def keyring() -> Keyring:
    return Keyring(workspaces(), now_ms)


@cache
def rate() -> EventRateLimiter:
    return EventRateLimiter(now_ms)


@cache
def gate() -> IngestAuthenticator:
    return IngestAuthenticator(keyring().bearer, rate())


@cache
def funnelytics_gate() -> IngestAuthenticator:
    return IngestAuthenticator(keyring().funnelytics, rate())


@cache
def action_gate() -> ActionAuthenticator:
    return ActionAuthenticator(keyring().bearer, workspaces().get, rate(), now_ms)


def accept(values: Any, workspace: Workspace, origin: str | None = None) -> str:
    """The id of the event, which is stored now, or was before with the same body."""
    kept = workspace.retention(env().retention_days)
    accepted = door().accept(values, workspace.workspace_id, kept, origin)
    journal.accepted(workspace.workspace_id, accepted.event_id, accepted.is_new, origin)
    return accepted.event_id


def checked_batch(batch: Any) -> list[Any]:
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH:
        raise InvalidError.at("events", f"must be an array of 1 to {MAX_BATCH} events")
    return batch


def accept_batch(
    batch: list[Any], workspace: Workspace, origin: str | None = None
) -> list[EventResult]:
    """Each event is answered by itself, in the order of the batch.

    `origin` is what brought the batch; with the number of an event it says what brought that.
    Whatever has one comes again under the same ids, so a fault of ours is raised then.
    """
    origins = [origin and f"{origin}-{number}" for number in range(len(batch))]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(partial(_answer, workspace), batch, origins))


def _answer(workspace: Workspace, values: Any, origin: str | None) -> EventResult:
    try:
        return EventResult(event_id=accept(values, workspace, origin))
    except FunnelhooksError as error:
        journal.refused(error)
        return EventResult(error=problem(error))
    except Exception as error:
        if origin is not None:
            raise
        journal.failed(workspace.workspace_id, error)
        return EventResult(error=fault(EVENT_FAULT))
