"""FunnelFlux's webhook config calls, and `rotate-secret`, which is an addition."""

from collections.abc import Sequence
from typing import Any

from functions.configs.wiring import api, categories, checks, configs
from shared.apis.funnelflux import mapping
from shared.apis.funnelflux import models as wire
from shared.clock import now_ms
from shared.configs import targets
from shared.configs.models import LISTED, Status, WebhookConfig
from shared.workspaces.models import Caller, Scope


@api.get("/v1/webhookconfig/list", Scope.CONFIGS_READ, omit_none=True)
def list_webhook_configs(caller: Caller, query: wire.ListQuery) -> list[wire.WebhookConfigInfo]:
    """List webhook configs by status and, if given, category, in the order of their ids."""
    found = [
        config
        for config in configs().names(caller.workspace_id)
        if config.status in LISTED[query.status] and query.idCategory in (None, config.category_id)
    ]
    names = _category_names(caller) if any(config.category_id for config in found) else {}
    return [mapping.short(config, names) for config in found]


@api.get("/v1/webhookconfig/find/byId", Scope.CONFIGS_READ, errors=(404,), omit_none=True)
def find_webhook_config(caller: Caller, query: wire.ConfigQuery) -> wire.WebhookConfigRead:
    """Read a webhook config. 404 if the id is unknown.

    Passwords are left out; header values that look like credentials are masked.
    """
    return _full(configs().find(caller.workspace_id, query.idWebhookConfig))


@api.get("/v1/webhookconfig/find/byIds", Scope.CONFIGS_READ, omit_none=True)
def find_webhook_configs(caller: Caller, query: wire.ConfigsQuery) -> list[wire.WebhookConfigRead]:
    """Read several webhook configs, in the order of the ids given; unknown ids are left out."""
    wanted = wire.split_ids(query.idWebhookConfigs)
    return [_full(config) for config in configs().find_many(caller.workspace_id, wanted)]


@api.post("/v1/webhookconfig/save", Scope.CONFIGS_WRITE, status=201, errors=(409,))
def create_webhook_config(
    caller: Caller, body: wire.WebhookConfigBody
) -> wire.WebhookConfigCreated:
    """Create a webhook config under an id of the client's choice, and return its signing secret.

    409 if the id is taken, also by a deleted config.
    """
    mapping.check(body, caller.workspace_id, checks())
    config = mapping.created(body, caller.workspace_id, now_ms())
    configs().add(config, caller.workspace.limits.configs)
    return wire.WebhookConfigCreated(
        idWebhookConfig=config.id, secret=config.secret, warnings=_warnings(config)
    )


@api.put("/v1/webhookconfig/save", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def save_webhook_config(caller: Caller, body: wire.WebhookConfigBody) -> None:
    """Replace a webhook config. A secret that is left out or sent masked stays.

    404 if the id is unknown; 409 if the config is deleted or was saved by somebody else meanwhile.
    """
    old = configs().find_undeleted(caller.workspace_id, body.idWebhookConfig)
    mapping.check(body, caller.workspace_id, checks())
    configs().replace(old, mapping.replaced(old, body, now_ms()))


@api.delete("/v1/webhookconfig/delete", Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def delete_webhook_config(caller: Caller, query: wire.ConfigQuery) -> None:
    """Delete a webhook config. Nothing is delivered to it any more.

    It stays visible, and its id taken, for 30 days. 404 if the id is unknown; 409 if the config was
    saved by somebody else meanwhile.
    """
    old = configs().find(caller.workspace_id, query.idWebhookConfig)
    if old.status is not Status.DELETED:
        configs().replace(old, mapping.deleted(old, now_ms()))


@api.post("/v1/webhookconfig/duplicate", Scope.CONFIGS_WRITE, status=200, errors=(404, 409))
def duplicate_webhook_config(
    caller: Caller, query: wire.ConfigQuery, body: wire.DuplicateRequest
) -> wire.DuplicateResponse:
    """Create a copy of a webhook config, with `bodyUpdates` in place of its fields.

    The copy has a new id, the status `active` and a new secret; both id and secret are returned.
    404 if the id in the query is unknown; 409 if that config is deleted.
    """
    source = configs().find_undeleted(caller.workspace_id, query.idWebhookConfig)
    new, config = mapping.duplicated(source, body, now_ms())
    mapping.check(new, caller.workspace_id, checks())
    configs().add(config, caller.workspace.limits.configs)
    return wire.DuplicateResponse(id=config.id, secret=config.secret)


@api.put("/v1/webhookconfig/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def archive_webhook_configs(caller: Caller, body: wire.StringList) -> None:
    """Archive webhook configs, all or none. Their deliveries are held.

    404 names every unknown id.
    """
    _change(caller, body.entries, status=Status.ARCHIVED)


@api.put("/v1/webhookconfig/unarchive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def unarchive_webhook_configs(caller: Caller, body: wire.StringList) -> None:
    """Make archived webhook configs active again, all or none. Held deliveries are released.

    404 names every unknown id.
    """
    _change(caller, body.entries, status=Status.ACTIVE)


@api.put("/v1/webhookconfig/move-category", Scope.CONFIGS_WRITE, status=204, errors=(404,))
def move_webhook_configs(caller: Caller, body: wire.MoveCategoryRequest) -> None:
    """Move webhook configs to a category, all or none.

    An empty `idCategory` takes them out of their category. 404 names every unknown config.
    """
    checks().category("idCategory", caller.workspace_id, body.idCategory)
    _change(caller, body.entries, category_id=body.idCategory)


@api.post("/v1/webhookconfig/rotate-secret", Scope.CONFIGS_WRITE, errors=(404, 409))
def rotate_secret(
    caller: Caller, query: wire.ConfigQuery, body: wire.RotateRequest
) -> wire.RotatedSecret:
    """Replace the signing secret. The old secret signs beside the new one for `overlapHours`.

    404 if the id is unknown; 409 if the config is deleted or was saved by somebody else meanwhile.
    """
    old = configs().find_undeleted(caller.workspace_id, query.idWebhookConfig)
    new = mapping.rotated(old, body.overlapHours, now_ms())
    configs().replace(old, new)
    return wire.RotatedSecret(secret=new.secret)


def _change(caller: Caller, entries: Sequence[str], **changes: Any) -> None:
    configs().change_all(caller.workspace_id, entries, changes | {"updated_at": now_ms()})


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
