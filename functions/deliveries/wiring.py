"""The objects that `deliveries` is made of, each made when it is first used."""

from functools import cache

from shared import settings
from shared.attempts import wiring
from shared.attempts.resend import Resender
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.store import ConfigStore
from shared.deliveries.store import DeliveryStore
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.privacy.visitor_entries import VisitorEntries
from shared.privacy.visitor_erasure import VisitorErasure
from shared.replays.progress import ProgressReader
from shared.replays.source import ReplaySource
from shared.replays.store import ReplayStore
from shared.visitors.history import History
from shared.visitors.store import VisitorStore
from shared.web.authentication import Keyring
from shared.web.operations import Api
from shared.workspaces.models import Caller
from shared.workspaces.store import WorkspaceStore


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def keyring() -> Keyring:
    return Keyring(WorkspaceStore(clients.config_table()), now_ms)


@cache
def configs() -> ConfigStore:
    return ConfigStore(clients.config_table())


@cache
def logs() -> LogReader:
    return LogReader(clients.event_table())


@cache
def events() -> EventStore:
    return EventStore(clients.event_table(), env().retention_days, env().repair_after_s)


@cache
def deliveries() -> DeliveryStore:
    return DeliveryStore(clients.event_table())


@cache
def resender() -> Resender:
    return Resender(wiring.reader(), wiring.ledger(), wiring.retry_queue(), now_ms)


@cache
def replays() -> ReplayStore:
    return ReplayStore(clients.config_table(), env().retention_days)


@cache
def replay_source() -> ReplaySource:
    return ReplaySource(clients.event_table())


@cache
def replay_progress() -> ProgressReader:
    return ProgressReader(clients.event_table())


@cache
def visitors() -> VisitorStore:
    return VisitorStore(clients.event_table(), env().retention_days)


@cache
def history() -> History:
    return History(clients.event_table())


@cache
def visitor_erasure() -> VisitorErasure:
    return VisitorErasure(
        visitors=visitors(),
        entries=VisitorEntries(clients.event_table(), visitors()),
        history=history(),
        events=events(),
        deliveries=DeliveryErasure(clients.event_table()),
        clock=now_ms,
    )


def shows_content_since(caller: Caller) -> int:
    """The contents of events that were accepted before this time (ms) are hidden."""
    retention = caller.workspace.retention(env().retention_days)
    return retention.shows_content_since(now_ms())


api = Api(bearer=keyring)
