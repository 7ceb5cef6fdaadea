"""A workspace, which is the tenant, and the keys that act for it. Times are milliseconds."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared import retention
from shared.model import Model
from shared.retention import Retention


class Scope(StrEnum):
    CONFIGS_READ = "configs:read"
    CONFIGS_WRITE = "configs:write"
    EVENTS_WRITE = "events:write"
    EVENTS_READ = "events:read"
    DELIVERIES_READ = "deliveries:read"
    DELIVERIES_WRITE = "deliveries:write"
    WEBHOOKS_MANAGE = "webhooks:manage"
    KEYS_MANAGE = "keys:manage"


class Client(StrEnum):
    """What a key is used by; it owns the subscriptions that are made with it."""

    DASHBOARD = "dashboard"
    ZAPIER = "zapier"
    MAKE = "make"
    API = "api"


Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]


class Limits(Model):
    """What a workspace may have and do. `events_per_second` holds in each worker of `ingest`."""

    configs: Annotated[int, Field(ge=0, le=100_000)] = 10_000
    event_types: Annotated[int, Field(ge=0, le=1_000)] = 500
    subscriptions: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    events_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000


_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# A host, or with `*.` every host under it.
RedirectHost = Annotated[
    str, StringConstraints(pattern=rf"^(\*\.)?({_LABEL}\.)+{_LABEL}$", max_length=253)
]
RedirectHosts = Annotated[tuple[RedirectHost, ...], Field(max_length=50)]
Days = Annotated[int, Field(ge=1, le=365)]


class Workspace(Model):
    """`version` counts its changes, so that of two at once one is told of the other.

    Events and deliveries are kept for `retention_days`, what they hold of bodies for
    `content_days`; None is as long as the stack keeps them.
    Actions redirect to `redirect_hosts` and nowhere else. `link_secret` signs action links; it is
    there once there is one, and is left out wherever a workspace is written.
    """

    workspace_id: str
    name: str
    slug: str = ""
    limits: Limits = Field(default_factory=Limits)
    redirect_hosts: RedirectHosts = ()
    retention_days: Days | None = None
    content_days: Days | None = None
    link_secret: Annotated[str | None, Field(exclude=True, repr=False)] = None
    created_at: int
    version: int = 1

    def retention(self, stack_days: int) -> Retention:
        return retention.of_days(stack_days, self.retention_days, self.content_days)


class ApiKey(Model):
    """A key without its secret, of which only the SHA-256 and the first characters are kept.

    `version` counts its changes, as a workspace's does.
    """

    id: str
    workspace_id: str
    name: str
    client: Client
    scopes: frozenset[Scope]
    prefix: str = ""
    created_at: int
    last_used_at: int | None = None
    key_expires_at: int | None = None
    active: bool = True
    version: int = 1

    def is_usable(self, at_ms: int) -> bool:
        return self.active and (self.key_expires_at is None or at_ms < self.key_expires_at)


class Caller(Model):
    """Who calls: a key that is usable, and the workspace that it acts for."""

    key: ApiKey
    workspace: Workspace

    @property
    def workspace_id(self) -> str:
        return self.workspace.workspace_id
