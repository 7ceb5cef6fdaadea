"""How a delivery changes: each transition is an update of its item, with the condition under which
it holds.

The functions are pure: plain values in, an `Update` out. No other module spells the attributes of
a delivery's item. A transition whose condition does not hold changes nothing; `why_not` and
`is_recorded` say what the item that stands there means for the caller.
"""

from typing import Any, NamedTuple
from uuid import UUID

from shared.aws.items import Update
from shared.clock import MS_PER_S
from shared.deliveries.models import ENDED, Attempt, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import MAX_DELAY_MS, AttemptMessage
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table
from shared.workspaces.models import Retention

# A message that comes early by no more than this is not sent round again.
EARLY_MS = MS_PER_S
# A wait beyond the delay queue's reach is parked in the due index until so long before its end.
# Repair, which runs every minute, then hands it to the delay queue, which ends it to the second.
PARK_LEAD_MS = MAX_DELAY_MS - 300 * MS_PER_S

_DUE = (
    "(#state = :when_waiting AND attempt = :when_previous AND next_attempt_at <= :when_soon)"
    " OR (#state = :when_sending AND attempt = :when_attempt AND lease_until < :when_now)"
)
_BEGUN = _DUE + " OR #state = :when_pending"
_NEW = _BEGUN + " OR attribute_not_exists(pk)"
# A delivery that waits for its schedule waits on; one that waits for the endpoint may go.
_RELEASABLE = (
    "#state = :when_held"
    " OR (#state = :when_waiting AND reason = :when_tripped AND next_attempt_at > :when_at)"
)
_HOLDER = "#state = :when_sending AND lease = :when_lease"

# A delivery that waits for nothing is not in the due index.
_NOT_DUE = {"next_attempt_at": None, "wake_shard": None, "wake_at": None}
_NO_LEASE = {"lease": None, "lease_until": None}


class Terms(NamedTuple):
    """How long a record is kept, and after how long repair moves a delivery that stands still."""

    retention: Retention
    repair_after_ms: int


class Lease(NamedTuple):
    """An attempt belongs to one worker, its `holder`, up to `until` (ms)."""

    holder: str
    until: int


class NotDue(Model):
    """The attempt that is to be made, `wait_ms` from now."""

    message: AttemptMessage
    wait_ms: int


# ── In place of the next attempt, or to begin it. The first one makes the delivery of `event`. ────


def claim(
    message: AttemptMessage, event: Event | None, lease: Lease, terms: Terms, now: int
) -> Update:
    """The attempt becomes the caller's alone, until its lease runs out.

    A first attempt stays out of the due index, and later ones stay where they are in it: moving an
    entry costs two writes.
    """
    update = Update().set(
        {
            "state": DeliveryState.SENDING,
            "reason": None,
            "attempt": message.attempt,
            "lease": lease.holder,
            "lease_until": lease.until,
        }
    )
    if message.attempt > 1:
        update.once(_due_by(message.request_id, lease.until + terms.repair_after_ms))
    update.once({"built_at": now})
    return _next_attempt(update, message, event, terms.retention.record_until_s(now), now)


def defer(
    message: AttemptMessage,
    event: Event | None,
    reason: Reason,
    next_at: int,
    terms: Terms,
    now: int,
) -> Update:
    """The attempt is made later, and is not used up."""
    update = Update().set(
        {"reason": reason, "attempt": message.attempt - 1}
        | _in_state(message.workspace_id, message.config_id, DeliveryState.WAITING)
        | _until(message.request_id, next_at, terms, now)
        | _NO_LEASE
    )
    if event is not None:
        update.once(_logged(message, event.accepted_at))
    expires_at = terms.retention.record_until_s(now, next_at)
    return _next_attempt(update, message, event, expires_at, now)


def reject(
    message: AttemptMessage,
    event: Event | None,
    state: DeliveryState,
    reason: Reason,
    terms: Terms,
    now: int,
) -> Update:
    """The attempt is not made: the delivery is held, cancelled or failed."""
    update = Update().set(
        {"reason": reason, "settled_at": now, "attempt": message.attempt - 1}
        | _in_state(message.workspace_id, message.config_id, state)
        | _NOT_DUE
        | _NO_LEASE
    )
    if event is not None:
        update.once(_logged(message, event.accepted_at))
    return _next_attempt(update, message, event, terms.retention.record_until_s(now), now)


# ── After the attempt, by the holder of its lease. ────────────────────────────────────────────────


def settle(delivery: Delivery, attempt: Attempt, terms: Terms, now: int) -> Update:
    """Record what came of the attempt: the delivery is delivered, has failed, or waits."""
    if attempt.succeeded:
        return deliver(delivery, attempt, now)
    if attempt.next_wait_ms is None:
        return fail(delivery, attempt, now)
    return wait(delivery, attempt, now + attempt.next_wait_ms, terms, now)


def deliver(delivery: Delivery, attempt: Attempt, now: int) -> Update:
    changes = {"reason": None, "settled_at": now, "replay_pk": None} | _NOT_DUE
    return _settled(delivery, attempt, DeliveryState.DELIVERED, changes)


def fail(delivery: Delivery, attempt: Attempt, now: int) -> Update:
    """No attempt follows."""
    is_spent = delivery.counts_from is not None
    reason = Reason.SCHEDULE_SPENT if is_spent else Reason.RESEND_FAILED
    changes = {"reason": reason, "settled_at": now} | _NOT_DUE
    return _settled(delivery, attempt, DeliveryState.FAILED, changes)


def wait(delivery: Delivery, attempt: Attempt, next_at: int, terms: Terms, now: int) -> Update:
    """The next attempt is made at `next_at`."""
    changes = {
        "reason": attempt.next_reason,
        "expires_at": terms.retention.record_until_s(now, next_at),
    } | _until(delivery.request_id, next_at, terms, now)
    return _settled(delivery, attempt, DeliveryState.WAITING, changes)


# ── On request, or by a job. ──────────────────────────────────────────────────────────────────────


def release(message: AttemptMessage, at: int, terms: Terms, now: int) -> Update:
    """A delivery that is held, or waits for its endpoint, goes at `at`. The number of the attempt
    in the message does not matter."""
    state = DeliveryState.WAITING
    update = Update().set(
        {
            "reason": Reason.RELEASED,
            "settled_at": None,
            "expires_at": terms.retention.record_until_s(now, at),
        }
        | _in_state(message.workspace_id, message.config_id, state)
        | _until(message.request_id, at, terms, now)
    )
    values = {"held": DeliveryState.HELD, "waiting": state, "tripped": Reason.ENDPOINT_TRIPPED}
    return update.when(_RELEASABLE, values | {"at": at})


def resend(seen: Delivery, resend: Resend, terms: Terms, now: int) -> Update:
    """The delivery goes now, unless it has moved on since it was seen."""
    update = Update().set(
        {
            "reason": Reason.RESENT,
            "settled_at": None,
            "resend": resend.model_dump(exclude_none=True),
            "expires_at": terms.retention.record_until_s(now),
        }
        | _in_state(seen.workspace_id, seen.config_id, DeliveryState.WAITING)
        | _until(seen.request_id, now, terms, now)
    )
    return update.when(*_as_seen(seen, "reason"))


def cancel(seen: Delivery, now: int) -> Update:
    """The delivery is sent no more, unless it has moved on since it was seen."""
    update = Update().set(
        {"reason": Reason.BY_REQUEST, "settled_at": now}
        | _in_state(seen.workspace_id, seen.config_id, DeliveryState.CANCELLED)
        | _NOT_DUE
    )
    return update.when(*_as_seen(seen, "reason"))


def erase(seen: Delivery, now: int) -> Update:
    """Take out what receivers answered, and cancel a delivery that has not ended, unless it has
    moved on since it was seen."""
    update = Update()
    if seen.state not in ENDED:
        update.set(
            {"reason": Reason.ERASED, "settled_at": now}
            | _in_state(seen.workspace_id, seen.config_id, DeliveryState.CANCELLED)
            | _NOT_DUE
            | _NO_LEASE
        ).once(_logged(seen, seen.created_at))
    return _without_excerpts(update, seen)


def clear_excerpts(seen: Delivery) -> Update:
    """Take out what receivers answered, unless the delivery has moved on since it was seen."""
    return _without_excerpts(Update(), seen)


def replay(delivery: Delivery, spot: str, terms: Terms, now: int) -> Update:
    """Make a delivery that waits for its first attempt, by a replay that found its event at `spot`;
    unless it is there."""
    stored = delivery.model_dump(mode="json", exclude={"attempts"}, exclude_none=True)
    made = {
        "replay_pk": event_table.replay_log(delivery.workspace_id, str(delivery.replay_id)),
        "replay_spot": spot,
        "expires_at": terms.retention.record_until_s(now),
    }
    due_by = (delivery.next_attempt_at or now) + terms.repair_after_ms
    update = Update().set(
        stored
        | _in_state(delivery.workspace_id, delivery.config_id, delivery.state)
        | _logged(delivery, delivery.created_at)
        | _due_by(delivery.request_id, due_by)
        | made
    )
    return update.when("attribute_not_exists(pk)", {})


# ── By repair. ────────────────────────────────────────────────────────────────────────────────────


def begin(message: AttemptMessage, event: Event, terms: Terms, now: int) -> Update:
    """Make a delivery whose first message was lost, unless it is there."""
    update = Update().set(
        {
            "state": DeliveryState.PENDING,
            "reason": Reason.REPAIRED,
            "attempt": 0,
            "expires_at": terms.retention.record_until_s(now),
        }
        | _identity(message, event)
        | _logged(message, event.accepted_at)
        | _due_by(message.request_id, now + terms.repair_after_ms)
    )
    return update.when("attribute_not_exists(pk)", {})


def watch(request_id: UUID, lease_until: int, repair_after_ms: int) -> Update:
    """Put a first attempt whose lease may run out into the due index, where claims leave it out."""
    update = Update().set(_due_by(request_id, lease_until + repair_after_ms))
    condition = "#state = :when_sending AND attribute_not_exists(wake_at)"
    return update.when(condition, {"sending": DeliveryState.SENDING})


def push_back(due_at: int, next_at: int, repair_after_ms: int) -> Update:
    """A delivery is due again after its next attempt, unless another run has pushed it back."""
    update = Update().set({"wake_at": next_at + repair_after_ms})
    return update.when("wake_at = :when_seen", {"seen": due_at})


# ── What a refused transition found. ──────────────────────────────────────────────────────────────


def why_not(
    stored: Delivery | None, attempt: int, lease: str | None, now: int
) -> Delivery | NotDue | None:
    """What became of the attempt that was refused to a worker.

    The delivery, if the lease is the worker's own: the write was repeated, because the answer to
    the first one was lost. NotDue, if the delivery waits for this attempt or the one after it: the
    worker that settled it may have died before it queued the next one. None, if there is nothing to
    do; a delivery that is parked comes back from the due index.
    """
    if stored is None or (lease is not None and stored.lease == lease):
        return stored
    next_at = stored.next_attempt_at or now
    is_its = stored.state is DeliveryState.WAITING and attempt in (
        stored.attempt,
        stored.attempt + 1,
    )
    if not is_its or is_parked(next_at, now):
        return None
    return NotDue(message=stored.next_message, wait_ms=next_at - now)


def is_recorded(stored: Delivery | None, attempt: Attempt) -> bool:
    """Whether a refused settlement had been written before, and only its answer was lost."""
    return stored is not None and attempt in stored.attempts


def is_parked(next_at: int, now: int) -> bool:
    """Whether the wait is too long for the delay queue alone."""
    return next_at - now > MAX_DELAY_MS


# ── Attributes. ───────────────────────────────────────────────────────────────────────────────────


def _next_attempt(
    update: Update, message: AttemptMessage, event: Event | None, expires_at: int, now: int
) -> Update:
    """If the attempt may be claimed. Without its event, a missing delivery is not made."""
    update.set({"expires_at": expires_at})
    if event is not None:
        update.once(_identity(message, event))
    values: dict[str, Any] = {
        "waiting": DeliveryState.WAITING,
        "previous": message.attempt - 1,
        "soon": now + EARLY_MS,
        "sending": DeliveryState.SENDING,
        "attempt": message.attempt,
        "now": now,
    }
    if message.attempt > 1:
        return update.when(_DUE, values)
    values["pending"] = DeliveryState.PENDING
    return update.when(_BEGUN if event is None else _NEW, values)


def _settled(
    delivery: Delivery, attempt: Attempt, state: DeliveryState, changes: dict[str, Any]
) -> Update:
    return (
        Update()
        .set(changes | {"status_code": attempt.status_code} | _NO_LEASE)
        .set(_in_state(delivery.workspace_id, delivery.config_id, state))
        .once(_logged(delivery, delivery.created_at))
        .append("attempts", recorded(attempt))
        .when(_HOLDER, {"sending": DeliveryState.SENDING, "lease": delivery.lease})
    )


def _without_excerpts(update: Update, seen: Delivery) -> Update:
    update.remove(*(f"attempts[{position}].excerpt" for position, _ in enumerate(seen.attempts)))
    return update.when(*_as_seen(seen, "lease"))


def recorded(attempt: Attempt) -> dict[str, Any]:
    """The attempt as the item of its delivery holds it."""
    return attempt.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _as_seen(seen: Delivery, holder: str) -> tuple[str, dict[str, Any]]:
    """Every transition changes the state, the attempt, or the reason or lease of a delivery."""
    values = {"state": seen.state, "attempt": seen.attempt, holder: getattr(seen, holder)}
    conditions = ["#state = :when_state", "attempt = :when_attempt"]
    if values[holder] is None:
        conditions.append(f"attribute_not_exists({holder})")
        del values[holder]
    else:
        conditions.append(f"{holder} = :when_{holder}")
    return " AND ".join(conditions), values


def _identity(message: AttemptMessage, event: Event) -> dict[str, Any]:
    return {
        "workspace_id": message.workspace_id,
        "request_id": str(message.request_id),
        "config_id": message.config_id,
        "event_id": event.event_id,
        "event_type": event.event_type,
        "created_at": event.accepted_at,
    }


def _in_state(workspace_id: str, config_id: str, state: DeliveryState) -> dict[str, Any]:
    """Most deliveries are delivered; only the others pay for an entry in the index by state."""
    is_listed = state is not DeliveryState.DELIVERED
    state_pk = event_table.state_log(workspace_id, config_id, state) if is_listed else None
    return {"state": state, "state_pk": state_pk}


def _logged(of: AttemptMessage | Delivery, created_at: int) -> dict[str, str]:
    return {
        "log_pk": event_table.delivery_log(of.workspace_id, of.config_id),
        "log_sk": event_table.log_sk(created_at, str(of.request_id)),
    }


def _until(request_id: UUID, next_at: int, terms: Terms, now: int) -> dict[str, Any]:
    """A delivery that waits is due after its next attempt, and a parked one before it."""
    lead_ms = -PARK_LEAD_MS if is_parked(next_at, now) else terms.repair_after_ms
    return {"next_attempt_at": next_at} | _due_by(request_id, next_at + lead_ms)


def _due_by(request_id: UUID, at: int) -> dict[str, Any]:
    return {"wake_shard": event_table.wake_shard(str(request_id)), "wake_at": at}
