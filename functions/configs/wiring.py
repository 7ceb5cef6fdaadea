"""The stores, rules and API of the process of `configs`, each made at first use."""

from functools import cache

from shared import settings
from shared.apis.checks import ConfigChecks
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.categories import CategoryStore
from shared.configs.listings import ListingStore
from shared.configs.store import ConfigStore
from shared.events.own_types import EventTypeStore
from shared.moving.exporter import Exporter
from shared.moving.importer import WorkspaceImporter
from shared.outbound.ssrf import Policy
from shared.web.authentication import Keyring
from shared.web.operations import Api
from shared.workspaces.store import WorkspaceStore


@cache
def env() -> settings.Settings:
    return settings.load()


@cache
def configs() -> ConfigStore:
    return ConfigStore(clients.config_table())


@cache
def listings() -> ListingStore:
    return ListingStore(clients.config_table())


@cache
def categories() -> CategoryStore:
    return CategoryStore(clients.config_table())


@cache
def event_types() -> EventTypeStore:
    return EventTypeStore(clients.config_table())


@cache
def workspaces() -> WorkspaceStore:
    return WorkspaceStore(clients.config_table())


@cache
def keyring() -> Keyring:
    return Keyring(workspaces(), now_ms)


@cache
def checks() -> ConfigChecks:
    policy = Policy(allow_private=env().allow_private_targets, ports=env().ports)
    return ConfigChecks(policy, categories(), event_types().all)


@cache
def exporter() -> Exporter:
    return Exporter(clients.config_table())


@cache
def importer() -> WorkspaceImporter:
    return WorkspaceImporter(workspaces(), categories(), event_types(), configs(), checks(), now_ms)


api = Api(bearer=keyring)
