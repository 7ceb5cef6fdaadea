"""Resend and cancel: what a user asks for by hand. A resend keeps the delivery's id and bytes.

One conditional write makes the change. A message queues the attempt; if the message is lost, the
due index brings the delivery back.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from shared.attempts.reader import AttemptContext, AttemptReader
from shared.clock import Clock
from shared.deliveries.ledger import Ledger
from shared.deliveries.models import ENDED, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import Queue
from shared.endpoints import admission
from shared.endpoints.admission import Rejected
from shared.errors import ConflictError

PARALLEL = 10
# Deliveries of an event: more take longer than a caller waits.
MAX_AT_ONCE = 100
# All attempts stay in the item of the delivery, which may have 400 kB, and a whole schedule may
# follow the last resend.
MAX_ATTEMPTS = 100
_CANCELLABLE = frozenset({DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.HELD})


class Resender:
    def __init__(self, reader: AttemptReader, ledger: Ledger, queue: Queue, clock: Clock) -> None:
        self._reader = reader
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def resend(self, delivery: Delivery, retry: bool, since: int) -> Delivery:
        """Send the delivery now; with `retry`, its schedule begins again.

        The contents of events accepted before `since` have expired. Raises ConflictError if the
        delivery cannot be sent.
        """
        (context,) = self._reader.whole([delivery.next_message])
        refusal = why_not(delivery, context, since)
        if refusal is not None:
            raise ConflictError(refusal)
        resent = self._move(delivery, retry)
        if not _is_resent(resent):
            raise ConflictError(f"It has moved on meanwhile, and is {resent.state}.")
        self._queue.send([resent.next_message])
        return resent

    def resend_all(self, deliveries: Sequence[Delivery], retry: bool, since: int) -> list[Delivery]:
        """Resend the deliveries that can be sent, and return them; the others stay as they are."""
        contexts = self._reader.whole([delivery.next_message for delivery in deliveries])
        pairs = zip(deliveries, contexts, strict=True)
        able = [
            delivery for delivery, context in pairs if why_not(delivery, context, since) is None
        ]
        with ThreadPoolExecutor(PARALLEL) as pool:
            moved = list(pool.map(lambda delivery: self._move(delivery, retry), able))
        resent = [delivery for delivery in moved if _is_resent(delivery)]
        self._queue.send([delivery.next_message for delivery in resent])
        return resent

    def cancel(self, delivery: Delivery) -> Delivery:
        """Raises ConflictError if the delivery is being sent, or has ended otherwise."""
        if delivery.state in _CANCELLABLE:
            delivery = self._ledger.cancel(delivery, self._clock())
        if delivery.reason is not Reason.BY_REQUEST:
            raise ConflictError(f"Only what waits can be cancelled, and this is {delivery.state}.")
        return delivery

    def _move(self, delivery: Delivery, retry: bool) -> Delivery:
        """A second request finds the delivery resent, and changes nothing."""
        if _is_resent(delivery):
            return delivery
        return self._ledger.resend(delivery, _resend_of(delivery, retry), self._clock())


def why_not(delivery: Delivery, context: AttemptContext, since: int) -> str | None:
    """Why a delivery cannot be sent again; None if it can. A delivery that has not ended is sent,
    however long ago its event was accepted."""
    if delivery.state is DeliveryState.SENDING:
        return "It is being sent just now."
    if len(delivery.attempts) >= MAX_ATTEMPTS:
        return f"It has had {MAX_ATTEMPTS} attempts, and is not sent again."
    if context.event is None and context.kept is None:
        return "What was sent is kept no longer."
    if delivery.state in ENDED and delivery.created_at < since:
        return "What was sent is past content_days, and hidden."
    receiver = admission.receiver(context.config, context.event)
    return f"It cannot be sent: {receiver.reason}." if isinstance(receiver, Rejected) else None


def _resend_of(delivery: Delivery, retry: bool) -> Resend:
    """A delivery that has not ended goes on by its schedule, even without `retry`."""
    if retry:
        return Resend(after=delivery.attempt, counts_from=delivery.attempt)
    has_ended = delivery.state in ENDED
    return Resend(after=delivery.attempt, counts_from=None if has_ended else delivery.counts_from)


def _is_resent(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.WAITING and delivery.reason is Reason.RESENT
