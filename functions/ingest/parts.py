"""What the roads into `ingest` share: the store, the keys, the clock."""

from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from shared import aws, settings
from shared.actions.gate import ActionGate
from shared.api.auth import Keyring
from shared.api.limits import EventRate, IngestGate
from shared.api.problems import Problem, problem
from shared.clock import now_ms
from shared.configs.eventtypes import EventTypeStore
from shared.errors import ConflictError, FunnelhooksError, InvalidError, TooLargeError
from shared.events import intake
from shared.events.checker import Checker
from shared.events.models import EventId
from shared.events.store import EventStore
from shared.model import Model
from shared.workspaces.store import WorkspaceStore

MAX_BATCH = 100
PARALLEL = 10


class Result(Model):
    """What became of an event of a batch: its id, or why it was refused."""

    event_id: EventId | None = None
    error: Problem | None = None


@cache
def store() -> EventStore:
    env = settings.load()
    return EventStore(aws.dynamodb(), env.event_table, env.retention_days, env.repair_after_s)


@cache
def workspaces() -> WorkspaceStore:
    return WorkspaceStore(aws.dynamodb(), settings.load().config_table)


@cache
def checker() -> Checker:
    types = EventTypeStore(aws.dynamodb(), settings.load().config_table)
    return Checker(types.find_schema, now_ms)


@cache
def keyring() -> Keyring:
    return Keyring(workspaces(), now_ms)


@cache
def rate() -> EventRate:
    return EventRate(now_ms)


@cache
def gate() -> IngestGate:
    return IngestGate(keyring().bearer, rate())


@cache
def funnelytics_gate() -> IngestGate:
    return IngestGate(keyring().funnelytics, rate())


@cache
def action_gate() -> ActionGate:
    return ActionGate(keyring().bearer, workspaces().get, rate(), now_ms)


def accept(values: Any, workspace_id: str, event_id: str | None = None) -> str:
    """The id of the event, which is stored now, or was before with the same body."""
    new = intake.read(values)
    checker().check(workspace_id, new)
    event = intake.accept(new, workspace_id, now_ms(), event_id)
    size = len(event.payload.encode())
    if size > intake.MAX_EVENT_BYTES:
        raise TooLargeError(f"The event has {size} bytes, the limit is {intake.MAX_EVENT_BYTES}.")
    if store().add(event) not in (None, event.fingerprint):
        raise ConflictError(
            f"The event id {event.event_id} is taken by an event with another body. Send the same "
            "body to repeat it, or another id; an event that carries none is known by its "
            "conversion_id, its custom_event_id, or its hit and node."
        )
    return event.event_id


def checked_batch(batch: Any) -> list[Any]:
    if not isinstance(batch, list) or not 1 <= len(batch) <= MAX_BATCH:
        raise InvalidError.at("events", f"must be an array of 1 to {MAX_BATCH} events")
    return batch


def accept_batch(batch: list[Any], workspace_id: str, batch_id: str | None = None) -> list[Result]:
    """Each event is answered by itself, in the order of the batch.

    `batch_id` and its number stand in for an id that an event does not carry itself.
    """
    ids = [batch_id and f"{batch_id}-{number}" for number in range(len(batch))]
    with ThreadPoolExecutor(PARALLEL) as pool:
        return list(pool.map(partial(_answer, workspace_id), batch, ids))


def _answer(workspace_id: str, values: Any, event_id: str | None) -> Result:
    try:
        return Result(event_id=accept(values, workspace_id, event_id))
    except FunnelhooksError as error:
        return Result(error=problem(error))
