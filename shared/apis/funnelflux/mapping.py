"""From the body that a FunnelFlux client saves to the stored config, and back."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from shared import ids
from shared.apis.checks import ConfigChecks
from shared.apis.funnelflux import models as wire
from shared.clock import MS_PER_S
from shared.configs import secrets, targets
from shared.configs.models import BasicAuth, ConfigName, Listing, OldSecret, Status, WebhookConfig
from shared.configs.triggers import Trigger
from shared.dialects import DIALECTS, Dialect, clickfunnels_ids
from shared.errors import InvalidError
from shared.events import catalogue
from shared.input.validation import invalid

# Old secrets that sign beside the new one; beyond this number the oldest stops early.
MAX_OLD_SECRETS = 5
MS_PER_HOUR = 3_600 * MS_PER_S

# A duplicate ignores these fields of `bodyUpdates`.
_PROTECTED = ("idWebhookConfig", "status", "webhookConfigName", "idCategory", "owner", "idOwner")

_TRIGGER_FIELDS = {
    "event_type": "eventType",
    "funnel_ids": "idFunnels",
    "page_ids": "idPages",
    "funnel_id": "idFunnel",
    "node_id": "idNode",
    "traffic_source_id": "idTrafficSource",
    "action_number": "actionNumber",
}


def check(new: wire.WebhookConfigBody, workspace_id: str, checks: ConfigChecks) -> None:
    """Raises InvalidError for an unknown category, a forbidden URL, or a target type that does not
    go with the URL."""
    checks.category("idCategory", workspace_id, new.idCategory)
    if new.url:
        checks.url("url", new.url)
    try:
        targets.check(new.targetType, new.url, new.awsIamAuth)
    except ValueError as error:
        raise InvalidError.at("awsIamAuth", str(error)) from None


def created(
    new: wire.WebhookConfigBody, workspace_id: str, now: int, like: WebhookConfig | None = None
) -> WebhookConfig:
    """The new config. Masked secrets are taken from `like`. Raises InvalidError."""
    return WebhookConfig(
        **_saved(new)
        | {"headers": secrets.kept_headers(new.headers, like.headers if like else {})},
        dialect=new.dialect,
        listing=_listing(new),
        basic_auth=_basic_auth(new.basicAuth, like.basic_auth if like else None),
        workspace_id=workspace_id,
        secret=DIALECTS[new.dialect].new_secret(),
        created_at=now,
        updated_at=now,
        deleted_at=now if new.status is Status.DELETED else None,
    )


def replaced(old: WebhookConfig, new: wire.WebhookConfigBody, now: int) -> WebhookConfig:
    """`old` with every field replaced; a secret that is left out or masked stays.

    Raises InvalidError for another dialect, or a masked value without a stored one.
    """
    if new.dialect != old.dialect:
        raise InvalidError.at("dialect", f"stays {old.dialect}; make a new config for another")
    return _changed(
        old,
        now,
        **_saved(new)
        | {
            "headers": secrets.kept_headers(new.headers, old.headers),
            "basic_auth": _basic_auth(new.basicAuth, old.basic_auth),
            **_still_disabled(old, new),
            "deleted_at": now if new.status is Status.DELETED else None,
        },
    )


def _still_disabled(old: WebhookConfig, new: wire.WebhookConfigBody) -> dict[str, Any]:
    """The reason why the platform disabled the config stays until the config is enabled."""
    if new.enabled:
        return {"disabled_reason": None, "disabled_at": None}
    return {"disabled_reason": old.disabled_reason, "disabled_at": old.disabled_at}


def deleted(old: WebhookConfig, now: int) -> WebhookConfig:
    return _changed(old, now, status=Status.DELETED, deleted_at=now)


def rotated(old: WebhookConfig, overlap_hours: int, now: int) -> WebhookConfig:
    """`old` with a new secret; the replaced secret signs beside it for `overlap_hours`."""
    until = now + overlap_hours * MS_PER_HOUR
    signing = [known for known in old.old_secrets if known.signs_until > now]
    if overlap_hours:
        signing.insert(0, OldSecret(secret=old.secret, signs_until=until))
    return _changed(
        old,
        now,
        secret=DIALECTS[old.dialect].new_secret(),
        old_secrets=tuple(signing[:MAX_OLD_SECRETS]),
    )


def duplicated(
    source: WebhookConfig, request: wire.DuplicateRequest, now: int
) -> tuple[wire.WebhookConfigBody, WebhookConfig]:
    """A copy under a new id, with `bodyUpdates` in place of its fields: as a body, still to be
    checked, and as a config. Raises InvalidError."""
    updates = {k: v for k, v in request.bodyUpdates.items() if k not in _PROTECTED}
    own = _read_back(source)
    merged = own | updates
    merged |= {
        "idWebhookConfig": ids.new_asset_id(now),
        "webhookConfigName": request.name,
        "idCategory": request.parentId or source.category_id,
        "status": Status.ACTIVE,
    }
    try:
        new = wire.WebhookConfigBody.model_validate(merged)
    except ValidationError as error:
        raise invalid(error) from None
    return new, created(new, source.workspace_id, now, like=source)


def short(config: ConfigName, category_names: Mapping[str, str]) -> wire.WebhookConfigInfo:
    return wire.WebhookConfigInfo(
        idWebhookConfig=config.id,
        webhookConfigName=config.name,
        status=config.status,
        targetType=config.target_type,
        enabled=config.enabled,
        disabledReason=config.disabled_reason,
        disabledAt=config.disabled_at,
        idCategory=config.category_id,
        categoryName=category_names.get(config.category_id, ""),
    )


def full(config: WebhookConfig, warnings: Sequence[str]) -> wire.WebhookConfigRead:
    basic = config.basic_auth
    return wire.WebhookConfigRead(
        **_shown(config),
        status=config.status,
        disabledReason=config.disabled_reason,
        disabledAt=config.disabled_at,
        managedBy=config.managed_by,
        headers=secrets.masked(config.headers),
        basicAuth=basic and wire.WebhookBasicAuthRead(username=basic.username),
        warnings=tuple(warnings),
        createdAt=config.created_at,
        updatedAt=config.updated_at,
    )


def _changed(old: WebhookConfig, now: int, **changes: Any) -> WebhookConfig:
    return old.model_copy(update={**changes, "updated_at": now, "version": old.version + 1})


def _saved(new: wire.WebhookConfigBody) -> dict[str, Any]:
    """The fields that are stored as they are sent. Raises InvalidError."""
    _check_expressible(new)
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
        "triggers": tuple(_trigger(trigger) for trigger in new.triggers),
        "retry_schedule": None if new.retrySchedule is None else tuple(new.retrySchedule),
        "rate_limit_per_second": new.rateLimitPerSecond,
        "timeout_s": new.timeoutSeconds,
        "aws_iam_auth": new.awsIamAuth,
    }


def _shown(config: WebhookConfig) -> dict[str, Any]:
    """The fields that a read shows as they are stored."""
    return {
        "dialect": config.dialect,
        "idWebhookConfig": config.id,
        "webhookConfigName": config.name,
        "description": config.description,
        "idCategory": config.category_id,
        "enabled": config.enabled,
        "targetType": config.target_type,
        "url": config.url,
        "triggers": tuple(_wire_trigger(trigger) for trigger in config.triggers),
        "retrySchedule": config.retry_schedule,
        "rateLimitPerSecond": config.rate_limit_per_second,
        "timeoutSeconds": config.timeout_s,
        "awsIamAuth": config.aws_iam_auth,
    }


def _read_back(config: WebhookConfig) -> dict[str, Any]:
    """The body that makes the same config, with its secrets."""
    basic = config.basic_auth
    return _shown(config) | {
        "headers": config.headers,
        "basicAuth": basic and wire.WebhookBasicAuth(**basic.model_dump()),
    }


def _check_expressible(new: wire.WebhookConfigBody) -> None:
    dialect = DIALECTS[new.dialect]
    for number, trigger in enumerate(new.triggers):
        if not dialect.can_express(trigger.eventType):
            raise InvalidError.at(
                f"triggers.{number}.eventType",
                f"{trigger.eventType} is not an event of the dialect {new.dialect}, which has "
                f"{', '.join(_expressible(dialect))}; choose another dialect",
            )


def _expressible(dialect: Dialect) -> list[str]:
    return [entry.name for entry in catalogue.ENTRIES if dialect.can_express(entry.name)]


def _listing(new: wire.WebhookConfigBody) -> Listing | None:
    name = DIALECTS[new.dialect].listing
    if name is None:
        return None
    return Listing(name=name, position=clickfunnels_ids.number_of(new.idWebhookConfig))


def _trigger(trigger: wire.WebhookTrigger) -> Trigger:
    given = {ours: getattr(trigger, theirs) for ours, theirs in _TRIGGER_FIELDS.items()}
    return Trigger.model_validate({name: v for name, v in given.items() if v is not None})


def _wire_trigger(trigger: Trigger) -> wire.WebhookTrigger:
    known = trigger.model_dump(exclude_defaults=True)
    values = {theirs: known[ours] for ours, theirs in _TRIGGER_FIELDS.items() if ours in known}
    return wire.WebhookTrigger.model_validate(values)


def _basic_auth(new: wire.WebhookBasicAuth | None, old: BasicAuth | None) -> BasicAuth | None:
    return None if new is None else secrets.kept_basic_auth(new.username, new.password, old)
