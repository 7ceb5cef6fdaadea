"""What moves with a workspace, as JSON Lines: one object a line, and nothing that is secret."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from shared.apis.funnelflux import models as wire
from shared.clock import Moment
from shared.configs.listings import MAX_POSITION
from shared.configs.models import DisabledReason, Status
from shared.events.own_types import EventTypeNew
from shared.model import Model
from shared.workspaces.models import Client, Days, Name, RedirectHosts, Slug

# What ClickFunnels' API lets an endpoint name.
MAX_TRIGGERS = 500

Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Claim = Annotated[str, StringConstraints(pattern=r"^(ID#[\s\S]{1,255}|ASKS#[0-9a-f]{64})$")]


# A key that may write configs must not be able to delete what is kept, or to keep it for longer.
KEPT_BY_THE_STACK = ("retention_days", "content_days")


class WorkspaceLine(Model):
    """Settings of the workspace itself; its limits are the plan's, and do not move.

    An export tells `retention_days` and `content_days`, and an import leaves them to whoever runs
    the stack.
    """

    kind: Literal["workspace"]
    name: Name | None = None
    slug: Slug | None = None
    redirect_hosts: RedirectHosts = ()
    retention_days: Days | None = None
    content_days: Days | None = None


class CategoryLine(wire.CategoryBody):
    kind: Literal["category"]

    @field_validator("status")
    @classmethod
    def _is_not_deleted(cls, status: Status) -> Status:
        return _not_deleted(status)


class EventTypeLine(EventTypeNew):
    kind: Literal["event_type"]


class ListingLine(Model):
    """Where the config stands in the list of another system's API."""

    position: Annotated[int, Field(ge=0, le=MAX_POSITION)]
    claim: Claim | None = None


class ConfigLine(wire.WebhookConfigBody):
    """A webhook config as it is saved. `********` stands for a secret that does not move."""

    kind: Literal["config"]
    triggers: list[wire.WebhookTrigger] = Field(
        default=None, min_length=1, max_length=MAX_TRIGGERS, validate_default=True
    )
    managedBy: Client = Client.DASHBOARD
    externalId: Label | None = None
    listing: ListingLine | None = None
    disabledReason: DisabledReason | None = None
    disabledAt: Moment | None = None
    createdAt: Moment | None = None

    @field_validator("status")
    @classmethod
    def _is_not_deleted(cls, status: Status) -> Status:
        return _not_deleted(status)


Line = Annotated[
    WorkspaceLine | CategoryLine | EventTypeLine | ConfigLine, Field(discriminator="kind")
]


def _not_deleted(status: Status) -> Status:
    if status is Status.DELETED:
        raise ValueError("what is deleted does not move")
    return status
