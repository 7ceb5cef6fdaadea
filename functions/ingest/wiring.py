"""The objects that `ingest` is made of, each made when it is first used."""

from functools import cache

from shared import settings
from shared.actions.authenticator import ActionAuthenticator
from shared.aws import clients
from shared.aws.dead_letters import DeadLetters
from shared.clock import now_ms
from shared.events.accept import Acceptor
from shared.events.envelopes import Intake
from shared.events.own_types import EventTypeStore
from shared.events.schemas import SchemaChecker
from shared.events.store import EventStore
from shared.remembered import Remembered
from shared.web.authentication import IngestAuthenticator, Keyring
from shared.web.rate_limits import EventRateLimiter
from shared.workspaces.models import Workspace
from shared.workspaces.store import WorkspaceStore


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def store() -> EventStore:
    return EventStore(clients.event_table(), env().retention_days, env().repair_after_s)


@cache
def acceptor() -> Acceptor:
    types = EventTypeStore(clients.config_table())
    check = SchemaChecker(types.find_schema, now_ms).check
    return Acceptor(store(), check, now_ms, env().retention_days)


@cache
def intake() -> Intake:
    remembered = Remembered[str, Workspace](now_ms)

    def workspace(workspace_id: str) -> Workspace:
        return remembered.get(workspace_id, lambda: workspaces().get(workspace_id))

    return Intake(acceptor(), workspace, dead_letters)


@cache
def dead_letters() -> DeadLetters:
    return DeadLetters(clients.sqs(), settings.resource("DEAD_LETTERS_URL"), now_ms)


@cache
def workspaces() -> WorkspaceStore:
    return WorkspaceStore(clients.config_table())


@cache
def keyring() -> Keyring:
    return Keyring(workspaces(), now_ms)


@cache
def rate() -> EventRateLimiter:
    return EventRateLimiter(now_ms)


@cache
def authenticator() -> IngestAuthenticator:
    return IngestAuthenticator(keyring().bearer, rate())


@cache
def funnelytics_authenticator() -> IngestAuthenticator:
    return IngestAuthenticator(keyring().funnelytics, rate())


@cache
def action_authenticator() -> ActionAuthenticator:
    return ActionAuthenticator(keyring().bearer, workspaces().get, rate(), now_ms)
