"""How keys are made, and what one key may do to another."""

import math
from collections.abc import Iterable

from shared import ids
from shared.errors import ConflictError, ForbiddenError
from shared.workspaces.models import ApiKey, Client, Scope


def generate(
    workspace_id: str,
    name: str,
    client: Client,
    scopes: Iterable[Scope],
    now: int,
    expires_at: int | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is kept nowhere."""
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


def gained(old: ApiKey, new: ApiKey) -> frozenset[Scope]:
    """What a key may do by a change: the scopes added, or all if it comes back or lasts longer."""
    if new.active and (not old.active or _end(new) > _end(old)):
        return new.scopes
    return new.scopes - old.scopes


def check_gives(giver: ApiKey, scopes: frozenset[Scope]) -> None:
    """Raises ForbiddenError if `giver` lacks one of the scopes that it is about to give."""
    lacking = sorted(scopes - giver.scopes)
    if lacking:
        raise ForbiddenError(f"This key cannot give what it does not have: {', '.join(lacking)}.")


def check_keeps_itself(actor: ApiKey, changed: ApiKey) -> None:
    """Raises ConflictError if a key would shut itself out, and perhaps its whole workspace."""
    managing = changed.active and Scope.KEYS_MANAGE in changed.scopes
    if actor.id == changed.id and not managing:
        raise locked_out()


def locked_out() -> ConflictError:
    return ConflictError(
        f"A key cannot delete or deactivate itself, nor give up {Scope.KEYS_MANAGE}."
        " Do it with another key."
    )


def _end(key: ApiKey) -> float:
    return math.inf if key.key_expires_at is None else key.key_expires_at
