"""The HTTPS addresses of `configs`."""

from http import HTTPStatus

from pydantic import ValidationError

from functions.configs import parts
from shared.api.body import parse_json
from shared.api.resolver import Answer, answer, body_of, headers_of, new_app, no_content
from shared.api.validation import invalid
from shared.clock import now_ms
from shared.configs import funnelflux
from shared.configs.funnelflux import WebhookConfigIn
from shared.configs.models import Status, WebhookConfig
from shared.delivery.guard import RefusedUrlError, check_url
from shared.errors import ConflictError, InvalidError
from shared.version import VERSION
from shared.workspaces.models import Scope

MAX_BODY_BYTES = 256 * 1024
_LISTED: dict[str, frozenset[Status]] = {
    "active": frozenset({Status.ACTIVE}),
    "archived": frozenset({Status.ARCHIVED}),
    "not-deleted": frozenset({Status.ACTIVE, Status.ARCHIVED}),
    "all": frozenset(Status),
}

app = new_app()


@app.get("/health")
def health() -> Answer:
    return answer(HTTPStatus.OK, {"status": "ok", "version": VERSION})


@app.get("/v1/webhookconfig/list")
def list_configs() -> Answer:
    workspace_id = _workspace(Scope.CONFIGS_READ)
    status, category = _required("status"), _query("idCategory")
    if status not in _LISTED:
        raise InvalidError.at("status", "must be one of " + ", ".join(_LISTED))
    found = [
        funnelflux.short(config)
        for config in parts.configs().all(workspace_id)
        if config.status in _LISTED[status] and category in (None, config.category_id)
    ]
    return answer(HTTPStatus.OK, found)


@app.get("/v1/webhookconfig/find/byId")
def find_config() -> Answer:
    workspace_id = _workspace(Scope.CONFIGS_READ)
    config = parts.configs().find(workspace_id, _required("idWebhookConfig"))
    return answer(HTTPStatus.OK, funnelflux.full(config))


@app.post("/v1/webhookconfig/save")
def create_config() -> Answer:
    workspace_id = _workspace(Scope.CONFIGS_WRITE)
    config = funnelflux.created(_saved(), workspace_id, now_ms())
    parts.configs().add(config)
    shown = {"idWebhookConfig": config.id, "secret": config.secret}
    return answer(HTTPStatus.CREATED, shown)


@app.put("/v1/webhookconfig/save")
def save_config() -> Answer:
    workspace_id = _workspace(Scope.CONFIGS_WRITE)
    new = _saved()
    old = _undeleted(workspace_id, new.idWebhookConfig)
    parts.configs().replace(old, funnelflux.replaced(old, new, now_ms()))
    return no_content()


@app.delete("/v1/webhookconfig/delete")
def delete_config() -> Answer:
    workspace_id = _workspace(Scope.CONFIGS_WRITE)
    old = parts.configs().find(workspace_id, _required("idWebhookConfig"))
    if old.status is not Status.DELETED:
        parts.configs().replace(old, funnelflux.deleted(old, now_ms()))
    return no_content()


def _workspace(scope: Scope) -> str:
    return parts.keyring().bearer(headers_of(app), scope).workspace_id


def _query(name: str) -> str | None:
    return app.current_event.query_string_parameters.get(name)


def _required(name: str) -> str:
    value = _query(name)
    if not value:
        raise InvalidError.at(name, "is required, in the query")
    return value


def _saved() -> WebhookConfigIn:
    values = parse_json(body_of(app), MAX_BODY_BYTES)
    try:
        new = WebhookConfigIn.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None
    if new.url:
        _check_url(new.url)
    return new


def _check_url(url: str) -> None:
    try:
        check_url(url, parts.policy())
    except RefusedUrlError as error:
        raise InvalidError.at("url", str(error)) from None


def _undeleted(workspace_id: str, config_id: str) -> WebhookConfig:
    config = parts.configs().find(workspace_id, config_id)
    if config.status is Status.DELETED:
        raise ConflictError(f"The config {config_id} is deleted. Make a new one with another id.")
    return config
