"""Deliveries in EventTable: each attempt is claimed before its request goes out, settled after it.

Only the holder of a lease settles its attempt, so of two workers with the same message one sends.
The transitions and their conditions are in `transitions.py`; a transition that is refused is no
error.
"""

from collections.abc import Mapping
from typing import Any

from shared import ids
from shared.aws.items import IS_NEW, Update, as_model, pack
from shared.aws.table import Refused, Table
from shared.clock import MS_PER_S
from shared.deliveries import transitions
from shared.deliveries.models import Attempt, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import AttemptMessage
from shared.deliveries.transitions import Lease, NotDue, Terms
from shared.dialects import Rendered
from shared.events.models import Event
from shared.tables import event_table
from shared.workspaces.models import Retention

# Longer than a whole attempt: 10 s for the exchange, and what the writes around it may take.
LEASE_MS = 30 * MS_PER_S


class Ledger:
    """`retention` is that of the delivery's workspace. What is asked for by hand or by a release is
    kept as long as the stack keeps it."""

    def __init__(self, table: Table, retention_days: int, repair_after_s: int) -> None:
        self._table = table
        self._retention = Retention.of_days(retention_days)
        self._repair_after_ms = repair_after_s * MS_PER_S

    def claim(
        self, message: AttemptMessage, event: Event | None, retention: Retention, now: int
    ) -> Delivery | NotDue | None:
        """The delivery, whose attempt is now the caller's alone. NotDue or None if the attempt is
        not to be made now: see `transitions.why_not`.

        `event` is needed for the first attempt, which makes the delivery.
        """
        lease = Lease(ids.new_lease(), now + LEASE_MS)
        update = transitions.claim(message, event, lease, self._terms(retention), now)
        found = self._update(message, update)
        if isinstance(found, Delivery):
            return found
        return transitions.why_not(_stored(found), message.attempt, lease.holder, now)

    def defer(
        self,
        message: AttemptMessage,
        event: Event | None,
        reason: Reason,
        next_at: int,
        retention: Retention,
        now: int,
    ) -> Delivery | NotDue | None:
        """The delivery, whose attempt is put off and not used up; otherwise as `claim`."""
        terms = self._terms(retention)
        found = self._update(
            message, transitions.defer(message, event, reason, next_at, terms, now)
        )
        if isinstance(found, Delivery):
            return found
        return transitions.why_not(_stored(found), message.attempt, None, now)

    def reject(
        self,
        message: AttemptMessage,
        event: Event | None,
        state: DeliveryState,
        reason: Reason,
        retention: Retention,
        now: int,
    ) -> bool:
        """Hold, cancel or fail a delivery in place of its attempt. False if it has moved on."""
        terms = self._terms(retention)
        update = transitions.reject(message, event, state, reason, terms, now)
        return self._table.apply(_key(message), update) is None

    def settle(
        self,
        delivery: Delivery,
        attempt: Attempt,
        retention: Retention,
        now: int,
        notice: Mapping[str, Any] | None = None,
    ) -> bool:
        """Record the attempt. False if the lease was lost: another worker has taken it over.

        `notice` is an operation that is written in the same transaction.
        """
        key = _key(delivery)
        update = transitions.settle(delivery, attempt, self._terms(retention), now)
        if notice is not None:
            return not self._table.transact([self._table.updating(key, update), notice])
        refused = self._table.apply(key, update)
        return refused is None or transitions.is_recorded(_stored(refused), attempt)

    def release(self, message: AttemptMessage, at: int, now: int) -> Delivery | None:
        """Let a held delivery, or one that waits for its endpoint, go at `at`. None if it has moved
        on. The number of the attempt in the message does not matter."""
        terms = self._terms(self._retention)
        found = self._update(message, transitions.release(message, at, terms, now))
        return found if isinstance(found, Delivery) else None

    def resend(self, seen: Delivery, resend: Resend, now: int) -> Delivery:
        """Let a delivery go now. As it stands, if it has moved on since it was seen."""
        terms = self._terms(self._retention)
        return self._update_seen(seen, transitions.resend(seen, resend, terms, now))

    def cancel(self, seen: Delivery, now: int) -> Delivery:
        """Cancel a delivery that is not being sent. As it stands, if it has moved on since it was
        seen."""
        return self._update_seen(seen, transitions.cancel(seen, now))

    def keep(
        self,
        delivery: Delivery,
        rendered: Rendered,
        retention: Retention,
        now: int,
        last_at: int = 0,
    ) -> None:
        """Keep the body that every later attempt sends, up to `last_at`. The first body stays."""
        body = {
            "body": pack(rendered.body),
            "headers": dict(rendered.headers),
            "expires_at": retention.content_until_s(now, last_at),
        }
        key = event_table.body_key(delivery.workspace_id, delivery.request_id)
        self._table.put(key | body, IS_NEW)

    def _terms(self, retention: Retention) -> Terms:
        return Terms(retention, self._repair_after_ms)

    def _update(self, of: AttemptMessage | Delivery, update: Update) -> Delivery | Refused:
        found = self._table.update(_key(of), update)
        return found if isinstance(found, Refused) else as_model(Delivery, found)

    def _update_seen(self, seen: Delivery, update: Update) -> Delivery:
        found = self._update(seen, update)
        return found if isinstance(found, Delivery) else _stored(found) or seen


def is_leased(delivery: Delivery, until: int) -> bool:
    """Whether no other worker may take the attempt over before that moment (ms)."""
    return delivery.lease_until is not None and until <= delivery.lease_until


def _key(of: AttemptMessage | Delivery) -> dict[str, str]:
    return event_table.delivery_key(of.workspace_id, of.request_id)


def _stored(refused: Refused) -> Delivery | None:
    return None if refused.item is None else as_model(Delivery, refused.item)
