"""How many attempts a delivery may have before it is sent no more."""

from typing import Any

from shared.attempts.resend import MAX_ATTEMPTS
from shared.aws.items import to_item
from shared.deliveries.models import Attempt, AttemptOrigin, Reason
from shared.deliveries.transitions import recorded
from shared.outbound.redaction import EXCERPT_BYTES
from shared.outbound.response import Cause, Timings
from tests.fakes import NOW

MAX_ITEM = 400_000
LONGEST_SCHEDULE = 20
LARGEST = Attempt(
    number=1_000,
    trigger=AttemptOrigin.RESEND,
    started_at=NOW,
    succeeded=False,
    status_code=500,
    cause=Cause.REFUSED_ADDRESS,
    detail="d" * 500,
    address="2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    timings=Timings(total=10_000, dns=10_000, connect=10_000, tls=10_000, first_byte=10_000),
    excerpt="x" * EXCERPT_BYTES,
    next_wait_ms=86_400_000,
    next_reason=Reason.ATTEMPT_FAILED,
)


def test_all_attempts_of_a_delivery_fit_its_item() -> None:
    """The last resend that is allowed may begin a whole schedule anew."""
    largest = _size(to_item({"attempt": recorded(LARGEST)}))

    assert (MAX_ATTEMPTS + LONGEST_SCHEDULE) * largest < MAX_ITEM


def _size(value: Any) -> int:
    """More than DynamoDB counts: the names of the types are in it."""
    if isinstance(value, dict):
        return sum(3 + len(name) + _size(inner) for name, inner in value.items())
    return len(str(value).encode())
