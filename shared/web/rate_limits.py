"""Rate limits: of management calls, counted in the table; of events, counted in each worker."""

from dataclasses import dataclass

from shared.clock import MS_PER_MINUTE, MS_PER_S, Clock
from shared.errors import RateLimitedError
from shared.workspaces.models import Caller, Workspace
from shared.workspaces.store import WorkspaceStore

# At once, a worker accepts as many events as in this time.
BURST_S = 2
MAX_BUCKETS = 1_000


class CallRateLimiter:
    """Counts the management calls of a key in each minute of the clock, for all workers."""

    def __init__(self, store: WorkspaceStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._minute = 0
        self._spent: set[str] = set()

    def take(self, caller: Caller) -> dict[str, str]:
        """The headers of the answer that tell the limit. Raises RateLimitedError over the limit."""
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
    """It fills by `rate` tokens a second, up to the tokens of BURST_S seconds.

    `level` is in thousandths of a token, so that milliseconds need no fractions.
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
        """The time until one of the `tokens` is there; the others are overdrawn."""
        missing = min(tokens, 1) * MS_PER_S - self.level
        return max(0, -(-missing // rate))

    def without(self, tokens: int) -> "TokenBucket":
        return TokenBucket(self.level - tokens * MS_PER_S, self.at_ms)

    @property
    def tokens(self) -> int:
        return max(0, self.level // MS_PER_S)


class EventRateLimiter:
    """Limits the events of each workspace by a token bucket in the worker, without a write."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}

    def take(self, workspace: Workspace, events: int = 1) -> dict[str, str]:
        """The headers of the answer that tell the limit. Raises RateLimitedError over the limit.

        A batch is never refused for its size: it overdraws, and later events wait for that.
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
        """The bucket that was used longest ago makes room."""
        if len(self._buckets) >= MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[workspace_id] = bucket


def _capacity(rate: int) -> int:
    return rate * BURST_S * MS_PER_S


def _headers(limit: int, remaining: int) -> dict[str, str]:
    return {"X-RateLimit-Limit": str(limit), "X-RateLimit-Remaining": str(remaining)}


def _seconds(wait_ms: int) -> int:
    return -(-wait_ms // MS_PER_S)
