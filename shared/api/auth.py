"""Who calls: a key, found by its hash, remembered for a short while in the worker."""

import base64
from collections.abc import Mapping

from shared.clock import MS_PER_S, Clock
from shared.errors import ForbiddenError, UnauthenticatedError
from shared.ids import sha256_hex
from shared.workspaces.models import ApiKey, Scope
from shared.workspaces.store import WorkspaceStore

# A revoked key must stop within 60 s; unknown keys are not remembered at all.
REMEMBER_MS = 30 * MS_PER_S
MAX_REMEMBERED = 1_000
MAX_SECRET = 512


class Keyring:
    def __init__(self, store: WorkspaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._known: dict[str, tuple[int, ApiKey]] = {}

    def bearer(self, headers: Mapping[str, str], scope: Scope) -> ApiKey:
        """The key of an `Authorization: Bearer` header, if it may do what `scope` says."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise UnauthenticatedError("Send your API key as Authorization: Bearer <key>.")
        return self.permit(secret.strip(), scope)

    def funnelytics(self, headers: Mapping[str, str], scope: Scope) -> ApiKey:
        """The key of `X-API-KEY`, raw or as `Basic base64(project:secret)`, for `X-PROJECT-ID`."""
        project = headers.get("x-project-id", "").strip()
        secret = _basic_secret(headers.get("x-api-key", "").strip())
        if not project or not secret:
            raise UnauthenticatedError("Send both X-PROJECT-ID and X-API-KEY.")
        key = self.permit(secret, scope)
        if key.workspace_id != project:
            raise _unknown()
        return key

    def permit(self, secret: str, scope: Scope) -> ApiKey:
        key = self._find(secret)
        if scope not in key.scopes:
            raise ForbiddenError(f"This key lacks the scope {scope}.")
        return key

    def _find(self, secret: str) -> ApiKey:
        if len(secret) > MAX_SECRET:
            raise _unknown()
        now, fingerprint = self._clock(), sha256_hex(secret)
        known = self._known.get(fingerprint)
        key = known[1] if known and now < known[0] else self._read(secret, fingerprint, now)
        if key is None or not key.is_usable(now):
            raise _unknown()
        return key

    def _read(self, secret: str, fingerprint: str, now: int) -> ApiKey | None:
        key = self._store.find_key(secret)
        if key is not None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[fingerprint] = (now + REMEMBER_MS, key)
        return key


def _basic_secret(text: str) -> str:
    kind, _, encoded = text.partition(" ")
    if kind.lower() != "basic":
        return text
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError("This API key is not known, not active or expired.")
