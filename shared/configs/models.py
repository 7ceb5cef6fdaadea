"""A webhook config: a destination and what it wants. Each API shows it in its own words."""

from enum import StrEnum

from pydantic import Field

from shared.model import Model
from shared.workspaces.models import Client

# In place of an event type: all of them.
ALL_TYPES = "*"
# A transaction takes 100 items: a save may add so many trigger items and take as many away.
MAX_LISTED = 45


class Status(StrEnum):
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


class DisabledReason(StrEnum):
    """Why the platform disabled a config; one that its owner disabled has none."""

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


class Trigger(Model):
    """Events of a type, or of all types, and of them those that match every filter that is set.

    Of `funnel_ids` and `page_ids` one must match; if there are none, any does.
    """

    event_type: str
    funnel_ids: tuple[str, ...] = ()
    page_ids: tuple[str, ...] = ()
    funnel_id: str | None = None
    node_id: str | None = None
    traffic_source_id: str | None = None
    action_number: int | None = None


class BasicAuth(Model):
    username: str
    password: str


class OldSecret(Model):
    """A secret that was replaced, and still signs beside the new one for a while."""

    secret: str
    signs_until: int


class Listing(Model):
    """A list of another system's API in which a config stands, and where.

    `claim` is what no other config of the list may have.
    """

    name: str
    position: int
    claim: str | None = None


class ConfigName(Model):
    """What a list needs of a config."""

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

    `version` counts the saves, so that of two at once one is refused, and none is half applied.
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
        """What its owner does, in whichever way, with a config that the platform disabled."""
        changes = {"enabled": True, "disabled_reason": None, "disabled_at": None}
        return self.model_copy(update=changes | {"updated_at": now, "version": self.version + 1})

    @property
    def is_receiving(self) -> bool:
        return self.status is Status.ACTIVE and self.enabled

    @property
    def listed_under(self) -> tuple[str, ...]:
        """The event types at which fanout finds this config: its own, or if they are many, all."""
        types = tuple(dict.fromkeys(trigger.event_type for trigger in self.triggers))
        many = ALL_TYPES in types or len(types) > MAX_LISTED
        return (ALL_TYPES,) if many else types
