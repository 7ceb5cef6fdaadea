"""The JSON Lines that an export writes and an import reads: one object a line, without secrets."""

from typing import Annotated, Literal

from pydantic import (
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    field_validator,
)

from shared.apis.funnelflux import models as wire
from shared.clock import Moment
from shared.configs.listings import MAX_POSITION
from shared.configs.models import DisabledReason, Status
from shared.errors import TooLargeError
from shared.events.own_types import EventTypeNew
from shared.input.json_body import parse_json
from shared.input.validation import from_problems
from shared.model import Model
from shared.workspaces.models import Client, Days, Name, RedirectHosts, Slug

# Of a page of an export, which an import takes as it is.
MAX_LINES = 100
MAX_PAGE_BYTES = 1024 * 1024
# Below the 400 KB of an item of DynamoDB.
MAX_LINE_BYTES = 256 * 1024
# As many event types as an endpoint of ClickFunnels' API may name.
MAX_TRIGGERS = 500

Label = Annotated[str, StringConstraints(min_length=1, max_length=255)]
Claim = Annotated[str, StringConstraints(pattern=r"^(ID#[\s\S]{1,255}|ASKS#[0-9a-f]{64})$")]


# Only an operator of the stack may shorten or lengthen what is kept; a key that writes configs may
# not.
KEPT_BY_THE_STACK = ("retention_days", "content_days")


class WorkspaceLine(Model):
    """Settings of the workspace. Its limits belong to the plan and do not move.

    An export shows `retention_days` and `content_days`. An import ignores them: an operator of the
    stack sets them.
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
    """The position of the config in the list of another system's API."""

    position: Annotated[int, Field(ge=0, le=MAX_POSITION)]
    claim: Claim | None = None


class ConfigLine(wire.WebhookConfigBody):
    """A webhook config as it is saved. `********` stands in place of a secret."""

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


_LINE: TypeAdapter[Line] = TypeAdapter(Line, config=ConfigDict(defer_build=True))


def split(content: bytes) -> list[tuple[int, bytes]]:
    """The lines that are not blank, with their numbers. Raises TooLargeError."""
    if len(content) > MAX_PAGE_BYTES:
        raise TooLargeError(f"The body has {len(content)} bytes; import page by page.")
    numbered = enumerate(content.split(b"\n"), start=1)
    return [(number, text) for number, text in numbered if text.strip()]


def read(text: bytes) -> Line:
    """Raises TooLargeError over MAX_LINE_BYTES, and InvalidError that names the wrong fields."""
    values = parse_json(text, MAX_LINE_BYTES)
    try:
        return _LINE.validate_python(values)
    except ValidationError as error:
        has_kind = isinstance(values, dict) and "kind" in values
        problems = error.errors(include_url=False, include_input=False)
        # pydantic begins each path with the kind.
        raise from_problems(problems, skip=int(has_kind)) from None


def id_of(line: Line) -> str | None:
    """The id that the line names; None for the line of the workspace."""
    match line:
        case WorkspaceLine():
            return None
        case CategoryLine():
            return line.idCategory
        case EventTypeLine():
            return line.name
        case ConfigLine():
            return line.idWebhookConfig


def _not_deleted(status: Status) -> Status:
    if status is Status.DELETED:
        raise ValueError("a deleted item cannot be imported")
    return status
