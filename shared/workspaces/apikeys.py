"""How API keys are made, and which keys and scopes one key may give to another."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from shared import ids
from shared.errors import ConflictError, ForbiddenError, InvalidError
from shared.workspaces.models import ApiKey, Client, Scope


def generate(
    workspace_id: str,
    name: str,
    client: Client,
    scopes: Iterable[Scope],
    now: int,
    expires_at: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not stored."""
    secret = ids.new_api_key()
    key = ApiKey(
        id=ids.new_key_id(),
        workspace_id=workspace_id,
        name=name,
        client=client,
        scopes=frozenset(scopes),
        prefix=ids.key_prefix(secret),
        created_at=now,
        key_expires_at=expires_at,
    )
    return key, secret


def changed(actor: ApiKey, old: ApiKey, changes: Mapping[str, Any]) -> ApiKey:
    """The key `old` after the changes.

    Raises ConflictError if `actor` would lock itself out; ForbiddenError if the key would gain a
    scope that `actor` lacks.
    """
    new = old.model_copy(update=dict(changes))
    check_keeps_itself(actor, new)
    check_gives(actor, gained(old, new))
    return new


def gained(old: ApiKey, new: ApiKey) -> frozenset[Scope]:
    """The scopes that a change adds: all scopes if the key becomes active or lasts longer."""
    if new.active and (not old.active or _end(new) > _end(old)):
        return new.scopes
    return new.scopes - old.scopes


def check_gives(giver: ApiKey, scopes: frozenset[Scope]) -> None:
    """Raises ForbiddenError if `giver` lacks one of the scopes that it gives."""
    lacking = sorted(scopes - giver.scopes)
    if lacking:
        raise ForbiddenError(f"This key cannot give what it does not have: {', '.join(lacking)}.")


def check_keeps_itself(actor: ApiKey, changed: ApiKey) -> None:
    """Raises ConflictError if a key would lock itself out, and perhaps its whole workspace."""
    can_manage = changed.active and Scope.KEYS_MANAGE in changed.scopes
    if actor.id == changed.id and not can_manage:
        raise _locked_out()


def check_expiry(path: str, expires_at: int | None, now: int) -> None:
    """Raises InvalidError at `path` unless the moment is None or in the future."""
    if expires_at is not None and expires_at <= now:
        raise InvalidError.at(path, "must be in the future")


def check_deletes(actor: ApiKey, key_id: str) -> None:
    """Raises ConflictError if a key would delete itself."""
    if key_id == actor.id:
        raise _locked_out()


def _locked_out() -> ConflictError:
    return ConflictError(
        f"A key cannot delete or deactivate itself, nor give up {Scope.KEYS_MANAGE}."
        " Do it with another key."
    )


def _end(key: ApiKey) -> float:
    return math.inf if key.key_expires_at is None else key.key_expires_at
