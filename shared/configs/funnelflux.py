"""Webhook configs as FunnelFlux's API shows them, and what it lets a client save.

Source: FunnelFlux Pro, Assets API, "Webhook Configs". The fields after `basicAuth` are additions.
"""

import re
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from shared import ids
from shared.clock import rfc3339
from shared.configs.models import (
    MAX_TRIGGERS,
    BasicAuth,
    Status,
    TargetType,
    Trigger,
    WebhookConfig,
)
from shared.errors import InvalidError
from shared.events.models import ConfigId, TriggerType
from shared.model import Model

# What a read shows in place of a secret, and a save takes for "as it was".
MASK = "********"
MAX_HEADERS = 50
MAX_HEADER_BYTES = 4096
MAX_WAIT_S = 24 * 60 * 60
MAX_SCHEDULE_S = 7 * MAX_WAIT_S
# DynamoDB keeps 38 digits of a number.
MAX_ACTION_NUMBER = 10**9

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_SECRET_NAME = re.compile(r"auth|token|secret|key|password|cookie|signature|credential", re.I)
# Hop-by-hop headers and those that the exchange itself needs (RFC 9110 §7.6.1), and our own.
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
_REFUSED_PREFIXES = ("x-funnelflux-", "x-flowestate-", "x-webhook-clickfunnels-")

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Text = Annotated[str, StringConstraints(max_length=4096)]
Identifier = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Wait = Annotated[int, Field(ge=0, le=MAX_WAIT_S)]


class BasicAuthIn(Model):
    username: Annotated[str, StringConstraints(max_length=256, pattern=r"^[^:\x00-\x1f]*$")]
    password: Annotated[str, StringConstraints(max_length=1024)] | None = None


class TriggerIn(Model):
    eventType: TriggerType
    idFunnel: Identifier | None = None
    idNode: Identifier | None = None
    idTrafficSource: Identifier | None = None
    actionNumber: Annotated[int, Field(ge=0, le=MAX_ACTION_NUMBER)] | None = None

    def trigger(self) -> Trigger:
        return Trigger(
            event_type=self.eventType.value,
            funnel_id=self.idFunnel,
            node_id=self.idNode,
            traffic_source_id=self.idTrafficSource,
            action_number=self.actionNumber,
        )


class WebhookConfigIn(Model):
    """What is saved; a field that is left out takes its default."""

    idWebhookConfig: ConfigId
    webhookConfigName: Name
    description: Text = ""
    idCategory: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""
    status: Status = Status.ACTIVE
    enabled: bool = True
    targetType: TargetType = TargetType.CUSTOM
    url: Annotated[str, StringConstraints(max_length=2048), Field(validate_default=True)] = ""
    headers: dict[str, str] = Field(default_factory=dict, max_length=MAX_HEADERS)
    basicAuth: BasicAuthIn | None = None
    triggers: Annotated[list[TriggerIn], Field(min_length=1, max_length=MAX_TRIGGERS)] | None = None
    retrySchedule: Annotated[list[Wait], Field(min_length=1, max_length=20)] | None = None
    timeoutSeconds: Annotated[int, Field(ge=1, le=10)] = 10

    @field_validator("headers")
    @classmethod
    def _headers_are_sendable(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            _check_header(name, value)
        if len({name.lower() for name in headers}) < len(headers):
            raise ValueError("a header is given twice; names differ in more than their case")
        return headers

    @field_validator("retrySchedule")
    @classmethod
    def _schedule_ends(cls, waits: list[int] | None) -> list[int] | None:
        if waits is not None and sum(waits) > MAX_SCHEDULE_S:
            raise ValueError("the waits must not add up to more than 604800 seconds (7 days)")
        return waits

    @field_validator("url")
    @classmethod
    def _enabled_needs_a_url(cls, url: str, given: ValidationInfo) -> str:
        if given.data.get("enabled") and not url:
            raise ValueError("is required while enabled is true; save a draft with enabled false")
        return url

    @field_validator("basicAuth")
    @classmethod
    def _one_authorization(
        cls, basic: BasicAuthIn | None, given: ValidationInfo
    ) -> BasicAuthIn | None:
        names = {name.lower() for name in given.data.get("headers", {})}
        if basic is not None and "authorization" in names:
            raise ValueError(
                "makes the header Authorization, which headers has too; send one of them"
            )
        return basic


def _check_header(name: str, value: str) -> None:
    lower = name.lower()
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"{name!r} is not a header name")
    if lower in _REFUSED or lower.startswith(_REFUSED_PREFIXES):
        raise ValueError(f"{name} is set by the platform; leave it out")
    if len(value) > MAX_HEADER_BYTES:
        raise ValueError(f"the value of {name} is longer than {MAX_HEADER_BYTES} characters")
    if not value.isascii() or not value.isprintable() or value != value.strip():
        raise ValueError(f"the value of {name} must be printable ASCII without blanks around it")


def created(new: WebhookConfigIn, workspace_id: str, now: int) -> WebhookConfig:
    return WebhookConfig(
        **_saved(new) | {"headers": _unmasked(new.headers, {})},
        basic_auth=_basic_auth(new.basicAuth, None),
        workspace_id=workspace_id,
        secret=ids.new_signing_secret(),
        created_at=now,
        updated_at=now,
        deleted_at=now if new.status is Status.DELETED else None,
    )


def replaced(old: WebhookConfig, new: WebhookConfigIn, now: int) -> WebhookConfig:
    """A full replace, but a secret that is left out or comes back masked stays."""
    values = _saved(new) | {
        "headers": _unmasked(new.headers, old.headers),
        "basic_auth": _basic_auth(new.basicAuth, old.basic_auth),
        "updated_at": now,
        "deleted_at": now if new.status is Status.DELETED else None,
        "version": old.version + 1,
    }
    return old.model_copy(update=values)


def deleted(old: WebhookConfig, now: int) -> WebhookConfig:
    return old.model_copy(
        update={
            "status": Status.DELETED,
            "deleted_at": now,
            "updated_at": now,
            "version": old.version + 1,
        }
    )


def short(config: WebhookConfig) -> dict[str, Any]:
    return {
        "idWebhookConfig": config.id,
        "webhookConfigName": config.name,
        "status": config.status,
        "targetType": config.target_type,
        "enabled": config.enabled,
        "idCategory": config.category_id,
        "categoryName": "",
    }


def full(config: WebhookConfig) -> dict[str, Any]:
    """Passwords and header values that look like credentials are masked."""
    shown: dict[str, Any] = {
        "idWebhookConfig": config.id,
        "webhookConfigName": config.name,
        "description": config.description,
        "idCategory": config.category_id,
        "status": config.status,
        "enabled": config.enabled,
        "targetType": config.target_type,
        "url": config.url,
        "headers": {name: _masked(name, value) for name, value in config.headers.items()},
        "triggers": [_trigger(trigger) for trigger in config.triggers],
        "timeoutSeconds": config.timeout_s,
        "createdAt": rfc3339(config.created_at),
        "updatedAt": rfc3339(config.updated_at),
    }
    if config.basic_auth is not None:
        shown["basicAuth"] = {"username": config.basic_auth.username}
    if config.retry_schedule is not None:
        shown["retrySchedule"] = list(config.retry_schedule)
    return shown


def _saved(new: WebhookConfigIn) -> dict[str, Any]:
    """The fields that are taken as they come; left-out triggers mean all four types."""
    given = new.triggers or [TriggerIn(eventType=kind) for kind in TriggerType]
    return {
        "id": new.idWebhookConfig,
        "name": new.webhookConfigName,
        "description": new.description,
        "category_id": new.idCategory,
        "status": new.status,
        "enabled": new.enabled,
        "target_type": new.targetType,
        "url": new.url,
        "headers": new.headers,
        "triggers": tuple(trigger.trigger() for trigger in given),
        "retry_schedule": None if new.retrySchedule is None else tuple(new.retrySchedule),
        "timeout_s": new.timeoutSeconds,
    }


def _trigger(trigger: Trigger) -> dict[str, Any]:
    shown = {
        "eventType": trigger.event_type,
        "idFunnel": trigger.funnel_id,
        "idNode": trigger.node_id,
        "idTrafficSource": trigger.traffic_source_id,
        "actionNumber": trigger.action_number,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _masked(name: str, value: str) -> str:
    return MASK if _SECRET_NAME.search(name) else value


def _unmasked(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    stored = {name.lower(): value for name, value in old.items()}
    unmasked = {}
    for name, value in new.items():
        if value == MASK and name.lower() not in stored:
            raise InvalidError.at(
                f"headers.{name}", f"{MASK} stands for a stored value, and none is stored"
            )
        unmasked[name] = stored[name.lower()] if value == MASK else value
    return unmasked


def _basic_auth(new: BasicAuthIn | None, old: BasicAuth | None) -> BasicAuth | None:
    if new is None:
        return None
    if new.password is not None and new.password != MASK:
        return BasicAuth(username=new.username, password=new.password)
    if old is None:
        raise InvalidError.at("basicAuth.password", "is required, because none is stored")
    return BasicAuth(username=new.username, password=old.password)
