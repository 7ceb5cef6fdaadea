"""FunnelFlux's webhook config calls, and rotate-secret, which is ours."""

from collections.abc import Sequence
from typing import Any

from functions.configs.wiring import api, categories, check_target, configs
from shared.apis.funnelflux import mapping
from shared.apis.funnelflux import models as wire
from shared.clock import now_ms
from shared.configs import targets
from shared.configs.models import Status, WebhookConfig
from shared.errors import ConflictError, InvalidError
from shared.workspaces.models import Caller, Scope

LISTED: dict[str, frozenset[Status]] = {
    "active": frozenset({Status.ACTIVE}),
    "archived": frozenset({Status.ARCHIVED}),
    "not-deleted": frozenset({Status.ACTIVE, Status.ARCHIVED}),
    "all": frozenset(Status),
}


@api.get("/v1/webhookconfig/list", Scope.CONFIGS_READ, omit_none=True)
def list_webhook_configs(caller: Caller, query: wire.ListQuery) -> list[wire.WebhookConfigInfo]:
    """Webhook configs by status and, if given, by category, in the order of their ids."""
    found = [
        config
        for config in configs().names(caller.workspace_id)
        if config.status in LISTED[query.status] and query.idCategory in (None, config.category_id)
    ]
    names = _category_names(caller) if any(config.category_id for config in found) else {}
    return [mapping.short(config, names) for config in found]


@api.get("/v1/webhookconfig/find/byId", Scope.CONFIGS_READ, errors=(404,), omit_none=True)
def find_webhook_config(caller: Caller, query: wire.ConfigQuery) -> wire.WebhookConfigRead:
    """One webhook config.

    Passwords are left out, and header values that look like credentials masked.
    """
    return _full(configs().find(caller.workspace_id, query.idWebhookConfig))


@api.get("/v1/webhookconfig/find/byIds", Scope.CONFIGS_READ, omit_none=True)
def find_webhook_configs(caller: Caller, query: wire.ConfigsQuery) -> list[wire.WebhookConfigRead]:
    """Webhook configs in the order of their ids in the query; unknown ones are left out."""
    wanted = split_ids(query.idWebhookConfigs)
    return [_full(config) for config in configs().find_many(caller.workspace_id, wanted)]


@api.post("/v1/webhookconfig/save", Scope.CONFIGS_WRITE, status=201, errors=(409,))
def create_webhook_config(
    caller: Caller, body: wire.WebhookConfigBody
) -> wire.WebhookConfigCreated:
    """Create a webhook config under an id of the client's choice."""
    check(caller, body)
    config = mapping.created(body, caller.workspace_id, now_ms())
    configs().add(config, caller.workspace.limits.configs)
    return wire.WebhookConfigCreated(
        idWebhookConfig=config.id, secret=config.secret, warnings=_warnings(config)
    )


@api.put("/v1/webhookconfig/save", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def save_webhook_config(caller: Caller, body: wire.WebhookConfigBody) -> None:
    """Replace a webhook config.

    A secret that is left out or comes back masked stays.
    """
    old = _undeleted(caller, body.idWebhookConfig)
    check(caller, body)
    configs().replace(old, mapping.replaced(old, body, now_ms()))


@api.delete("/v1/webhookconfig/delete", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def delete_webhook_config(caller: Caller, query: wire.ConfigQuery) -> None:
    """Delete a webhook config.

    Nothing is delivered to it from now on; it stays visible, and its id taken, for 30 days.
    """
    old = configs().find(caller.workspace_id, query.idWebhookConfig)
    if old.status is not Status.DELETED:
        configs().replace(old, mapping.deleted(old, now_ms()))


@api.post("/v1/webhookconfig/duplicate", Scope.CONFIGS_WRITE, status=200, errors=(404, 409))
def duplicate_webhook_config(
    caller: Caller, query: wire.ConfigQuery, body: wire.DuplicateRequest
) -> wire.DuplicateResponse:
    """Make a webhook config like another one, with `bodyUpdates` over its fields.

    Its id, status and secret are its own.
    """
    source = _undeleted(caller, query.idWebhookConfig)
    new, config = mapping.duplicated(source, body, now_ms())
    check(caller, new)
    configs().add(config, caller.workspace.limits.configs)
    return wire.DuplicateResponse(id=config.id, secret=config.secret)


@api.put("/v1/webhookconfig/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def archive_webhook_configs(caller: Caller, body: wire.StringList) -> None:
    """Archive webhook configs, all or none. What is to be delivered to them is held."""
    _change(caller, body.entries, status=Status.ARCHIVED)


@api.put("/v1/webhookconfig/unarchive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def unarchive_webhook_configs(caller: Caller, body: wire.StringList) -> None:
    """Make archived webhook configs active again, all or none."""
    _change(caller, body.entries, status=Status.ACTIVE)


@api.put("/v1/webhookconfig/move-category", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def move_webhook_configs(caller: Caller, body: wire.MoveCategoryRequest) -> None:
    """Move webhook configs to a category, all or none.

    An empty idCategory takes them out of theirs.
    """
    _check_category(caller, body.idCategory)
    _change(caller, body.entries, category_id=body.idCategory)


@api.post("/v1/webhookconfig/rotate-secret", Scope.CONFIGS_WRITE, errors=(404, 409))
def rotate_secret(
    caller: Caller, query: wire.ConfigQuery, body: wire.RotateRequest
) -> wire.RotatedSecret:
    """Replace the signing secret. The old one signs beside it for `overlapHours`."""
    old = _undeleted(caller, query.idWebhookConfig)
    new = mapping.rotated(old, body.overlapHours, now_ms())
    configs().replace(old, new)
    return wire.RotatedSecret(secret=new.secret)


def split_ids(text: str) -> list[str]:
    return [part.strip() for part in text.split(",")]


def _change(caller: Caller, entries: Sequence[str], **changes: Any) -> None:
    wanted = list(dict.fromkeys(entries))
    configs().change_all(caller.workspace_id, wanted, changes | {"updated_at": now_ms()})


def _undeleted(caller: Caller, config_id: str) -> WebhookConfig:
    config = configs().find(caller.workspace_id, config_id)
    if config.status is Status.DELETED:
        raise ConflictError(f"The config {config_id} is deleted. Make a new one with another id.")
    return config


def check(caller: Caller, new: wire.WebhookConfigBody) -> None:
    """What a config must not be, beyond what its fields can tell one by one."""
    _check_category(caller, new.idCategory)
    if new.url:
        check_target("url", new.url)
    try:
        targets.check(new.targetType, new.url, new.awsIamAuth)
    except ValueError as error:
        raise InvalidError.at("awsIamAuth", str(error)) from None


def _check_category(caller: Caller, category_id: str) -> None:
    if not category_id:
        return
    found = categories().find_many(caller.workspace_id, [category_id])
    if not found or found[0].status is Status.DELETED:
        raise InvalidError.at("idCategory", f"no category {category_id} is known here")


def _category_names(caller: Caller) -> dict[str, str]:
    return {category.id: category.name for category in categories().all(caller.workspace_id)}


def _full(config: WebhookConfig) -> wire.WebhookConfigRead:
    return mapping.full(config, _warnings(config))


def _warnings(config: WebhookConfig) -> tuple[str, ...]:
    has_basic_auth = config.basic_auth is not None
    return tuple(
        targets.warnings(
            config.target_type, config.url, config.headers, config.aws_iam_auth, has_basic_auth
        )
    )
