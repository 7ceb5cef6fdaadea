"""Who may make a request: authentication by API keys, with rate limits; deliveries of ours may not.

An operation names an authenticator. `Keyring` is the one of management calls, and authenticates by
key for the others; `IngestAuthenticator` admits events.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from shared import ids
from shared.clock import Clock
from shared.errors import ForbiddenError, LoopError, NotFoundError, UnauthenticatedError
from shared.model import Model
from shared.observability import fault, logger
from shared.remembered import Remembered
from shared.version import USER_AGENTS
from shared.web.rate_limits import CallRateLimiter, EventRateLimiter
from shared.workspaces.models import Caller, Scope
from shared.workspaces.store import USE_EVERY_MS, WorkspaceStore

MAX_SECRET = 512


class Request(Model):
    """A request without its body. Header names are in lower case; `query` is as it was sent."""

    path: str
    query: str
    headers: dict[str, str]
    source_ip: str

    @property
    def origin(self) -> str:
        """Scheme and host by which the caller reached the API: its own domain or the gateway's."""
        scheme = self.headers.get("x-forwarded-proto", "http")
        return f"{scheme}://{self.headers['host']}"


Who = TypeVar("Who", bound=Model)


class Authenticated(Model, Generic[Who]):
    """A caller that is admitted, and headers of its answer, such as those of the rate limit."""

    caller: Who
    headers: dict[str, str]


class Authenticator(Protocol):
    def admit(self, request: Request, scope: Scope) -> Authenticated[Any]:
        """Raises UnauthenticatedError, ForbiddenError, LoopError or RateLimitedError."""
        ...


# The caller of a request with these headers, if its key has the scope.
Authenticate = Callable[[Mapping[str, str], Scope], Caller]


@dataclass
class KnownKey:
    caller: Caller
    used_at: int | None


class Keyring:
    """API keys, found by their hash and remembered in the worker; unknown keys are not."""

    def __init__(self, store: WorkspaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._rate = CallRateLimiter(store, clock)
        self._known = Remembered[str, KnownKey](clock)

    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        """The caller of a management call, which counts towards the rate limit of its key."""
        caller = self.bearer(request.headers, scope)
        return Authenticated(caller=caller, headers=self._rate.take(caller))

    def bearer(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """The caller by `Authorization: Bearer`.

        Raises UnauthenticatedError; ForbiddenError if the key lacks the scope.
        """
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise UnauthenticatedError("Send your API key as Authorization: Bearer <key>.")
        return self._permit(secret.strip(), scope)

    def funnelytics(self, headers: Mapping[str, str], scope: Scope) -> Caller:
        """The caller by `X-API-KEY`, raw or as `Basic base64(project:key)`, and `X-PROJECT-ID`.

        Raises as `bearer` does.
        """
        project = headers.get("x-project-id", "").strip()
        secret = _funnelytics_secret(headers.get("x-api-key", "").strip(), project)
        if not project or not secret:
            raise UnauthenticatedError("Send both X-PROJECT-ID and X-API-KEY.")
        caller = self._permit(secret, scope)
        if caller.workspace_id != project:
            raise _unknown()
        return caller

    def _permit(self, secret: str, scope: Scope) -> Caller:
        # A key that manages keys is read every time: a revoked one must not leave another behind.
        caller = self._find(secret, afresh=scope is Scope.KEYS_MANAGE)
        if scope not in caller.key.scopes:
            raise ForbiddenError(f"This key lacks the scope {scope}.")
        return caller

    def _find(self, secret: str, afresh: bool) -> Caller:
        if len(secret) > MAX_SECRET:
            raise _unknown()
        now, fingerprint = self._clock(), ids.sha256_hex(secret)
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
        """If the use cannot be recorded, the request is served all the same."""
        if known.used_at is not None and now - known.used_at < USE_EVERY_MS:
            return
        try:
            self._store.touch(secret, now)
        except (ClientError, BotoCoreError) as error:
            logger.warning("key.use_not_recorded", key_id=known.caller.key.id, **fault(error))
        known.used_at = now


class IngestAuthenticator:
    """Admits requests that bring an event. A batch takes its other events from the rate itself."""

    def __init__(self, authenticate: Authenticate, rate: EventRateLimiter) -> None:
        self._authenticate = authenticate
        self._rate = rate

    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        refuse_loop(request.headers)
        caller = self._authenticate(request.headers, scope)
        return Authenticated(caller=caller, headers=self._rate.take(caller.workspace))


def refuse_loop(headers: Mapping[str, str]) -> None:
    """Raises LoopError for a delivery of ours, of this stack or of another.

    A config whose URL is an intake of ours would send every event round for ever. A request that
    a customer's server makes of a delivery is no loop.
    """
    if headers.get("user-agent") in USER_AGENTS and ids.is_request_id(
        headers.get("webhook-id", "")
    ):
        raise LoopError(
            "This is a delivery of Funnelhooks, sent straight to an intake of Funnelhooks. Change "
            "the URL of its webhook config to a server of yours. To make an event of a delivery, "
            "let that server send a request of its own."
        )


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
