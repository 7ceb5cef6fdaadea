"""The objects that `imports` is made of."""

from collections.abc import Callable
from functools import cache

from shared import settings
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters
from shared.clock import now_ms
from shared.events.accept import Acceptor
from shared.events.own_types import EventTypeStore
from shared.events.schemas import SchemaChecker
from shared.events.store import EventStore
from shared.imports.bucket import ImportBucket
from shared.imports.importer import Importer
from shared.imports.queue import ImportQueue
from shared.workspaces.models import Workspace
from shared.workspaces.store import WorkspaceStore


def importer(has_time: Callable[[], bool]) -> Importer:
    return Importer(
        bucket=_bucket(),
        queue=_queue(),
        acceptor=_acceptor(),
        workspace_of=_workspace,
        dead_letters=_dead_letters,
        clock=now_ms,
        has_time=has_time,
    )


@cache
def _bucket() -> ImportBucket:
    return ImportBucket(clients.s3())


def _queue() -> ImportQueue:
    return ImportQueue(clients.sqs, settings.resource("IMPORT_QUEUE_URL"))


@cache
def _acceptor() -> Acceptor:
    env = settings.load()
    store = EventStore(clients.event_table(), env.retention_days, env.repair_after_s)
    types = EventTypeStore(clients.config_table())
    check = SchemaChecker(types.find_schema, now_ms).check
    return Acceptor(store, check, now_ms, env.retention_days)


def _workspace(workspace_id: str) -> Workspace:
    """Raises NotFoundError. Read for each run: a run may take as long as its function."""
    return WorkspaceStore(clients.config_table()).get(workspace_id)


@cache
def _dead_letters() -> DeadLetters:
    return DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms)
