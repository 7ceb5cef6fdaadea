"""A webhook config: a destination, and the triggers that decide which events it gets.

Each API shows a config in its own words.
"""

from enum import StrEnum

from pydantic import Field

from shared.configs.triggers import ALL_TYPES, MAX_LISTED, Trigger
from shared.model import Model
from shared.workspaces.models import Client


class Status(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


# The filters of a list by status.
LISTED: dict[str, frozenset[Status]] = {
    "active": frozenset({Status.ACTIVE}),
    "archived": frozenset({Status.ARCHIVED}),
    "not-deleted": frozenset({Status.ACTIVE, Status.ARCHIVED}),
    "all": frozenset(Status),
}


class DisabledReason(StrEnum):
    """Why the platform disabled a config. None if its owner disabled it."""

    ENDPOINT_GONE = "endpoint_gone"
    ENDPOINT_FAILING = "endpoint_failing"


class TargetType(StrEnum):
    CUSTOM = "custom"
    ZAPIER = "zapier"
    MAKE = "make"
    PIPEDREAM = "pipedream"
    N8N = "n8n"
    TRAY_IO = "tray_io"
    IFTTT = "ifttt"
    AWS_LAMBDA = "aws_lambda"


class BasicAuth(Model):
    username: str
    password: str


class OldSecret(Model):
    """A replaced secret, which signs beside the new one until `signs_until` (ms)."""

    secret: str
    signs_until: int


class Listing(Model):
    """The list of another system's API in which a config stands, and its position there.

    No other config of the list may have the same `claim`.
    """

    name: str
    position: int
    claim: str | None = None


class ConfigName(Model):
    """The fields of a config that a list shows."""

    id: str
    name: str
    status: Status
    enabled: bool
    target_type: TargetType
    category_id: str
    disabled_reason: DisabledReason | None = None
    disabled_at: int | None = None


class WebhookConfig(Model):
    """Times are milliseconds, waits are seconds.

    `version` counts the saves, so that one of two concurrent saves is refused.
    """

    id: str
    workspace_id: str
    name: str
    description: str = ""
    category_id: str = ""
    status: Status = Status.ACTIVE
    enabled: bool = True
    disabled_reason: DisabledReason | None = None
    disabled_at: int | None = None
    target_type: TargetType = TargetType.CUSTOM
    url: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    triggers: tuple[Trigger, ...]
    dialect: str = "funnelflux"
    managed_by: Client = Client.DASHBOARD
    listing: Listing | None = None
    external_id: str | None = None
    secret: str
    old_secrets: tuple[OldSecret, ...] = ()
    aws_iam_auth: bool = False
    rate_limit_per_second: int | None = None
    retry_schedule: tuple[int, ...] | None = None
    timeout_s: int = 10
    created_at: int
    updated_at: int
    deleted_at: int | None = None
    version: int = 1

    def enabled_again(self, now: int) -> "WebhookConfig":
        """The config after its owner enables it; the platform's reason to disable it is gone."""
        changes = {"enabled": True, "disabled_reason": None, "disabled_at": None}
        return self.model_copy(update=changes | {"updated_at": now, "version": self.version + 1})

    @property
    def is_receiving(self) -> bool:
        return self.status is Status.ACTIVE and self.enabled

    @property
    def listed_under(self) -> tuple[str, ...]:
        """The event types under which fanout finds the config: its own, or ALL_TYPES if it has
        more than MAX_LISTED."""
        types = tuple(dict.fromkeys(trigger.event_type for trigger in self.triggers))
        many = ALL_TYPES in types or len(types) > MAX_LISTED
        return (ALL_TYPES,) if many else types
