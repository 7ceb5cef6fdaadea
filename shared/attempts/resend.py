"""What somebody asks for: a delivery sent again at once, under its id and with its bytes; or not.

One conditional write makes it so and a message hurries it, which the wake index makes good if lost.
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
# Of an event: more take longer than a caller waits.
MAX_AT_ONCE = 100
# All stay in the item of the delivery, which takes 400 kB, and a whole schedule may follow the last
# resend.
MAX_ATTEMPTS = 100
_CANCELLABLE = frozenset({DeliveryState.PENDING, DeliveryState.WAITING, DeliveryState.HELD})


class Resender:
    def __init__(self, reader: AttemptReader, ledger: Ledger, queue: Queue, clock: Clock) -> None:
        self._reader = reader
        self._ledger = ledger
        self._queue = queue
        self._clock = clock

    def resend(self, delivery: Delivery, retry: bool, since: int) -> Delivery:
        """Now, and with `retry` by a schedule that begins anew. ConflictError if it cannot go.

        What was accepted before `since` shows no content any more.
        """
        (material,) = self._reader.whole([delivery.next_pointer])
        refusal = why_not(delivery, material, since)
        if refusal is not None:
            raise ConflictError(refusal)
        resent = self._move(delivery, retry)
        if not _is_resent(resent):
            raise ConflictError(f"It has moved on meanwhile, and is {resent.state}.")
        self._queue.send([resent.next_pointer])
        return resent

    def resend_all(self, deliveries: Sequence[Delivery], retry: bool, since: int) -> list[Delivery]:
        """Those that can go; the others are left as they are."""
        wanted = [delivery.next_pointer for delivery in deliveries]
        materials = self._reader.whole(wanted)
        pairs = zip(deliveries, materials, strict=True)
        able = [one for one, material in pairs if why_not(one, material, since) is None]
        with ThreadPoolExecutor(PARALLEL) as pool:
            moved = list(pool.map(lambda delivery: self._move(delivery, retry), able))
        resent = [delivery for delivery in moved if _is_resent(delivery)]
        self._queue.send([delivery.next_pointer for delivery in resent])
        return resent

    def cancel(self, delivery: Delivery) -> Delivery:
        """ConflictError if it is being sent, or has ended otherwise."""
        if delivery.state in _CANCELLABLE:
            delivery = self._ledger.cancel(delivery, self._clock())
        if delivery.reason is not Reason.BY_REQUEST:
            raise ConflictError(f"Only what waits can be cancelled, and this is {delivery.state}.")
        return delivery

    def _move(self, delivery: Delivery, retry: bool) -> Delivery:
        """A second click finds it on its way, and changes nothing."""
        if _is_resent(delivery):
            return delivery
        return self._ledger.resend(delivery, _resend_of(delivery, retry), self._clock())


def why_not(delivery: Delivery, material: AttemptContext, since: int) -> str | None:
    """What keeps a delivery from being sent again, if anything does. What has not ended goes out
    in any case, however long ago it was accepted."""
    if delivery.state is DeliveryState.SENDING:
        return "It is being sent just now."
    if len(delivery.attempts) >= MAX_ATTEMPTS:
        return f"It has had {MAX_ATTEMPTS} attempts, and is not sent again."
    if material.event is None and material.kept is None:
        return "What was sent is kept no longer."
    if delivery.state in ENDED and delivery.created_at < since:
        return "What was sent is past content_days, and hidden."
    receiver = admission.receiver(material.config, material.event)
    return f"It cannot be sent: {receiver.reason}." if isinstance(receiver, Rejected) else None


def _resend_of(delivery: Delivery, retry: bool) -> Resend:
    """What has not ended goes on by its schedule, whether that is asked for or not."""
    if retry:
        return Resend(after=delivery.attempt, counts_from=delivery.attempt)
    has_ended = delivery.state in ENDED
    return Resend(after=delivery.attempt, counts_from=None if has_ended else delivery.counts_from)


def _is_resent(delivery: Delivery) -> bool:
    return delivery.state is DeliveryState.WAITING and delivery.reason is Reason.RESENT
