"""A workspace, which is the tenant, and the keys that act for it."""

from enum import StrEnum

from shared.model import Model


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


class Workspace(Model):
    workspace_id: str
    name: str
    created_at: int


class ApiKey(Model):
    """A key without its secret, of which only the SHA-256 is kept."""

    id: str
    workspace_id: str
    name: str
    client: Client
    scopes: frozenset[Scope]
    created_at: int
    key_expires_at: int | None = None
    active: bool = True

    def is_usable(self, at_ms: int) -> bool:
        return self.active and (self.key_expires_at is None or at_ms < self.key_expires_at)
