"""The API keys of a workspace."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints

from functions.configs.wiring import api, workspaces
from shared.clock import Moment, Timestamp, now_ms
from shared.model import Model
from shared.workspaces import apikeys
from shared.workspaces.models import ApiKey, Caller, Client, Name, Scope

PATH = "/v1/integration/apikeys"

KeyId = Annotated[str, StringConstraints(min_length=1, max_length=64)]
# Naming a scope twice does no harm.
Scopes = Annotated[frozenset[Scope], Field(min_length=1, json_schema_extra={"uniqueItems": False})]


class ApiKeyRead(Model):
    """`prefix` is the beginning of the secret. `lastUsedAt` is exact to a minute."""

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
    """`secret` is shown here and never again: only its hash is stored."""

    secret: str


class ApiKeyNew(Model):
    name: Name
    client: Client
    scopes: Scopes
    expiresAt: Moment | None = None


class ApiKeyChange(Model):
    """A field that is left out stays. With `expiresAt: null` the key never expires."""

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
    """List the API keys of the workspace, oldest first."""
    return [
        ApiKeyRead.model_validate(_shown(key))
        for key in workspaces().list_keys(caller.workspace_id)
    ]


@api.post(PATH, Scope.KEYS_MANAGE, status=201)
def generate_api_key(caller: Caller, body: ApiKeyNew) -> ApiKeyCreated:
    """Create an API key and return its secret. 403 for a scope that the calling key lacks."""
    now = now_ms()
    apikeys.check_gives(caller.key, body.scopes)
    apikeys.check_expiry("expiresAt", body.expiresAt, now)
    key, secret = apikeys.generate(
        caller.workspace_id, body.name, body.client, body.scopes, now, body.expiresAt
    )
    workspaces().add_key(key, secret)
    return ApiKeyCreated.model_validate(_shown(key) | {"secret": secret})


@api.put(PATH, Scope.KEYS_MANAGE, status=204, errors=(404, 409))
def update_api_key(caller: Caller, body: ApiKeyChange) -> None:
    """Change an API key.

    403 if the key would gain a scope that the calling key lacks, or would last longer or become
    active with such a scope; 404 if the id is unknown; 409 if the calling key would lock itself
    out, or the key was changed by somebody else meanwhile.
    """
    apikeys.check_expiry("expiresAt", body.expiresAt, now_ms())
    old = workspaces().get_key(caller.workspace_id, body.id)
    workspaces().replace_key(old, apikeys.changed(caller.key, old, body.changes()))


@api.delete(PATH, Scope.KEYS_MANAGE, status=204, errors=(404, 409))
def delete_api_key(caller: Caller, query: ApiKeyQuery) -> None:
    """Delete an API key. It stops within 60 seconds.

    404 if the id is unknown; 409 if a key would delete itself.
    """
    apikeys.check_deletes(caller.key, query.id)
    workspaces().delete_key(caller.workspace_id, query.id)


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
