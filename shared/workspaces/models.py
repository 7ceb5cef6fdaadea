"""A workspace, which is the tenant, its limits and bounds, and its API keys.

Times are milliseconds.
"""

import re
import unicodedata
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared.clock import MS_PER_DAY, MS_PER_S
from shared.errors import InvalidError
from shared.model import Model

# A record outlives its next attempt by this time.
GRACE_MS = MS_PER_DAY


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
    """The kind of client that uses a key. It owns the subscriptions that are made with the key."""

    DASHBOARD = "dashboard"
    ZAPIER = "zapier"
    MAKE = "make"
    API = "api"


Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MAX_SLUG = 64
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=MAX_SLUG)]


def slug_of(name: str) -> str:
    """`Über uns & Co.` becomes `uber-uns-co`; a name without such letters becomes `workspace`."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    return words[:MAX_SLUG].strip("-") or "workspace"


class Limits(Model):
    """The limits of the workspace's plan. Each worker of `ingest` applies `events_per_second`."""

    configs: Annotated[int, Field(ge=0, le=100_000)] = 10_000
    event_types: Annotated[int, Field(ge=0, le=1_000)] = 500
    subscriptions: Annotated[int, Field(ge=0, le=100_000)] = 1_000
    requests_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    events_per_second: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000


_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# A host, or with `*.` every host below it.
RedirectHost = Annotated[
    str, StringConstraints(pattern=rf"^(\*\.)?({_LABEL}\.)+{_LABEL}$", max_length=253)
]
RedirectHosts = Annotated[tuple[RedirectHost, ...], Field(max_length=50)]
Days = Annotated[int, Field(ge=1, le=365)]


class Retention(Model):
    """How long a workspace keeps records and contents (docs/decisions/0023-retention.md).

    `record_ms` is for events and deliveries, `content_ms` for what they hold of bodies.
    """

    record_ms: int
    content_ms: int

    @classmethod
    def of_days(
        cls, stack: int, record: int | None = None, content: int | None = None
    ) -> "Retention":
        """The days of a workspace; without them those of the stack, which are the most."""
        record_days = min(stack, record or stack)
        content_days = min(record_days, content or record_days)
        return cls(record_ms=record_days * MS_PER_DAY, content_ms=content_days * MS_PER_DAY)

    def record_until_s(self, now: int, scheduled: int = 0) -> int:
        """The TTL of a record (Unix time in seconds), after its `scheduled` attempt (ms)."""
        return max(now + self.record_ms, scheduled + GRACE_MS) // MS_PER_S

    def content_until_s(self, now: int, scheduled: int = 0) -> int:
        return max(now + self.content_ms, scheduled + GRACE_MS) // MS_PER_S

    def shows_content_since(self, now: int) -> int:
        """Contents of events that were accepted before this time (ms) are hidden."""
        return now - self.content_ms


class Workspace(Model):
    """`version` counts the changes, so that one of two concurrent changes is refused.

    Events and deliveries are kept for `retention_days`, the contents of their bodies for
    `content_days`; None means as long as the stack keeps them. Actions redirect to `redirect_hosts`
    only. `link_secret` signs action links; it is None before the first link, and a dump of the
    model leaves it out.
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
        return Retention.of_days(stack_days, self.retention_days, self.content_days)

    def check_retention(self, stack_days: int) -> None:
        """Raises InvalidError if records are kept longer than the stack keeps them, or contents
        longer than records."""
        record = self.retention_days or stack_days
        if record > stack_days:
            raise InvalidError.at(
                "retention_days", f"the stack keeps nothing beyond {stack_days} days"
            )
        if (self.content_days or record) > record:
            raise InvalidError.at(
                "content_days", f"must not be more than the retention, {record} days"
            )


class ApiKey(Model):
    """A key without its secret: only the SHA-256 and the first characters of the secret are kept.

    `version` counts the changes, as a workspace's does.
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
    """A usable key, and the workspace that it acts for."""

    key: ApiKey
    workspace: Workspace

    @property
    def workspace_id(self) -> str:
        return self.workspace.workspace_id
