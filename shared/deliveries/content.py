"""What reads still show of the contents: nothing of what came in before a moment."""

from collections.abc import Sequence

from shared.deliveries.models import Delivery
from shared.events.models import Event
from shared.events.store import NOTHING


def of_event(event: Event, since: int) -> Event:
    """Without its payload, if it was accepted before."""
    return event if event.accepted_at >= since else event.model_copy(update={"payload": NOTHING})


def of_deliveries(deliveries: Sequence[Delivery], since: int) -> list[Delivery]:
    """Without what receivers answered, if their event was accepted before."""
    return [one if one.created_at >= since else _bare(one) for one in deliveries]


def _bare(delivery: Delivery) -> Delivery:
    attempts = tuple(one.model_copy(update={"excerpt": ""}) for one in delivery.attempts)
    return delivery.model_copy(update={"attempts": attempts})
