"""On which conditions a delivery moves on, and what it means if DynamoDB refuses a move."""

from typing import Any

from botocore.exceptions import ClientError

from shared.aws.items import from_item
from shared.aws.table import is_condition
from shared.clock import MS_PER_S
from shared.deliveries.item import delivery_from
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.deliveries.queue import MAX_DELAY_MS, AttemptMessage
from shared.events.models import Event
from shared.model import Model

# A message that comes early by no more than this is not sent round again.
EARLY_MS = MS_PER_S

_DUE = (
    "(#state = :when_waiting AND attempt = :when_previous AND next_attempt_at <= :when_soon)"
    " OR (#state = :when_sending AND attempt = :when_attempt AND lease_until < :when_now)"
)
_BEGUN = _DUE + " OR #state = :when_pending"
_NEW = _BEGUN + " OR attribute_not_exists(pk)"
# What waits for a schedule waits on; what waits for the endpoint may go when the endpoint may.
RELEASABLE = (
    "#state = :when_held"
    " OR (#state = :when_waiting AND reason = :when_tripped AND next_attempt_at > :when_at)"
)
HOLDER = "#state = :when_sending AND lease = :when_lease"


class NotDue(Model):
    """The attempt that is to be made, `wait_ms` from now."""

    pointer: AttemptMessage
    wait_ms: int


def claimable(attempt: int, event: Event | None, now: int) -> tuple[str, dict[str, Any]]:
    """Without its event, a delivery that is not there yet cannot be made."""
    values: dict[str, Any] = {
        "waiting": DeliveryState.WAITING,
        "previous": attempt - 1,
        "soon": now + EARLY_MS,
        "sending": DeliveryState.SENDING,
        "attempt": attempt,
        "now": now,
    }
    if attempt > 1:
        return _DUE, values
    return _BEGUN if event is None else _NEW, values | {"pending": DeliveryState.PENDING}


def why_not(
    error: ClientError, attempt: int, lease: str | None, now: int
) -> Delivery | NotDue | None:
    """Our own lease stands there if the answer to the write was lost and the write repeated.

    A delivery that waits after this very attempt was settled by a worker that may have died before
    it queued the next one. What is parked the wake index brings back, and no message need go round.
    """
    expect_condition(error)
    old = as_it_stands(error)
    if old is None or (lease is not None and old.lease == lease):
        return old
    next_at = old.next_attempt_at or now
    is_its = old.state is DeliveryState.WAITING and attempt in (old.attempt, old.attempt + 1)
    if not is_its or is_parked(next_at, now):
        return None
    return NotDue(pointer=old.next_pointer, wait_ms=next_at - now)


def is_recorded(error: ClientError, attempt: Attempt) -> bool:
    """Whether the refused write had been made before, and only its answer was lost."""
    expect_condition(error)
    known = as_it_stands(error)
    return known is not None and attempt in known.attempts


def as_it_stands(error: ClientError) -> Delivery | None:
    item = error.response.get("Item")
    return None if item is None else delivery_from(from_item(item))  # type: ignore[arg-type]


def expect_condition(error: ClientError) -> None:
    if not is_condition(error):
        raise error


def is_parked(next_at: int, now: int) -> bool:
    """Whether the wait is too long for the delay queue alone."""
    return next_at - now > MAX_DELAY_MS
