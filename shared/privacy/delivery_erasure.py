"""What deliveries hold of a person: kept bodies, excerpts of answers, and what is still to be sent.

Counts, states and attempts stay.
"""

from collections.abc import Callable

from shared import ids
from shared.aws.items import Update
from shared.aws.table import Table
from shared.deliveries.item import delivery_key
from shared.deliveries.models import ENDED, Delivery, DeliveryState, Reason
from shared.deliveries.store import DeliveryStore
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table


class Erased(Model):
    """`is_complete` is false while one of the deliveries is just being sent."""

    deliveries: int = 0
    cancelled: int = 0
    is_complete: bool = True


class DeliveryErasure:
    def __init__(self, table: Table) -> None:
        self._table = table
        self._deliveries = DeliveryStore(table)

    def erase(self, event: Event, now: int) -> Erased:
        """To be repeated until it is complete; each time it counts what is erased by then."""
        found = self._deliveries.of_event(event)
        done = [delivery for delivery in found if self._erase(delivery, now)]
        return Erased(
            deliveries=len(done),
            cancelled=sum(delivery.state not in ENDED for delivery in done),
            is_complete=len(done) == len(found),
        )

    def empty(self, event: Event, has_time: Callable[[], bool]) -> bool:
        """Take out the excerpts alone: a kept body has an end of its own.

        False while one of the deliveries may still be sent, or if the time was not enough. What is
        taken out by then is not looked for again.
        """
        is_empty = True
        for delivery in self._deliveries.fresh_of_event(event):
            if not has_time():
                return False
            is_empty = self._empty(delivery) and is_empty
        return is_empty

    def _empty(self, delivery: Delivery) -> bool:
        if delivery.state not in ENDED:
            return False
        return not _has_excerpts(delivery) or self._change(delivery, Update())

    def _erase(self, delivery: Delivery, now: int) -> bool:
        """An attempt that is under way may finish, and keep its body: that is erased later."""
        if delivery.state is DeliveryState.SENDING and (delivery.lease_until or 0) > now:
            return False
        self._delete_body(delivery)
        update = Update()
        if delivery.state not in ENDED:
            _cancel(update, delivery, now)
        elif not _has_excerpts(delivery):
            return True
        return self._change(delivery, update)

    def _delete_body(self, delivery: Delivery) -> None:
        pk = event_table.partition(delivery.workspace_id, ids.event_key_of(delivery.request_id))
        self._table.delete({"pk": pk, "sk": event_table.body_sk(delivery.request_id)})

    def _change(self, delivery: Delivery, update: Update) -> bool:
        """And take out the excerpts. False if the delivery has moved on."""
        update.remove(*(f"attempts[{at}].excerpt" for at, _ in enumerate(delivery.attempts)))
        _as_it_was_read(update, delivery)
        key = delivery_key(delivery.workspace_id, delivery.request_id)
        return self._table.apply(key, update) is None


def _has_excerpts(delivery: Delivery) -> bool:
    return any(attempt.excerpt for attempt in delivery.attempts)


def _cancel(update: Update, delivery: Delivery, now: int) -> None:
    state_pk = event_table.state_log(
        delivery.workspace_id, delivery.config_id, DeliveryState.CANCELLED
    )
    update.set(
        {
            "state": DeliveryState.CANCELLED,
            "reason": Reason.ERASED,
            "settled_at": now,
            "state_pk": state_pk,
            "next_attempt_at": None,
            "wake_shard": None,
            "wake_at": None,
            "lease": None,
            "lease_until": None,
        }
    ).once(
        {
            "log_pk": event_table.delivery_log(delivery.workspace_id, delivery.config_id),
            "log_sk": event_table.log_sk(delivery.created_at, str(delivery.request_id)),
        }
    )


def _as_it_was_read(update: Update, delivery: Delivery) -> None:
    """Whatever moves a delivery on changes its state, its attempt or who holds it."""
    holder = "attribute_not_exists(lease)" if delivery.lease is None else "lease = :when_lease"
    condition = f"#state = :when_state AND attempt = :when_attempt AND {holder}"
    values = {"state": delivery.state, "attempt": delivery.attempt}
    update.when(condition, values if delivery.lease is None else values | {"lease": delivery.lease})
