"""Removes personal data from deliveries: stored bodies and excerpts of responses.

Deliveries that are still to be sent are cancelled. Counts, states and attempts stay.
"""

from collections.abc import Callable

from shared.aws.items import Update
from shared.aws.table import Table
from shared.deliveries import transitions
from shared.deliveries.models import ENDED, Delivery, DeliveryState
from shared.deliveries.store import DeliveryStore
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table


class Erased(Model):
    """`is_complete` is false while one of the deliveries is being sent."""

    deliveries: int = 0
    cancelled: int = 0
    is_complete: bool = True


class DeliveryErasure:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._deliveries = DeliveryStore(table)

    def erase(self, event: Event, now: int) -> Erased:
        """Repeat this until it is complete. It counts all deliveries that are erased by then."""
        found = self._deliveries.of_event(event)
        done = [delivery for delivery in found if self._erase(delivery, now)]
        return Erased(
            deliveries=len(done),
            cancelled=sum(delivery.state not in ENDED for delivery in done),
            is_complete=len(done) == len(found),
        )

    def delete_excerpts(self, event: Event, has_time: Callable[[], bool]) -> bool:
        """Remove the excerpts only: a stored body expires by itself.

        False while one of the deliveries may still be sent, or if there was not enough time. The
        next call skips the deliveries that are done.
        """
        are_deleted = True
        for delivery in self._deliveries.fresh_of_event(event):
            if not has_time():
                return False
            are_deleted = self._delete_excerpts(delivery) and are_deleted
        return are_deleted

    def _delete_excerpts(self, delivery: Delivery) -> bool:
        if delivery.state not in ENDED:
            return False
        return not _has_excerpts(delivery) or self._change(
            delivery, transitions.clear_excerpts(delivery)
        )

    def _erase(self, delivery: Delivery, now: int) -> bool:
        """False while an attempt is in progress, which may still store a body."""
        if delivery.state is DeliveryState.SENDING and (delivery.lease_until or 0) > now:
            return False
        self._delete_body(delivery)
        if delivery.state in ENDED and not _has_excerpts(delivery):
            return True
        return self._change(delivery, transitions.erase(delivery, now))

    def _delete_body(self, delivery: Delivery) -> None:
        key = event_table.body_key(delivery.workspace_id, delivery.request_id)
        self._table.delete(key)

    def _change(self, delivery: Delivery, update: Update) -> bool:
        """False if the delivery has moved on."""
        key = event_table.delivery_key(delivery.workspace_id, delivery.request_id)
        return self._table.apply(key, update) is None


def _has_excerpts(delivery: Delivery) -> bool:
    return any(attempt.excerpt for attempt in delivery.attempts)
