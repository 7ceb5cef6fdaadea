"""The bodies and queries of FunnelFlux's API for webhook configs and categories.

Source: FunnelFlux Pro, Assets API, "Webhook Configs" and "Categories". The models have the names of
that document. Fields that the document does not have are additions, all of them optional.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, field_validator

from shared.clock import Timestamp
from shared.configs.models import DisabledReason, Status, TargetType
from shared.configs.triggers import ALL_TYPES
from shared.dialects import DIALECTS
from shared.events import catalogue
from shared.events.models import EVENT_TYPE, ConfigId
from shared.model import Model

FUNNELFLUX = "funnelflux"
MAX_ENTRIES = 100
MAX_TRIGGERS = 50
MAX_PLACES = 500
MAX_HEADERS = 50
MAX_HEADER_LENGTH = 4096
MAX_WAIT_S = 24 * 60 * 60
MAX_SCHEDULE_S = 7 * MAX_WAIT_S
# DynamoDB keeps 38 digits of a number.
MAX_ACTION_NUMBER = 10**9

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
# RFC 9110 §7.6.1
_HOP_BY_HOP = (
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_OF_THE_EXCHANGE = (
    "accept-encoding",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "user-agent",
)
_OF_THE_SIGNATURE = ("webhook-id", "webhook-timestamp", "webhook-signature")
_REFUSED = frozenset(_HOP_BY_HOP + _OF_THE_EXCHANGE + _OF_THE_SIGNATURE)
_OF_THE_PLATFORM = ("x-amz-", "x-funnelhooks-")

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Description = Annotated[str, StringConstraints(max_length=4096)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
# Comma-separated, at most 100.
Ids = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}( *, *[A-Za-z0-9_-]{1,64}){0,99}$"),
    Field(description="Ids, separated by commas, at most 100."),
]
AnyEventType = Annotated[str, StringConstraints(pattern=rf"{EVENT_TYPE}|^\*$", max_length=128)]


def _spoken(dialect: str) -> str:
    if dialect not in DIALECTS:
        raise ValueError(f"is none of {', '.join(DIALECTS)}")
    return dialect


DialectName = Annotated[
    str,
    AfterValidator(_spoken),
    Field(json_schema_extra={"pattern": f"^({'|'.join(DIALECTS)})$"}),
]
CategoryId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")]
Url = Annotated[str, StringConstraints(max_length=2048)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_S)]
Waits = Annotated[list[Wait], Field(min_length=1, max_length=20)]
Listed = Literal["active", "archived", "not-deleted", "all"]
# A client may save what it has read: these fields are accepted and ignored.
ReadOnly = Annotated[Any, Field(json_schema_extra={"readOnly": True})]


class WebhookBasicAuth(Model):
    username: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^:\x00-\x1f\x7f]*$")]
    password: Annotated[str, StringConstraints(max_length=1024)] | None = None


class WebhookBasicAuthRead(Model):
    """The password is write-only and never returned."""

    username: str


class WebhookTrigger(Model):
    """An event type, or all types (`*`), and filters; an event must match every filter that is set.

    One of `idFunnels`, and one of `idPages`, must match.
    """

    eventType: AnyEventType
    idFunnels: Annotated[list[Identifier], Field(max_length=MAX_PLACES)] | None = None
    idPages: Annotated[list[Identifier], Field(max_length=MAX_PLACES)] | None = None
    idFunnel: Identifier | None = None
    idNode: Identifier | None = None
    idTrafficSource: Identifier | None = None
    actionNumber: Annotated[int, Field(ge=0, le=MAX_ACTION_NUMBER)] | None = None


def _every_type(dialect: str | None) -> list[WebhookTrigger]:
    """Triggers for all event types, or for each type that the dialect can express."""
    can_express = DIALECTS[dialect or FUNNELFLUX].can_express
    known = [entry.name for entry in catalogue.ENTRIES if can_express(entry.name)]
    every = [ALL_TYPES] if can_express(ALL_TYPES) else known
    return [WebhookTrigger(eventType=name) for name in every]


class WebhookConfigBody(Model):
    """A config to save. A field that is left out takes its default; the `dialect` cannot change."""

    idWebhookConfig: ConfigId
    webhookConfigName: Name
    description: Description = ""
    idCategory: CategoryId = ""
    status: Status = Status.ACTIVE
    enabled: bool = True
    targetType: TargetType = TargetType.CUSTOM
    url: Annotated[Url, Field(validate_default=True, examples=["https://example.com/webhook"])] = ""
    headers: dict[str, str] = Field(
        default_factory=dict, max_length=MAX_HEADERS, examples=[{"X-Source": "funnelflux"}]
    )
    basicAuth: WebhookBasicAuth | None = None
    dialect: DialectName = FUNNELFLUX
    triggers: list[WebhookTrigger] = Field(
        default=None, min_length=1, max_length=MAX_TRIGGERS, validate_default=True
    )
    retrySchedule: Waits | None = None
    rateLimitPerSecond: Annotated[int, Field(ge=1, le=1000)] | None = None
    timeoutSeconds: Annotated[int, Field(ge=1, le=10)] = 10
    awsIamAuth: bool = False
    disabledReason: ReadOnly = None
    disabledAt: ReadOnly = None
    managedBy: ReadOnly = None
    warnings: ReadOnly = None
    createdAt: ReadOnly = None
    updatedAt: ReadOnly = None

    @field_validator("url")
    @classmethod
    def _enabled_needs_a_url(cls, url: str, given: ValidationInfo) -> str:
        if given.data.get("enabled") and not url:
            raise ValueError("is required while enabled is true; save a draft with enabled false")
        return url

    @field_validator("triggers", mode="before")
    @classmethod
    def _left_out_means_every_type(cls, triggers: Any, given: ValidationInfo) -> Any:
        return _every_type(given.data.get("dialect")) if triggers is None else triggers

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            _check_header(name, value)
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("a header is given twice; names differ in more than their case")
        return headers

    @field_validator("basicAuth")
    @classmethod
    def _one_authorization(
        cls, basic: WebhookBasicAuth | None, given: ValidationInfo
    ) -> WebhookBasicAuth | None:
        names = {name.lower() for name in given.data.get("headers", {})}
        if basic is not None and "authorization" in names:
            raise ValueError("makes the header Authorization, which headers has too; send one")
        return basic

    @field_validator("retrySchedule")
    @classmethod
    def _schedule_ends(cls, waits: list[int] | None) -> list[int] | None:
        if waits is not None and sum(waits) > MAX_SCHEDULE_S:
            raise ValueError(f"the waits must not add up to more than {MAX_SCHEDULE_S} s (7 days)")
        return waits


class WebhookConfigRead(Model):
    """The stored config; header values that look like credentials are masked.

    `managedBy` is the kind of client that made the config. `disabledReason` and `disabledAt` are
    set if the platform disabled it.
    """

    idWebhookConfig: str
    webhookConfigName: str
    description: str
    idCategory: str
    status: Status
    enabled: bool
    disabledReason: DisabledReason | None = None
    disabledAt: Timestamp | None = None
    targetType: TargetType
    url: str
    headers: dict[str, str]
    basicAuth: WebhookBasicAuthRead | None = None
    dialect: str
    managedBy: str
    triggers: tuple[WebhookTrigger, ...]
    retrySchedule: tuple[int, ...] | None = None
    rateLimitPerSecond: int | None = None
    timeoutSeconds: int
    awsIamAuth: bool
    warnings: tuple[str, ...]
    createdAt: Timestamp
    updatedAt: Timestamp


class WebhookConfigInfo(Model):
    """The short form for lists. `disabledReason` and `disabledAt` are set if the platform disabled
    the config."""

    idWebhookConfig: str
    webhookConfigName: str
    status: Status
    targetType: TargetType
    enabled: bool
    idCategory: str
    categoryName: str
    disabledReason: DisabledReason | None = None
    disabledAt: Timestamp | None = None


class WebhookConfigCreated(Model):
    """`secret` is shown here and never again."""

    idWebhookConfig: str
    secret: str
    warnings: tuple[str, ...]


class DuplicateRequest(Model):
    name: Name
    parentId: CategoryId = ""
    bodyUpdates: dict[str, Any] = Field(default_factory=dict)


class DuplicateResponse(Model):
    """`secret` is the signing secret of a new config; a category has none."""

    id: str
    secret: str | None = None


class StringList(Model):
    entries: Annotated[list[Identifier], Field(min_length=1, max_length=MAX_ENTRIES)]


class MoveCategoryRequest(StringList):
    idCategory: CategoryId


class RotateRequest(Model):
    overlapHours: Annotated[int, Field(ge=0, le=7 * 24)] = 24


class RotatedSecret(Model):
    secret: str


class ListQuery(Model):
    status: Listed
    idCategory: CategoryId | None = None


class ConfigQuery(Model):
    idWebhookConfig: Identifier


class ConfigsQuery(Model):
    idWebhookConfigs: Ids


class CategoryBody(Model):
    idCategory: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    categoryName: Name
    categoryType: Literal["webhookconfig"] = "webhookconfig"
    status: Status = Status.ACTIVE


class CategoryListQuery(Model):
    status: Listed
    categoryType: Literal["webhookconfig"] = "webhookconfig"


class CategoryQuery(Model):
    idCategory: Identifier


class CategoriesQuery(Model):
    idCategories: Ids


def split_ids(text: str) -> list[str]:
    """The ids of a comma-separated list."""
    return [part.strip() for part in text.split(",")]


def _check_header(name: str, value: str) -> None:
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    prefixes = (*_OF_THE_PLATFORM, *(dialect.header_prefix for dialect in DIALECTS.values()))
    if lower in _REFUSED or lower.startswith(prefixes):
        raise ValueError(f"{name} is set by the platform; leave it out")
    if len(value) > MAX_HEADER_LENGTH:
        raise ValueError(f"the value of {name} is longer than {MAX_HEADER_LENGTH} characters")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError(f"the value of {name} must be printable ASCII without blanks around it")
