"""What the calls of `configs` share."""

from functools import cache

from shared import settings
from shared.attempts import placeholders
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.categories import CategoryStore
from shared.configs.listings import ListingStore
from shared.configs.store import ConfigStore
from shared.errors import InvalidError
from shared.events import catalogue
from shared.events.operational import OPERATIONAL_TYPES
from shared.events.own_types import EventTypeStore
from shared.outbound.ssrf import Policy, check_url
from shared.web.keyring import Keyring
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
def policy() -> Policy:
    return Policy(allow_private=env().allow_private_targets, ports=env().ports)


def check_target(path: str, url: str) -> None:
    """Raises InvalidError at `path` for a URL that no webhook may go to."""
    try:
        placeholders.check(url)
        check_url(placeholders.without(url), policy())
    except ValueError as error:
        raise InvalidError.at(path, str(error)) from None


def is_built_in(event_type: str) -> bool:
    """Whether every workspace has it: of the catalogue, or told by the platform of itself."""
    return catalogue.find(event_type) is not None or event_type in OPERATIONAL_TYPES


api = Api(bearer=keyring)
