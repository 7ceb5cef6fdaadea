"""The breaker of an endpoint: whether it is asked at all, and when again. Pure; times in ms.

Closed, everything goes out. After TRIP_AFTER failures in a row it opens for 30 s; then one probe at
a time is let through. A probe that fails opens it for twice as long, up to 15 minutes; one that is
answered closes it.

A request that gets no answer at all takes its whole timeout to fail, and its worker with it. So
after ENOUGH_HANG that hang, if none was answered in between, the next ones wait some seconds.
"""

from collections.abc import Callable
from enum import Enum, auto

from shared.clock import MS_PER_DAY, MS_PER_MINUTE, MS_PER_S
from shared.model import Model
from shared.outbound.response import Cause

TRIP_AFTER = 5
FIRST_WINDOW_MS = 30 * MS_PER_S
MAX_WINDOW_MS = 15 * MS_PER_MINUTE
# Longer than any attempt: a prober that has not come back by then is not coming back.
PROBE_MS = 30 * MS_PER_S
# What waits comes back within half as long as the trouble has lasted, so that a long outage costs
# each delivery a few looks and not one every window.
MAX_PATIENCE_MS = 6 * 60 * MS_PER_MINUTE
ENOUGH_HANG = 3
# As long as the timeout of an attempt: by then it has an outcome, which tells more.
HANGING_MS = 10 * MS_PER_S
PAUSE_MS = 3 * MS_PER_S
GIVE_UP_AFTER = 50
GIVE_UP_MS = 3 * MS_PER_DAY

GONE = 410
_TOO_MANY_REQUESTS = 429
_TROUBLE = frozenset({Cause.CONNECT, Cause.TIMEOUT, Cause.TLS, Cause.PROTOCOL})
# A name that is not found may be the fault of a look-up, which other tenants' names can keep busy.
_UNASKED = frozenset({Cause.DNS, Cause.REFUSED_ADDRESS})

Random = Callable[[], float]


class Outcome(Enum):
    """What an attempt tells of its endpoint."""

    SUCCEEDED = auto()
    REFUSED = auto()  # it answered: not this request, but it is there
    TROUBLED = auto()
    UNASKED = auto()  # nothing was sent, so it tells nothing
    GONE = auto()


class BreakerState(Enum):
    OPEN = auto()  # nothing goes out
    PROBE = auto()  # one may, if it gets the lease
    CLOSED = auto()


class EndpointHealth(Model):
    """Of a config's endpoint; blank as long as all is well.

    `failures` look like its trouble, `exhausted` deliveries ended, both in a row; `opened` counts
    the windows since the breaker was closed last. `hanging` requests had no answer for seconds, and
    none was answered since; that counts until `hanging_until`.
    """

    failures: int = 0
    failing_since: int | None = None
    exhausted: int = 0
    opened: int = 0
    open_until: int = 0
    probe: str | None = None
    probe_until: int = 0
    hanging: int = 0
    hanging_until: int = 0

    @property
    def is_blank(self) -> bool:
        return self == EndpointHealth()


def outcome_of(succeeded: bool, status_code: int | None, cause: Cause | None) -> Outcome:
    """`status_code` and `cause` as they were recorded of the attempt."""
    if succeeded:
        return Outcome.SUCCEEDED
    if status_code == GONE:
        return Outcome.GONE
    if cause in _TROUBLE or status_code == _TOO_MANY_REQUESTS or (status_code or 0) >= 500:
        return Outcome.TROUBLED
    return Outcome.UNASKED if cause in _UNASKED else Outcome.REFUSED


def admission(health: EndpointHealth, now: int) -> BreakerState:
    if not health.opened:
        return BreakerState.CLOSED
    return BreakerState.OPEN if now < _shut_until(health) else BreakerState.PROBE


def must_pause(health: EndpointHealth, now: int) -> bool:
    return health.hanging >= ENOUGH_HANG and now < health.hanging_until


def pause_until(now: int, random: Random) -> int:
    """When a delivery that is not sent because others hang should come again."""
    return now + PAUSE_MS + round(random() * PAUSE_MS)


def failed(
    health: EndpointHealth, outcome: Outcome, exhausted: bool, now: int, anew: bool = False
) -> EndpointHealth:
    """After an attempt that failed. `anew` says that it was preceded by one that did not."""
    failures = 0 if anew or outcome is Outcome.REFUSED else health.failures
    return health.model_copy(
        update={
            "failures": failures + (outcome is Outcome.TROUBLED),
            "failing_since": now if health.failing_since is None else health.failing_since,
            "exhausted": health.exhausted + exhausted,
        }
    )


def must_trip(health: EndpointHealth) -> bool:
    return not health.opened and health.failures >= TRIP_AFTER


def opened(health: EndpointHealth, now: int) -> EndpointHealth:
    """Open for the first time, or for twice as long as before."""
    windows = health.opened + 1
    return health.model_copy(
        update={
            "opened": windows,
            "open_until": now + window_ms(windows),
            "probe": None,
            "probe_until": 0,
        }
    )


def probing(health: EndpointHealth, lease: str, now: int) -> EndpointHealth:
    return health.model_copy(update={"probe": lease, "probe_until": now + PROBE_MS})


def closed(health: EndpointHealth) -> EndpointHealth:
    """It answers again. Whether it takes what it is sent is another matter."""
    return EndpointHealth(failing_since=health.failing_since, exhausted=health.exhausted)


def must_disable(health: EndpointHealth, now: int) -> bool:
    """Failing for days. While the breaker is open few deliveries get as far as to be exhausted, so
    a window that ended in a failed probe counts as much."""
    if health.failing_since is None or now - health.failing_since < GIVE_UP_MS:
        return False
    return max(health.exhausted, health.opened) >= GIVE_UP_AFTER


def window_ms(windows: int) -> int:
    """How long it stays open for the time number `windows`, from 1."""
    return min(FIRST_WINDOW_MS << min(windows - 1, 10), MAX_WINDOW_MS)


def back_at(health: EndpointHealth, now: int, random: Random) -> int:
    """When a delivery that finds it open should come again, spread so that they come one by one."""
    since = health.failing_since if health.failing_since is not None else now
    patience = max(window_ms(health.opened), min((now - since) // 2, MAX_PATIENCE_MS))
    return max(now, _shut_until(health)) + round(random() * patience)


def _shut_until(health: EndpointHealth) -> int:
    return max(health.open_until, health.probe_until)
