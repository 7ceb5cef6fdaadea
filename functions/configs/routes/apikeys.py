"""The API keys of a workspace."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.configs.wiring import api, workspaces
from shared.clock import Moment, Timestamp, now_ms
from shared.errors import InvalidError
from shared.model import Model
from shared.workspaces import apikeys
from shared.workspaces.models import ApiKey, Caller, Client, Name, Scope

PATH = "/v1/integration/apikeys"

KeyId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
# Naming a scope twice does no harm.
Scopes = Annotated[frozenset[Scope], Field(min_length=1, json_schema_extra={"uniqueItems": False})]


class ApiKeyRead(Model):
    """`prefix` is how the secret begins. `lastUsedAt` is exact to a minute."""

    id: str
    name: str
    client: Client
    scopes: list[Scope]
    prefix: str
    active: bool
    createdAt: Timestamp
    lastUsedAt: Timestamp | None
    expiresAt: Timestamp | None


class ApiKeyCreated(ApiKeyRead):
    """`secret` is shown this once: only its hash is stored."""

    secret: str


class ApiKeyNew(Model):
    name: Name
    client: Client
    scopes: Scopes
    expiresAt: Moment | None = None


class ApiKeyChange(Model):
    """What is left out stays. `expiresAt: null` lets the key live for good."""

    id: KeyId
    name: Name | None = None
    scopes: Scopes | None = None
    expiresAt: Moment | None = None
    active: bool | None = None

    def changes(self) -> dict[str, Any]:
        given: dict[str, Any] = {"name": self.name, "scopes": self.scopes, "active": self.active}
        changes = {name: value for name, value in given.items() if value is not None}
        if "expiresAt" in self.model_fields_set:
            changes["key_expires_at"] = self.expiresAt
        return changes


class ApiKeyQuery(Model):
    id: KeyId


@api.get(PATH, Scope.KEYS_MANAGE)
def list_api_keys(caller: Caller) -> list[ApiKeyRead]:
    """The workspace's API keys, oldest first."""
    return [
        ApiKeyRead.model_validate(_shown(key))
        for key in workspaces().list_keys(caller.workspace_id)
    ]


@api.post(PATH, Scope.KEYS_MANAGE, status=201)
def generate_api_key(caller: Caller, body: ApiKeyNew) -> ApiKeyCreated:
    """Make an API key. It can get no scope that the calling key does not have."""
    now = now_ms()
    apikeys.check_gives(caller.key, body.scopes)
    _check_ahead(body.expiresAt, now)
    key, secret = apikeys.generate(
        caller.workspace_id, body.name, body.client, body.scopes, now, body.expiresAt
    )
    workspaces().add_key(key, secret)
    return ApiKeyCreated.model_validate(_shown(key) | {"secret": secret})


@api.put(PATH, Scope.KEYS_MANAGE, status=204, errors=(404, 409))
def update_api_key(caller: Caller, body: ApiKeyChange) -> None:
    """Change an API key. It can gain no scope, and no time, that the calling key could not give."""
    _check_ahead(body.expiresAt, now_ms())
    old = workspaces().get_key(caller.workspace_id, body.id)
    new = old.model_copy(update=body.changes())
    apikeys.check_keeps_itself(caller.key, new)
    apikeys.check_gives(caller.key, apikeys.gained(old, new))
    workspaces().replace_key(old, new)


@api.delete(PATH, Scope.KEYS_MANAGE, status=204, errors=(404, 409))
def delete_api_key(caller: Caller, query: ApiKeyQuery) -> None:
    """Delete an API key. It stops within 60 seconds."""
    if query.id == caller.key.id:
        raise apikeys.locked_out()
    workspaces().delete_key(caller.workspace_id, query.id)


def _check_ahead(expires_at: int | None, now: int) -> None:
    if expires_at is not None and expires_at <= now:
        raise InvalidError.at("expiresAt", "must be in the future")


def _shown(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "client": key.client,
        "scopes": sorted(key.scopes),
        "prefix": key.prefix,
        "active": key.active,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "expiresAt": key.key_expires_at,
    }
