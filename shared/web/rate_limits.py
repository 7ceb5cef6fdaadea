"""How often a caller may call: counted in the table for management, in each worker for events."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock
from shared.errors import RateLimitedError
from shared.web import loops
from shared.web.authentication import Authenticated, Request
from shared.workspaces.models import Caller, Scope, Workspace
from shared.workspaces.store import WorkspaceStore

# A worker takes at one instant what it takes in so many seconds.
BURST_S = 2
MAX_BUCKETS = 1_000

Authenticate = Callable[[Mapping[str, str], Scope], Caller]


class CallRateLimiter:
    """Management calls of a key in a minute of the clock, counted together by all workers."""

    def __init__(self, store: WorkspaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._minute = 0
        self._spent: set[str] = set()

    def take(self, caller: Caller) -> dict[str, str]:
        """What the answer says about the limit. Raises RateLimitedError over it."""
        now, limit = self._clock(), caller.workspace.limits.requests_per_minute
        if now // MS_PER_MINUTE != self._minute:
            self._minute, self._spent = now // MS_PER_MINUTE, set()
        # A key that is over its limit costs no more writes in this minute.
        if caller.key.id not in self._spent:
            calls = self._store.count_call(caller.key.id, self._minute)
            if calls <= limit:
                return _headers(limit, limit - calls)
            self._spent.add(caller.key.id)
        raise RateLimitedError(limit, _seconds(MS_PER_MINUTE - now % MS_PER_MINUTE))


@dataclass(frozen=True)
class TokenBucket:
    """Fills by `rate` tokens a second, up to BURST_S seconds' worth.

    `level` counts thousandths of a token, so that milliseconds need no fractions.
    """

    level: int
    at_ms: int

    @classmethod
    def full(cls, rate: int, now: int) -> "TokenBucket":
        return cls(_capacity(rate), now)

    def filled(self, rate: int, now: int) -> "TokenBucket":
        elapsed = max(0, now - self.at_ms)
        return TokenBucket(min(_capacity(rate), self.level + elapsed * rate), max(now, self.at_ms))

    def wait_ms(self, rate: int, tokens: int) -> int:
        """How long until so many can be taken: with one token there, the others go on credit."""
        missing = min(tokens, 1) * MS_PER_S - self.level
        return max(0, -(-missing // rate))

    def without(self, tokens: int) -> "TokenBucket":
        return TokenBucket(self.level - tokens * MS_PER_S, self.at_ms)

    @property
    def tokens(self) -> int:
        return max(0, self.level // MS_PER_S)


class EventRateLimiter:
    """Events of a workspace, as one worker sees them: a bucket for each, and no write."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, workspace: Workspace, events: int = 1) -> dict[str, str]:
        """What the answer says about the limit. Raises RateLimitedError over it.

        A batch is never refused for its size: what it takes too much, later events wait for.
        """
        now, rate = self._clock(), workspace.limits.events_per_second
        bucket = self._buckets.pop(workspace.workspace_id, None) or TokenBucket.full(rate, now)
        bucket = bucket.filled(rate, now)
        wait = bucket.wait_ms(rate, events)
        left = bucket if wait else bucket.without(events)
        self._keep(workspace.workspace_id, left)
        if wait:
            raise RateLimitedError(rate, _seconds(wait), "events a second")
        return _headers(rate, left.tokens)

    def _keep(self, workspace_id: str, bucket: TokenBucket) -> None:
        """The one that was used longest ago makes room."""
        if len(self._buckets) >= MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[workspace_id] = bucket


class IngestAuthenticator:
    """Lets in who may send events, one at a time; a batch takes the rest of its events itself.

    Whoever they are, they may not be a delivery of ours (`loops`).
    """

    def __init__(self, authenticate: Authenticate, rate: EventRateLimiter) -> None:
        self._authenticate = authenticate
        self._rate = rate

    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        loops.refuse(request.headers)
        caller = self._authenticate(request.headers, scope)
        return Authenticated(caller=caller, headers=self._rate.take(caller.workspace))


def _capacity(rate: int) -> int:
    return rate * BURST_S * MS_PER_S


def _headers(limit: int, remaining: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}


def _seconds(wait_ms: int) -> int:
    return -(-wait_ms // MS_PER_S)
