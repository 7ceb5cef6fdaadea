"""Each transition, made to an item in memory: what it changes, and when it changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.aws.items import Update, as_model
from shared.aws.table import Refused, Table
from shared.deliveries import transitions
from shared.deliveries.ledger import LEASE_MS
from shared.deliveries.models import ENDED, Attempt, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import MAX_DELAY_MS
from shared.deliveries.transitions import EARLY_MS, PARK_LEAD_MS, Lease, NotDue, Terms
from shared.outbound.response import Timings
from shared.standalone.engine.database import Database
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.template import template
from shared.tables import event_table
from shared.workspaces.models import Retention
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

DAY_MS = 86_400_000
REPAIR_MS = 600_000
TERMS = Terms(Retention.of_days(30), REPAIR_MS)
EVENT = factories.event()
MESSAGE = factories.pointer()
SECOND = factories.pointer(attempt=2)
LEASE = "lease-1"
SPOT = "0#1"


def lease(holder: str, now: int) -> Lease:
    return Lease(holder, now + LEASE_MS)


class Stored:
    """One delivery in a table in memory, moved from state to state."""

    def __init__(self) -> None:
        properties = template().resources["EventTable"]["Properties"]
        client: Any = Database(
            memory_tables({"EventTable": properties}), lambda: 0, lambda *_: None
        )
        self._table = Table(client, "EventTable")
        self.key = event_table.delivery_key(WORKSPACE, MESSAGE.request_id)

    def make(self, update: Update) -> Delivery | None:
        """The delivery after the transition; None if it was refused and changed nothing."""
        found = self._table.update(self.key, update)
        return None if isinstance(found, Refused) else as_model(Delivery, found)

    @property
    def item(self) -> dict[str, Any]:
        return self._table.get(self.key) or {}

    @property
    def delivery(self) -> Delivery | None:
        return as_model(Delivery, self.item) if self.item else None

    def sending(self, now: int = NOW) -> Delivery:
        return made(self.make(transitions.claim(MESSAGE, EVENT, lease(LEASE, now), TERMS, now)))

    def waiting(self, wait_ms: int = 60_000, now: int = NOW) -> Delivery:
        failed = attempt(1, 500, wait_ms)
        return made(self.make(transitions.settle(self.sending(now), failed, TERMS, now)))

    def held(self) -> Delivery:
        state, reason = DeliveryState.HELD, Reason.CONFIG_DISABLED
        return made(self.make(transitions.reject(MESSAGE, EVENT, state, reason, TERMS, NOW)))

    def tripped(self, at: int) -> Delivery:
        reason = Reason.ENDPOINT_TRIPPED
        return made(self.make(transitions.defer(MESSAGE, EVENT, reason, at, TERMS, NOW)))

    def delivered(self) -> Delivery:
        return made(self.make(transitions.deliver(self.sending(), attempt(), NOW)))


@pytest.fixture
def stored() -> Stored:
    return Stored()


def made(delivery: Delivery | None) -> Delivery:
    assert delivery is not None
    return delivery


def attempt(number: int = 1, status_code: int = 200, next_wait_ms: int | None = None) -> Attempt:
    return Attempt(
        number=number,
        started_at=NOW,
        succeeded=status_code == 200,
        status_code=status_code,
        timings=Timings(total=1),
        excerpt="what it said",
        next_wait_ms=next_wait_ms,
        next_reason=None if next_wait_ms is None else Reason.ATTEMPT_FAILED,
    )


class TestAFirstClaim:
    def test_makes_the_delivery_of_its_event(self, stored: Stored) -> None:
        delivery = stored.sending()

        assert delivery == Delivery(
            workspace_id=WORKSPACE,
            request_id=MESSAGE.request_id,
            event_id=EVENT.event_id,
            event_type=EVENT.event_type,
            config_id="crm",
            state=DeliveryState.SENDING,
            attempt=1,
            created_at=EVENT.accepted_at,
            built_at=NOW,
            lease=LEASE,
            lease_until=NOW + LEASE_MS,
        )
        assert stored.item["expires_at"] == (NOW + 30 * DAY_MS) // 1000

    def test_is_in_no_index(self, stored: Stored) -> None:
        """Each entry is a write; most deliveries are delivered at once."""
        stored.sending()

        assert {"wake_at", "log_pk", "state_pk"} & stored.item.keys() == set()

    def test_without_the_event_makes_nothing(self, stored: Stored) -> None:
        assert stored.make(transitions.claim(MESSAGE, None, lease(LEASE, NOW), TERMS, NOW)) is None
        assert stored.item == {}

    def test_takes_a_delivery_that_repair_has_begun(self, stored: Stored) -> None:
        stored.make(transitions.begin(MESSAGE, EVENT, TERMS, NOW))

        assert stored.sending().state is DeliveryState.SENDING


class TestAClaim:
    def test_of_an_attempt_whose_lease_lasts_is_refused(self, stored: Stored) -> None:
        stored.sending()
        before = stored.item

        assert stored.make(again(now=NOW + LEASE_MS)) is None
        assert stored.item == before

    def test_of_an_attempt_whose_lease_ran_out_takes_it_over(self, stored: Stored) -> None:
        first = stored.sending()

        second = made(stored.make(again(now=NOW + LEASE_MS + 1)))

        assert (second.lease, second.attempt, second.built_at) == ("other", 1, first.built_at)

    @pytest.mark.parametrize(("early_ms", "is_made"), [(EARLY_MS, True), (EARLY_MS + 1, False)])
    def test_may_come_a_moment_early(self, stored: Stored, early_ms: int, is_made: bool) -> None:
        stored.waiting(60_000)

        claimed = stored.make(again(2, NOW + 60_000 - early_ms))

        assert (claimed is not None) is is_made

    def test_of_a_later_attempt_stays_in_the_due_index(self, stored: Stored) -> None:
        stored.waiting(60_000)
        due_by = stored.item["wake_at"]

        stored.make(again(2, NOW + 60_000))

        assert stored.item["wake_at"] == due_by == NOW + 60_000 + REPAIR_MS

    @pytest.mark.parametrize("number", [1, 3])
    def test_of_any_other_attempt_is_refused(self, stored: Stored, number: int) -> None:
        stored.waiting(0)

        assert stored.make(again(number, NOW)) is None


def again(number: int = 1, now: int = NOW) -> Update:
    return transitions.claim(
        factories.pointer(attempt=number), EVENT, lease("other", now), TERMS, now
    )


class TestSettling:
    def test_records_a_success_and_leaves_the_due_index(self, stored: Stored) -> None:
        delivery = stored.delivered()

        assert (delivery.state, delivery.reason) == (DeliveryState.DELIVERED, None)
        assert (delivery.attempts, delivery.status_code) == ((attempt(),), 200)
        assert (delivery.settled_at, delivery.lease, delivery.lease_until) == (NOW, None, None)
        assert {"wake_at", "wake_shard", "state_pk"} & stored.item.keys() == set()
        assert stored.item["log_pk"] == event_table.delivery_log(WORKSPACE, "crm")

    def test_records_a_failure_after_which_another_attempt_follows(self, stored: Stored) -> None:
        delivery = stored.waiting(60_000)

        assert (delivery.state, delivery.reason) == (DeliveryState.WAITING, Reason.ATTEMPT_FAILED)
        assert delivery.next_attempt_at == NOW + 60_000
        assert stored.item["wake_at"] == NOW + 60_000 + REPAIR_MS

    @pytest.mark.parametrize(
        ("resend", "reason"),
        [(None, Reason.SCHEDULE_SPENT), (Resend(after=1), Reason.RESEND_FAILED)],
    )
    def test_records_the_end(self, stored: Stored, resend: Resend | None, reason: Reason) -> None:
        sending = stored.sending().model_copy(update={"resend": resend})

        delivery = made(stored.make(transitions.settle(sending, attempt(1, 500), TERMS, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.FAILED, reason)
        assert stored.item["state_pk"] == event_table.state_log(WORKSPACE, "crm", "failed")

    def test_parks_a_wait_beyond_the_delay_queue_until_repair_is_to_queue_it(
        self, stored: Stored
    ) -> None:
        stored.waiting(MAX_DELAY_MS + 1)

        assert stored.item["wake_at"] == NOW + MAX_DELAY_MS + 1 - PARK_LEAD_MS

    def test_keeps_the_record_until_a_day_after_the_next_attempt(self, stored: Stored) -> None:
        stored.waiting(60 * DAY_MS)

        assert stored.item["expires_at"] == (NOW + 61 * DAY_MS) // 1000

    @pytest.mark.parametrize("next_wait_ms", [None, 60_000])
    def test_is_for_the_holder_alone(self, stored: Stored, next_wait_ms: int | None) -> None:
        slow = stored.sending()
        stored.make(again(now=NOW + LEASE_MS + 1))
        before = stored.item

        late = transitions.settle(slow, attempt(1, 500, next_wait_ms), TERMS, NOW)

        assert stored.make(late) is None
        assert stored.item == before


class TestAVerdictBeforeAnAttempt:
    def test_defers_it_without_using_it_up(self, stored: Stored) -> None:
        delivery = stored.tripped(NOW + 5_000)

        assert (delivery.state, delivery.attempt) == (DeliveryState.WAITING, 0)
        assert delivery.next_attempt_at == NOW + 5_000
        assert stored.item["state_pk"] == event_table.state_log(WORKSPACE, "crm", "waiting")

    def test_holds_it(self, stored: Stored) -> None:
        delivery = stored.held()

        assert (delivery.state, delivery.attempt) == (DeliveryState.HELD, 0)
        assert "wake_at" not in stored.item
        assert stored.item["log_pk"] == event_table.delivery_log(WORKSPACE, "crm")

    def test_takes_a_lease_that_ran_out_from_its_holder(self, stored: Stored) -> None:
        stored.sending()
        now = NOW + LEASE_MS + 1

        deferred = transitions.defer(MESSAGE, EVENT, Reason.RATE_LIMITED, now, TERMS, now)
        delivery = made(stored.make(deferred))

        assert (delivery.lease, delivery.lease_until) == (None, None)

    def test_of_a_delivery_that_is_being_sent_is_refused(self, stored: Stored) -> None:
        stored.sending()
        state, reason = DeliveryState.CANCELLED, Reason.CONFIG_DELETED

        deferred = transitions.defer(MESSAGE, EVENT, Reason.RATE_LIMITED, NOW + 1, TERMS, NOW)
        rejected = transitions.reject(MESSAGE, EVENT, state, reason, TERMS, NOW)

        assert stored.make(deferred) is None
        assert stored.make(rejected) is None


class TestARelease:
    def test_lets_a_held_delivery_go(self, stored: Stored) -> None:
        stored.held()

        delivery = made(stored.make(transitions.release(MESSAGE, NOW + 7, TERMS, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.WAITING, Reason.RELEASED)
        assert (delivery.next_attempt_at, delivery.settled_at) == (NOW + 7, None)

    def test_lets_a_delivery_go_that_waits_for_its_endpoint(self, stored: Stored) -> None:
        stored.tripped(NOW + 60_000)

        assert stored.make(transitions.release(MESSAGE, NOW + 7, TERMS, NOW)) is not None

    def test_never_makes_a_delivery_wait_longer(self, stored: Stored) -> None:
        stored.tripped(NOW + 5)

        assert stored.make(transitions.release(MESSAGE, NOW + 7, TERMS, NOW)) is None

    @pytest.mark.parametrize("before", [Stored.sending, Stored.waiting, Stored.delivered])
    def test_of_any_other_delivery_is_refused(
        self, stored: Stored, before: Callable[[Stored], Delivery]
    ) -> None:
        before(stored)

        assert stored.make(transitions.release(MESSAGE, NOW + 7, TERMS, NOW)) is None


class TestARequest:
    def test_sends_a_delivery_again(self, stored: Stored) -> None:
        seen, resend = stored.delivered(), Resend(after=1)

        delivery = made(stored.make(transitions.resend(seen, resend, TERMS, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.WAITING, Reason.RESENT)
        assert (delivery.resend, delivery.next_attempt_at, delivery.settled_at) == (
            resend,
            NOW,
            None,
        )

    def test_cancels_a_delivery(self, stored: Stored) -> None:
        seen = stored.waiting()

        delivery = made(stored.make(transitions.cancel(seen, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.CANCELLED, Reason.BY_REQUEST)
        assert (delivery.next_attempt_at, delivery.settled_at) == (None, NOW)
        assert "wake_at" not in stored.item

    def test_changes_nothing_if_the_delivery_has_moved_on(self, stored: Stored) -> None:
        seen = stored.waiting(0)
        stored.make(again(2, NOW))
        before = stored.item

        assert stored.make(transitions.cancel(seen, NOW)) is None
        assert stored.make(transitions.resend(seen, Resend(after=1), TERMS, NOW)) is None
        assert stored.item == before

    def test_changes_nothing_if_another_request_came_first(self, stored: Stored) -> None:
        seen = stored.waiting()
        stored.make(transitions.resend(seen, Resend(after=1), TERMS, NOW))

        assert stored.make(transitions.resend(seen, Resend(after=1), TERMS, NOW)) is None


class TestErasure:
    def test_cancels_a_delivery_that_has_not_ended_and_takes_out_the_excerpts(
        self, stored: Stored
    ) -> None:
        seen = stored.waiting()

        delivery = made(stored.make(transitions.erase(seen, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.CANCELLED, Reason.ERASED)
        assert [one.excerpt for one in delivery.attempts] == [""]
        assert "wake_at" not in stored.item

    def test_leaves_the_state_of_a_delivery_that_has_ended(self, stored: Stored) -> None:
        seen = stored.delivered()

        delivery = made(stored.make(transitions.erase(seen, NOW)))

        assert (delivery.state, delivery.settled_at) == (seen.state, seen.settled_at)
        assert [one.excerpt for one in delivery.attempts] == [""]

    def test_takes_out_excerpts_alone_where_contents_expire(self, stored: Stored) -> None:
        seen = stored.delivered()

        delivery = made(stored.make(transitions.clear_excerpts(seen)))

        assert delivery.attempts == (attempt().model_copy(update={"excerpt": ""}),)
        assert delivery.model_copy(update={"attempts": seen.attempts}) == seen

    def test_changes_nothing_if_another_worker_holds_the_attempt(self, stored: Stored) -> None:
        seen = stored.sending()
        stored.make(again(now=NOW + LEASE_MS + 1))

        assert stored.make(transitions.erase(seen, NOW)) is None


class TestAReplay:
    def test_makes_a_delivery_that_waits_for_its_first_attempt(self, stored: Stored) -> None:
        assert stored.make(transitions.replay(replayed(), SPOT, TERMS, NOW)) == replayed()
        assert stored.item["wake_at"] == NOW + 5 + REPAIR_MS
        assert stored.item["replay_spot"] == SPOT
        assert stored.item["replay_pk"] == event_table.replay_log(WORKSPACE, "rpl_1")
        assert stored.item["state_pk"] == event_table.state_log(WORKSPACE, "crm", "waiting")

    def test_makes_it_once(self, stored: Stored) -> None:
        stored.make(transitions.replay(replayed(), SPOT, TERMS, NOW))

        assert stored.make(transitions.replay(replayed(), "0#2", TERMS, NOW)) is None

    def test_counts_what_it_has_made_until_it_is_delivered(self, stored: Stored) -> None:
        stored.make(transitions.replay(replayed(), SPOT, TERMS, NOW))
        claimed = made(stored.make(again(now=NOW + 5)))

        stored.make(transitions.deliver(claimed, attempt(), NOW))

        assert "replay_pk" not in stored.item


def replayed() -> Delivery:
    return Delivery(
        workspace_id=WORKSPACE,
        request_id=MESSAGE.request_id,
        event_id=EVENT.event_id,
        event_type=EVENT.event_type,
        config_id="crm",
        state=DeliveryState.WAITING,
        reason=Reason.REPLAYED,
        created_at=EVENT.accepted_at,
        next_attempt_at=NOW + 5,
        replay_id="rpl_1",
    )


class TestRepair:
    def test_begins_a_delivery_whose_message_was_lost(self, stored: Stored) -> None:
        delivery = made(stored.make(transitions.begin(MESSAGE, EVENT, TERMS, NOW)))

        assert (delivery.state, delivery.reason) == (DeliveryState.PENDING, Reason.REPAIRED)
        assert (delivery.attempt, delivery.created_at) == (0, EVENT.accepted_at)
        assert stored.item["wake_at"] == NOW + REPAIR_MS

    def test_begins_no_delivery_that_is_there(self, stored: Stored) -> None:
        stored.sending()

        assert stored.make(transitions.begin(MESSAGE, EVENT, TERMS, NOW)) is None

    def test_watches_a_first_attempt(self, stored: Stored) -> None:
        delivery = stored.sending()
        watch = transitions.watch(delivery.request_id, NOW + LEASE_MS, REPAIR_MS)

        assert stored.make(watch) == delivery
        assert stored.item["wake_at"] == NOW + LEASE_MS + REPAIR_MS
        assert stored.make(watch) is None

    def test_watches_no_attempt_that_is_settled(self, stored: Stored) -> None:
        delivery = stored.delivered()

        watch = transitions.watch(delivery.request_id, NOW + LEASE_MS, REPAIR_MS)

        assert stored.make(watch) is None

    def test_pushes_back_what_is_due_unless_another_run_did(self, stored: Stored) -> None:
        stored.waiting(60_000)
        push_back = transitions.push_back(stored.item["wake_at"], NOW + 10**6, REPAIR_MS)

        assert stored.make(push_back) is not None
        assert stored.item["wake_at"] == NOW + 10**6 + REPAIR_MS
        assert stored.make(push_back) is None


class TestARefusedClaim:
    def test_was_written_before_if_the_workers_own_lease_is_there(self, stored: Stored) -> None:
        delivery = stored.sending()

        assert transitions.why_not(delivery, 1, LEASE, NOW) == delivery

    def test_gives_another_worker_nothing_to_do(self, stored: Stored) -> None:
        assert transitions.why_not(stored.sending(), 1, "other", NOW) is None
        assert transitions.why_not(None, 1, "other", NOW) is None

    @pytest.mark.parametrize("number", [1, 2])
    def test_says_which_attempt_follows_and_when(self, stored: Stored, number: int) -> None:
        found = transitions.why_not(stored.waiting(60_000), number, "other", NOW)

        assert found == NotDue(message=SECOND, wait_ms=60_000)

    def test_leaves_an_attempt_that_is_parked_to_the_due_index(self, stored: Stored) -> None:
        waiting = stored.waiting(MAX_DELAY_MS + 1)

        assert transitions.why_not(waiting, 2, "other", NOW) is None


def test_a_settlement_that_is_recorded_was_written_before(stored: Stored) -> None:
    delivery = stored.delivered()

    assert transitions.is_recorded(delivery, attempt())
    assert not transitions.is_recorded(delivery, attempt(status_code=204))
    assert not transitions.is_recorded(None, attempt())


class Life(RuleBasedStateMachine):
    """Any transition at any moment, by workers that may have seen the delivery long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = Stored()
        self.now = NOW
        self.claims = list[Delivery]()
        self.outcomes = dict[int, list[Attempt]]()

    @rule(ms=st.sampled_from([1, 1_000, LEASE_MS + 1, MAX_DELAY_MS, DAY_MS]))
    def time_passes(self, ms: int) -> None:
        self.now += ms

    @rule(number=st.integers(1, 4))
    def a_worker_claims(self, number: int) -> None:
        message, own = factories.pointer(attempt=number), lease(f"{len(self.claims)}", self.now)
        claimed = self.stored.make(transitions.claim(message, EVENT, own, TERMS, self.now))
        if claimed is not None:
            self.claims.append(claimed)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), wait_ms=st.sampled_from([None, 0, 5_000, DAY_MS]), status=st.booleans())
    def a_worker_settles(self, data: st.DataObject, wait_ms: int | None, status: bool) -> None:
        claimed = data.draw(st.sampled_from(self.claims))
        outcome = attempt(claimed.attempt, 200 if status else 500, None if status else wait_ms)
        if self.stored.make(transitions.settle(claimed, outcome, TERMS, self.now)) is not None:
            self.outcomes.setdefault(claimed.attempt, []).append(outcome)
            assert claimed.lease == self.claims[-1].lease

    @rule(number=st.integers(1, 4), wait_ms=st.sampled_from([0, 5_000, DAY_MS]))
    def a_worker_defers(self, number: int, wait_ms: int) -> None:
        message, next_at = factories.pointer(attempt=number), self.now + wait_ms
        reason = Reason.ENDPOINT_TRIPPED
        self.stored.make(transitions.defer(message, EVENT, reason, next_at, TERMS, self.now))

    @rule(number=st.integers(1, 4), state=st.sampled_from(["held", "cancelled", "failed"]))
    def a_worker_rejects(self, number: int, state: str) -> None:
        message, wanted = factories.pointer(attempt=number), DeliveryState(state)
        reason = Reason.CONFIG_DISABLED
        self.stored.make(transitions.reject(message, EVENT, wanted, reason, TERMS, self.now))

    @rule()
    def a_job_releases(self) -> None:
        self.stored.make(transitions.release(MESSAGE, self.now, TERMS, self.now))

    @precondition(lambda self: self.stored.delivery)
    @rule(does=st.sampled_from(["resend", "cancel", "erase"]))
    def somebody_asks(self, does: str) -> None:
        seen = made(self.stored.delivery)
        if seen.state is DeliveryState.SENDING:
            return
        resend = Resend(after=seen.attempt, counts_from=seen.attempt)
        wanted = {
            "resend": transitions.resend(seen, resend, TERMS, self.now),
            "cancel": transitions.cancel(seen, self.now),
            "erase": transitions.erase(seen, self.now),
        }
        assert self.stored.make(wanted[does]) is not None

    @rule()
    def repair_begins(self) -> None:
        self.stored.make(transitions.begin(MESSAGE, EVENT, TERMS, self.now))

    @invariant()
    def a_delivery_that_waits_is_in_the_due_index_and_no_ended_one(self) -> None:
        delivery, item = self.stored.delivery, self.stored.item
        if delivery is None:
            return
        is_due = "wake_at" in item and "wake_shard" in item
        if delivery.state in (DeliveryState.WAITING, DeliveryState.PENDING):
            assert is_due
        elif delivery.state is not DeliveryState.SENDING:
            assert not {"wake_at", "wake_shard", "next_attempt_at"} & item.keys()

    @invariant()
    def only_an_attempt_that_is_sent_has_a_lease(self) -> None:
        delivery = self.stored.delivery
        if delivery is not None:
            is_sending = delivery.state is DeliveryState.SENDING
            assert (delivery.lease is not None) is is_sending
            assert (delivery.lease_until is not None) is is_sending

    @invariant()
    def an_attempt_is_recorded_once_and_in_order(self) -> None:
        delivery = self.stored.delivery
        recorded = () if delivery is None else delivery.attempts
        numbers = [one.number for one in recorded]
        assert numbers == sorted(set(numbers))
        assert all(len(outcomes) == 1 for outcomes in self.outcomes.values())

    @invariant()
    def the_index_by_state_holds_what_is_not_delivered(self) -> None:
        delivery, item = self.stored.delivery, self.stored.item
        settled = ENDED | {DeliveryState.WAITING, DeliveryState.HELD}
        if delivery is not None and delivery.state in settled:
            is_listed = delivery.state is not DeliveryState.DELIVERED
            state_pk = event_table.state_log(WORKSPACE, "crm", delivery.state)
            assert item.get("state_pk") == (state_pk if is_listed else None)

    @invariant()
    def a_record_outlives_what_is_scheduled_for_it(self) -> None:
        delivery, item = self.stored.delivery, self.stored.item
        if delivery is not None and delivery.next_attempt_at is not None:
            assert item["expires_at"] * 1000 > delivery.next_attempt_at


TestALife = Life.TestCase
TestALife.settings = settings(max_examples=200, stateful_step_count=30)
