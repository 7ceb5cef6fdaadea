"""The circuit breaker of an endpoint: when requests may be sent, and what their results change.

Everything here is pure; times are in milliseconds.

A closed breaker lets every request out. After TRIP_AFTER failures in a row it opens for 30 s; then
it lets one probe out at a time. If the probe fails, the breaker opens for twice as long as before,
up to 15 minutes. If the probe is answered, the breaker closes.

A request without a response occupies its worker until the timeout. So after PAUSE_AFTER slow
requests, with no response in between, the next requests pause for some seconds.
"""

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from shared.clock import MS_PER_DAY, MS_PER_MINUTE, MS_PER_S
from shared.configs.models import DisabledReason
from shared.model import Model
from shared.outbound.response import Cause

TRIP_AFTER = 5
FIRST_WINDOW_MS = 30 * MS_PER_S
MAX_WINDOW_MS = 15 * MS_PER_MINUTE
# The lease of a probe, longer than any attempt: a worker that exceeds it has died.
PROBE_MS = 30 * MS_PER_S
# A deferred delivery comes again within half the duration of the outage, so that during a long one
# each delivery is checked a few times, not in every window.
MAX_PATIENCE_MS = 6 * 60 * MS_PER_MINUTE
PAUSE_AFTER = 3
# How long a slow request counts: the timeout of an attempt, after which its outcome says more.
SLOW_MS = 10 * MS_PER_S
PAUSE_MS = 3 * MS_PER_S
GIVE_UP_AFTER = 50
GIVE_UP_MS = 3 * MS_PER_DAY

GONE = 410
_TOO_MANY_REQUESTS = 429
_TROUBLE = frozenset({Cause.CONNECT, Cause.TIMEOUT, Cause.TLS, Cause.PROTOCOL})
# A look-up may fail because names of other tenants keep the resolver busy.
_UNASKED = frozenset({Cause.DNS, Cause.REFUSED_ADDRESS})

Random = Callable[[], float]


class Outcome(Enum):
    """What an attempt says about its endpoint."""

    SUCCEEDED = auto()
    REFUSED = auto()  # the endpoint is there, but does not accept this request
    TROUBLED = auto()
    UNASKED = auto()  # no request was sent, so the attempt says nothing
    GONE = auto()


class Result(NamedTuple):
    """The result of a settled attempt. `is_exhausted`: the schedule of its delivery has ended.

    `follows_success`: since the last failure that this worker saw, an attempt succeeded.
    `is_unanswered`: the endpoint was asked and did not respond. `was_slow`: the request was
    recorded as slow.
    """

    outcome: Outcome
    is_probe: bool = False
    is_exhausted: bool = False
    follows_success: bool = False
    is_unanswered: bool = False
    was_slow: bool = False


class Count(NamedTuple):
    """How a failure changes the health: numbers to add, values to set if absent, and to set."""

    add: dict[str, int]
    once: dict[str, int]
    set: dict[str, int | None]


class Step(Enum):
    """What follows from a result for the breaker."""

    NONE = auto()
    FORGET = auto()  # clear the counted failures
    TRIP = auto()  # open for the first time
    REOPEN = auto()  # open again, after a probe that failed
    RECOVER = auto()  # close, after a probe that was answered


class BreakerState(Enum):
    OPEN = auto()  # no request may be sent
    PROBE = auto()  # one request may be sent, by the worker that gets the lease
    CLOSED = auto()


class EndpointHealth(Model):
    """The health of a config's endpoint; blank if nothing is wrong.

    `failures` counts troubled attempts in a row, `exhausted` deliveries that ended in a row, and
    `opened` the windows since the breaker was last closed. `hanging` counts slow requests since the
    last response; they count until `hanging_until`.
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
    """The arguments are those of the recorded attempt."""
    if succeeded:
        return Outcome.SUCCEEDED
    if status_code == GONE:
        return Outcome.GONE
    if cause in _TROUBLE or status_code == _TOO_MANY_REQUESTS or (status_code or 0) >= 500:
        return Outcome.TROUBLED
    return Outcome.UNASKED if cause in _UNASKED else Outcome.REFUSED


def state(health: EndpointHealth, now: int) -> BreakerState:
    """`PROBE` says that the window is over; the lease decides which worker sends the probe."""
    if not health.opened:
        return BreakerState.CLOSED
    return BreakerState.OPEN if now < _next_probe_at(health) else BreakerState.PROBE


def is_paused(health: EndpointHealth, now: int) -> bool:
    """Whether so many requests are slow that the next ones must pause."""
    return health.hanging >= PAUSE_AFTER and now < health.hanging_until


def paused_until(now: int, random: Random) -> int:
    """When a delivery that finds a pause should come again."""
    return now + PAUSE_MS + round(random() * PAUSE_MS)


def count(result: Result, now: int) -> Count | None:
    """None after a success, and after GONE, which disables the config at once."""
    outcome, counted = result.outcome, Count({}, {"failing_since": now}, {})
    if outcome in (Outcome.SUCCEEDED, Outcome.GONE):
        return None
    if not result.is_unanswered:
        counted.set.update(hanging=None, hanging_until=None)
    if outcome is Outcome.TROUBLED and not result.follows_success:
        counted.add["failures"] = 1
    elif result.follows_success or outcome is Outcome.REFUSED:
        counted.set["failures"] = 1 if outcome is Outcome.TROUBLED else None
    if result.is_exhausted:
        counted.add["exhausted"] = 1
    return counted


def next_step(result: Result, health: EndpointHealth) -> Step:
    """`health` is as it is after the result was counted."""
    answered = result.outcome in (Outcome.SUCCEEDED, Outcome.REFUSED)
    if result.outcome is Outcome.GONE:
        return Step.NONE
    if result.is_probe:
        return Step.RECOVER if answered else Step.REOPEN
    if result.outcome is Outcome.SUCCEEDED:
        needed = (result.was_slow or not health.is_blank) and not health.opened
        return Step.FORGET if needed else Step.NONE
    return Step.TRIP if not health.opened and health.failures >= TRIP_AFTER else Step.NONE


def why_disable(result: Result, health: EndpointHealth, now: int) -> DisabledReason | None:
    """Why the config must be disabled; None if it stays enabled. `health` is as it is after the
    next step."""
    if result.outcome is Outcome.SUCCEEDED:
        return None
    if result.outcome is Outcome.GONE:
        return DisabledReason.ENDPOINT_GONE
    return DisabledReason.ENDPOINT_FAILING if _has_failed_for_days(health, now) else None


def opened(health: EndpointHealth, now: int) -> EndpointHealth:
    """The breaker opens for the first time, or for twice as long as before."""
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
    """A worker has the lease of the probe."""
    return health.model_copy(update={"probe": lease, "probe_until": now + PROBE_MS})


def closed(health: EndpointHealth) -> EndpointHealth:
    """The endpoint responds again; whether it accepts requests is not known yet."""
    return EndpointHealth(failing_since=health.failing_since, exhausted=health.exhausted)


def window_ms(windows: int) -> int:
    """How long the breaker stays open in window number `windows`, counted from 1."""
    return min(FIRST_WINDOW_MS << min(windows - 1, 10), MAX_WINDOW_MS)


def back_at(health: EndpointHealth, now: int, random: Random) -> int:
    """When a delivery that finds the breaker open should come again, spread over the time after."""
    since = health.failing_since if health.failing_since is not None else now
    patience = max(window_ms(health.opened), min((now - since) // 2, MAX_PATIENCE_MS))
    return max(now, _next_probe_at(health)) + round(random() * patience)


def _has_failed_for_days(health: EndpointHealth, now: int) -> bool:
    """While the breaker is open, few deliveries become exhausted, so a window that ended in a
    failed probe counts as much as an exhausted delivery."""
    if health.failing_since is None or now - health.failing_since < GIVE_UP_MS:
        return False
    return max(health.exhausted, health.opened) >= GIVE_UP_AFTER


def _next_probe_at(health: EndpointHealth) -> int:
    """When the next probe may be sent: after the window, and after the lease of the last probe."""
    return max(health.open_until, health.probe_until)
