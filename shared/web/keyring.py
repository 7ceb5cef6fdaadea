"""Who calls: a key, found by its hash, remembered for a short while in the worker."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from shared.clock import Clock
from shared.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from shared.ids import sha256_hex
from shared.observability import fault, logger
from shared.remembered import Remembered
from shared.web.authentication import Authenticated, Request
from shared.web.rate_limits import CallRateLimiter
from shared.workspaces.models import Caller, Scope
from shared.workspaces.store import USE_EVERY_MS, WorkspaceStore

MAX_SECRET = 512


@dataclass
class KnownKey:
    caller: Caller
    used_at: int | None


class Keyring:
    """The gate of the management calls, and the authentication that every gate shares."""

    def __init__(self, store: WorkspaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rate = CallRateLimiter(store, clock)
        self._known = Remembered[str, KnownKey](clock)

    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        """The caller of a management call, which counts towards the limit of its key."""
        caller = self.bearer(request.headers, scope)
        return Authenticated(caller=caller, headers=self._rate.take(caller))

    def bearer(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Who sends `Authorization: Bearer`, if the key may do what `scope` says."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise UnauthenticatedError("Send your API key as Authorization: Bearer <key>.")
        return self._permit(secret.strip(), scope)

    def funnelytics(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """Who sends `X-API-KEY`, raw or as `Basic base64(project:secret)`, for `X-PROJECT-ID`."""
        project = headers.get("x-project-id", "").strip()
        secret = _funnelytics_secret(headers.get("x-api-key", "").strip(), project)
        if not project or not secret:
            raise UnauthenticatedError("Send both X-PROJECT-ID and X-API-KEY.")
        caller = self._permit(secret, scope)
        if caller.workspace_id != project:
            raise _unknown()
        return caller

    def _permit(self, secret: str, scope: Scope) -> Caller:
        # Who hands out keys is looked up every time: a revoked key must not leave another behind.
        caller = self._find(secret, afresh=scope is Scope.KEYS_MANAGE)
        if scope not in caller.key.scopes:
            raise ForbiddenError(f"This key lacks the scope {scope}.")
        return caller

    def _find(self, secret: str, afresh: bool) -> Caller:
        if len(secret) > MAX_SECRET:
            raise _unknown()
        now, fingerprint = self._clock(), sha256_hex(secret)
        if afresh:
            self._known.forget(fingerprint)
        known = self._known.get(fingerprint, lambda: self._read(secret))
        if not known.caller.key.is_usable(now):
            self._known.forget(fingerprint)
            raise _unknown()
        self._record_use(secret, known, now)
        return known.caller

    def _read(self, secret: str) -> KnownKey:
        key = self._store.find_key(secret)
        if key is None:
            raise _unknown()
        try:
            workspace = self._store.get(key.workspace_id)
        except NotFoundError:
            raise _unknown() from None
        return KnownKey(Caller(key=key, workspace=workspace), key.last_used_at)

    def _record_use(self, secret: str, known: KnownKey, now: int) -> None:
        """A use that cannot be recorded is not refused."""
        if known.used_at is not None and now - known.used_at < USE_EVERY_MS:
            return
        try:
            self._store.touch(secret, now)
        except (ClientError, BotoCoreError) as error:
            logger.warning("key.use_not_recorded", key_id=known.caller.key.id, **fault(error))
        known.used_at = now


def _funnelytics_secret(text: str, project: str) -> str:
    kind, _, encoded = text.partition(" ")
    if kind.lower() != "basic":
        return text
    try:
        named, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except ValueError:
        return ""
    if named not in (project, ""):
        raise _unknown()
    return secret


def _unknown() -> UnauthenticatedError:
    return UnauthenticatedError("This API key is not known, not active or expired.")
