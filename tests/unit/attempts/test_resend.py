"""Resend and cancel: which deliveries, by which schedule, and how often."""

from collections.abc import Sequence
from typing import Any

import pytest

from shared.attempts.reader import AttemptContext
from shared.attempts.resend import MAX_ATTEMPTS, Resender, why_not
from shared.aws.items import to_item
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import AttemptMessage
from shared.deliveries.transitions import recorded
from shared.endpoints.breaker import EndpointHealth
from shared.errors import ConflictError
from shared.outbound.redaction import EXCERPT_BYTES
from shared.outbound.response import Cause, Timings
from shared.workspaces.models import Workspace
from tests import factories
from tests.factories import WORKSPACE
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


CONTEXT = AttemptContext(
    config=factories.config(),
    workspace=Workspace(workspace_id=WORKSPACE, name="Acme", created_at=NOW),
    health=EndpointHealth(),
    event=factories.event(),
    kept=None,
)


def delivery(state: DeliveryState = DeliveryState.FAILED, **changes: Any) -> Delivery:
    values = {
        "workspace_id": WORKSPACE,
        "request_id": factories.request_id(),
        "event_id": "event-1",
        "event_type": "on_action",
        "config_id": "crm",
        "state": state,
        "attempt": 3,
        "created_at": NOW,
    }
    return Delivery.model_validate(values | changes)


class FakeReader:
    def __init__(self, context: AttemptContext = CONTEXT) -> None:
        self._context = context

    def whole(self, messages: Sequence[AttemptMessage]) -> list[AttemptContext]:
        return [self._context for _ in messages]


class FakeLedger:
    """Makes the changes, or finds that another worker `has_moved` the delivery on."""

    def __init__(self, has_moved: bool = False) -> None:
        self.resends = list[Resend]()
        self._has_moved = has_moved

    def resend(self, seen: Delivery, resend: Resend, now: int) -> Delivery:
        self.resends.append(resend)
        if self._has_moved:
            return seen.model_copy(update={"state": DeliveryState.SENDING})
        changes = {"state": DeliveryState.WAITING, "reason": Reason.RESENT, "resend": resend}
        return seen.model_copy(update=changes)

    def cancel(self, seen: Delivery, now: int) -> Delivery:
        if self._has_moved:
            return seen.model_copy(update={"state": DeliveryState.SENDING})
        changes = {"state": DeliveryState.CANCELLED, "reason": Reason.BY_REQUEST}
        return seen.model_copy(update=changes)


class FakeQueue:
    def __init__(self) -> None:
        self.sent = list[AttemptMessage]()

    def send(self, messages: Sequence[AttemptMessage]) -> None:
        self.sent += messages


def resender(
    ledger: FakeLedger | None = None,
    queue: FakeQueue | None = None,
    reader: FakeReader | None = None,
) -> Resender:
    fake_reader: Any = reader or FakeReader()
    fake_ledger: Any = ledger or FakeLedger()
    fake_queue: Any = queue or FakeQueue()
    return Resender(fake_reader, fake_ledger, fake_queue, lambda: NOW)


class TestAResend:
    def test_queues_the_next_attempt(self) -> None:
        queue = FakeQueue()

        resent = resender(queue=queue).resend(delivery(), retry=False, since=0)

        assert resent.reason is Reason.RESENT
        assert [message.attempt for message in queue.sent] == [4]

    @pytest.mark.parametrize(
        ("state", "retry", "resend"),
        [
            (DeliveryState.FAILED, False, Resend(after=3)),
            (DeliveryState.FAILED, True, Resend(after=3, counts_from=3)),
            (DeliveryState.WAITING, False, Resend(after=3, counts_from=0)),
            (DeliveryState.WAITING, True, Resend(after=3, counts_from=3)),
        ],
    )
    def test_goes_by_a_schedule_if_one_is_asked_for_or_goes_on(
        self, state: DeliveryState, retry: bool, resend: Resend
    ) -> None:
        ledger = FakeLedger()

        resender(ledger).resend(delivery(state), retry, since=0)

        assert ledger.resends == [resend]

    def test_that_is_asked_for_twice_is_made_once(self) -> None:
        ledger = FakeLedger()
        resent = delivery(DeliveryState.WAITING, reason=Reason.RESENT)

        assert resender(ledger).resend(resent, retry=True, since=0) == resent
        assert ledger.resends == []

    def test_of_a_delivery_that_has_moved_on_is_refused(self) -> None:
        queue = FakeQueue()

        with pytest.raises(ConflictError, match="moved on"):
            resender(FakeLedger(has_moved=True), queue).resend(delivery(), retry=False, since=0)

        assert queue.sent == []

    def test_of_several_leaves_out_what_cannot_be_sent(self) -> None:
        sending, failed = delivery(DeliveryState.SENDING), delivery()

        resent = resender().resend_all([sending, failed], retry=False, since=0)

        assert [one.state for one in resent] == [DeliveryState.WAITING]


class TestADeliveryIsNotSentAgain:
    @pytest.mark.parametrize(
        ("found", "context", "reason"),
        [
            (delivery(DeliveryState.SENDING), CONTEXT, "being sent"),
            (delivery(attempts=(LARGEST,) * MAX_ATTEMPTS), CONTEXT, "100 attempts"),
            (delivery(), CONTEXT._replace(event=None), "kept no longer"),
            (delivery(created_at=NOW - 1), CONTEXT, "content_days"),
            (delivery(), CONTEXT._replace(config=None), "config_unknown"),
            (
                delivery(),
                CONTEXT._replace(config=factories.config(enabled=False)),
                "config_disabled",
            ),
        ],
    )
    def test_and_the_refusal_says_why(
        self, found: Delivery, context: AttemptContext, reason: str
    ) -> None:
        assert reason in (why_not(found, context, since=NOW) or "")

    def test_unless_it_has_not_ended_however_old_it_is(self) -> None:
        waiting = delivery(DeliveryState.WAITING, created_at=NOW - 1)

        assert why_not(waiting, CONTEXT, since=NOW) is None


class TestACancellation:
    @pytest.mark.parametrize("state", ["pending", "waiting", "held"])
    def test_is_of_a_delivery_that_waits(self, state: str) -> None:
        cancelled = resender().cancel(delivery(DeliveryState(state)))

        assert cancelled.state is DeliveryState.CANCELLED

    @pytest.mark.parametrize("state", ["sending", "delivered", "failed"])
    def test_of_any_other_delivery_is_refused(self, state: str) -> None:
        with pytest.raises(ConflictError, match=state):
            resender().cancel(delivery(DeliveryState(state)))

    def test_may_come_again(self) -> None:
        cancelled = delivery(DeliveryState.CANCELLED, reason=Reason.BY_REQUEST)

        assert resender().cancel(cancelled) == cancelled

    def test_of_a_delivery_that_has_moved_on_is_refused(self) -> None:
        with pytest.raises(ConflictError, match="sending"):
            resender(FakeLedger(has_moved=True)).cancel(delivery(DeliveryState.WAITING))
