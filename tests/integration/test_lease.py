"""An attempt is made by one worker at a time; a message that comes twice sends nothing twice."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from shared.aws import clients
from shared.aws.table import Table
from shared.deliveries.ledger import LEASE_MS, Ledger
from shared.deliveries.models import Attempt, Delivery, DeliveryState, Reason
from shared.deliveries.queue import AttemptMessage
from shared.deliveries.transitions import NotDue
from shared.events.store import EventStore
from shared.outbound.response import Timings
from shared.outbound.sender import Sender
from shared.workspaces.models import Retention
from tests.integration.world import CrashError, World
from tests.local.receiver import Receiver

KEPT = Retention.of_days(30)


@pytest.fixture
def ledger(world: World) -> Ledger:
    return Ledger(Table(clients.dynamodb(), "EventTable"), retention_days=30, repair_after_s=600)


def first_pointer(world: World, event_id: str) -> AttemptMessage:
    return AttemptMessage(
        workspace_id=world.workspace_id,
        config_id="crm",
        request_id=UUID(world.request_id(event_id)),
        attempt=1,
    )


def claim(world: World, ledger: Ledger, event_id: str, attempt: int = 1) -> Any:
    event = EventStore(Table(clients.dynamodb(), "EventTable"), 30, 600).get(
        world.workspace_id, event_id
    )
    pointer = first_pointer(world, event_id).model_copy(update={"attempt": attempt})
    return ledger.claim(pointer, event, KEPT, world.clock())


def attempt(number: int = 1, status_code: int = 200, next_wait_ms: int | None = None) -> Attempt:
    """A failed one that is followed by another waits for `next_wait_ms`."""
    return Attempt(
        number=number,
        started_at=0,
        succeeded=status_code == 200,
        status_code=status_code,
        timings=Timings(total=1),
        next_wait_ms=next_wait_ms,
        next_reason=None if next_wait_ms is None else Reason.ATTEMPT_FAILED,
    )


OUTCOMES = [
    pytest.param(attempt(), id="delivered"),
    pytest.param(attempt(1, 500), id="failed"),
    pytest.param(attempt(1, 500, 0), id="waiting"),
]


def standing_still(world: World, claim: Any) -> Any:
    """A worker that claims, and goes on when its lease has nearly run out."""

    def claim_and_stand_still(*arguments: Any) -> Any:
        claimed = claim(*arguments)
        world.clock.now_ms += LEASE_MS - 1_000
        return claimed

    return claim_and_stand_still


class TestAMessageThatComesTwice:
    def test_sends_one_request(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")

        world.work_on("DispatchQueue", records)
        came_back = world.work_on("DispatchQueue", records)

        assert came_back == []
        assert len(receiver.requests()) == 1

    def test_in_one_batch_sends_one_request(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        pointer = first_pointer(world, event_id).model_dump(mode="json")
        for _ in range(10):
            world.put_message("DispatchQueue", pointer)

        came_back = world.work("DispatchQueue")

        assert came_back == []
        assert len(receiver.requests()) == 1
        assert world.state(event_id) == "delivered"

    def test_after_a_failure_makes_no_second_first_attempt(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")

        world.work_on("DispatchQueue", records)
        world.work_on("DispatchQueue", records)

        assert len(receiver.requests()) == 1
        assert len(world.delivery(event_id)["attempts"]) == 1

    def test_costs_a_read_and_a_refused_claim(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")
        world.work_on("DispatchQueue", records)
        world.calls.clear()

        world.work_on("DispatchQueue", records)

        assert world.calls.names == ["BatchGetItem", "UpdateItem"]

    def test_of_an_event_that_was_fanned_out_twice_is_one_delivery(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        records = world.stream()

        world.invoke("fanout", {"Records": records})
        world.invoke("fanout", {"Records": records})
        world.work("DispatchQueue")

        assert len(receiver.requests()) == 1
        assert len(world.get(f"/v1/events/{event_id}").body["deliveries"]) == 1


class TestALease:
    def test_is_held_by_one(self, world: World, ledger: Ledger) -> None:
        event_id = world.send()

        first, second = claim(world, ledger, event_id), claim(world, ledger, event_id)

        assert isinstance(first, Delivery)
        assert first.state is DeliveryState.SENDING
        assert second is None

    def test_is_won_by_one_of_many_at_once(self, world: World, ledger: Ledger) -> None:
        event_id = world.send()

        with ThreadPoolExecutor(8) as pool:
            claims = list(pool.map(lambda _: claim(world, ledger, event_id), range(8)))

        assert [isinstance(claimed, Delivery) for claimed in claims].count(True) == 1
        assert claims.count(None) == 7

    def test_lasts_longer_than_an_attempt_may(self) -> None:
        assert LEASE_MS > (10 + 5) * 1000

    def test_that_ran_out_before_the_request_lets_it_not_go_out(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()

        with monkeypatch.context() as frozen:
            frozen.setattr(Ledger, "claim", standing_still(world, Ledger.claim))
            came_back = world.work("DispatchQueue")

        assert len(came_back) == 1
        assert receiver.requests() == []
        world.redeliver()
        world.work("DispatchQueue")
        assert len(receiver.requests()) == 1
        assert world.state(event_id) == "delivered"

    def test_that_ran_out_is_taken_over(self, world: World, ledger: Ledger) -> None:
        event_id = world.send()
        first = claim(world, ledger, event_id)

        world.clock.now_ms += LEASE_MS
        early = claim(world, ledger, event_id)
        world.clock.now_ms += 1
        second = claim(world, ledger, event_id)

        assert early is None
        assert isinstance(second, Delivery)
        assert second.lease != first.lease
        assert (second.attempt, second.request_id) == (1, first.request_id)
        assert second.built_at == first.built_at

    def test_that_ran_out_is_taken_over_at_a_later_attempt_too(
        self, world: World, ledger: Ledger
    ) -> None:
        event_id = world.send()
        ledger.settle(claim(world, ledger, event_id), attempt(1, 500, 0), KEPT, world.clock())
        claim(world, ledger, event_id, attempt=2)

        world.clock.now_ms += LEASE_MS + 1
        taken_over = claim(world, ledger, event_id, attempt=2)

        assert isinstance(taken_over, Delivery)
        assert taken_over.attempt == 2

    def test_of_an_attempt_that_is_not_due_says_how_long_to_wait(
        self, world: World, ledger: Ledger
    ) -> None:
        event_id, now = world.send(), world.clock()
        first = claim(world, ledger, event_id)
        ledger.settle(first, attempt(1, 500, 60_000), KEPT, now)

        second = first.message(2)
        assert claim(world, ledger, event_id, attempt=2) == NotDue(message=second, wait_ms=60_000)
        assert claim(world, ledger, event_id, attempt=3) is None

    def test_of_an_attempt_that_was_settled_says_which_one_follows(
        self, world: World, ledger: Ledger
    ) -> None:
        """Whoever settled it may have died before it queued the next one."""
        event_id, now = world.send(), world.clock()
        first = claim(world, ledger, event_id)
        ledger.settle(first, attempt(1, 500, 60_000), KEPT, now)

        again = claim(world, ledger, event_id, attempt=1)

        assert again == NotDue(message=first.message(2), wait_ms=60_000)

    def test_of_an_attempt_that_is_parked_is_left_to_the_wake_index(
        self, world: World, ledger: Ledger
    ) -> None:
        event_id, now = world.send(), world.clock()
        first = claim(world, ledger, event_id)
        ledger.settle(first, attempt(1, 500, 3_600_000), KEPT, now)

        assert claim(world, ledger, event_id, attempt=1) is None
        assert claim(world, ledger, event_id, attempt=2) is None

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_that_was_lost_settles_nothing(
        self, world: World, ledger: Ledger, outcome: Attempt
    ) -> None:
        event_id = world.send()
        slow = claim(world, ledger, event_id)
        world.clock.now_ms += LEASE_MS + 1
        quick = claim(world, ledger, event_id)
        earlier = attempt().model_copy(update={"started_at": 1})
        assert ledger.settle(quick, earlier, KEPT, world.clock())
        before = world.delivery_item(event_id)

        settled = ledger.settle(slow, outcome, KEPT, world.clock())

        assert settled is False
        assert world.delivery_item(event_id) == before

    def test_that_was_lost_settles_nothing_while_the_next_holder_sends(
        self, world: World, ledger: Ledger
    ) -> None:
        event_id = world.send()
        slow = claim(world, ledger, event_id)
        world.clock.now_ms += LEASE_MS + 1
        claim(world, ledger, event_id)
        before = world.delivery_item(event_id)

        assert ledger.settle(slow, attempt(), KEPT, world.clock()) is False
        assert world.delivery_item(event_id) == before


class TestAWriteWhoseAnswerIsLost:
    """botocore makes it again, and the second one meets what the first one wrote."""

    def test_still_claims(
        self, world: World, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event_id = world.send()
        twice(monkeypatch)

        claimed = claim(world, ledger, event_id)

        assert claimed.state is DeliveryState.SENDING
        assert ledger.settle(claimed, attempt(), KEPT, world.clock())

    @pytest.mark.parametrize("outcome", OUTCOMES)
    def test_still_settles(
        self, world: World, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, outcome: Attempt
    ) -> None:
        claimed = claim(world, ledger, world.send())
        twice(monkeypatch)

        assert ledger.settle(claimed, outcome, KEPT, world.clock()) is True


def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    once = Table._write

    def again(table: Table, *request: Any) -> Any:
        once(table, *request)
        return once(table, *request)

    monkeypatch.setattr(Table, "_write", again)


class TestAWorkerThatTakesOver:
    @pytest.mark.parametrize("status", [200, 500])
    def test_sends_the_same_ids_and_the_same_bytes(
        self, world: World, receiver: Receiver, status: int
    ) -> None:
        receiver.script("/in", [status])
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        with world.failing(Sender, "post", after=True), pytest.raises(CrashError):
            world.work("DispatchQueue")

        world.redeliver()
        world.work("DispatchQueue")

        first, second = receiver.requests()
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert world.state(event_id) == "delivered"
        assert world.delivery(event_id)["attempt"] == 1

    def test_leaves_the_attempt_to_its_holder_while_the_lease_lasts(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")
        with world.failing(Sender, "post"), pytest.raises(CrashError):
            world.work_on("DispatchQueue", records)

        world.clock.now_ms += LEASE_MS
        came_back = world.work_on("DispatchQueue", records)

        assert came_back == []
        assert receiver.requests() == []
        assert world.delivery_item(event_id)["state"] == "sending"

    def test_is_heeded_by_the_one_that_was_thought_dead(
        self,
        world: World,
        receiver: Receiver,
        ledger: Ledger,
        caplog: pytest.LogCaptureFixture,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        post = Sender.post

        def slow(*arguments: Any) -> Any:
            world.clock.now_ms += LEASE_MS + 1
            taken_over = claim(world, ledger, event_id)
            ledger.settle(taken_over, attempt(1, 204), KEPT, world.clock())
            return post(*arguments)

        monkeypatch.setattr(Sender, "post", slow)
        world.fan_out()
        came_back = world.work("DispatchQueue")

        assert came_back == []
        assert world.delivery(event_id)["status_code"] == 204
        assert "attempt.lost_its_lease" in caplog.text


class TestADeliveryWhoseEventExpired:
    """Neither the event nor the kept body is there any more."""

    def expired(self, world: World, event_id: str) -> None:
        world.forget(event_id)
        world.forget_body(event_id)

    def test_ends_while_it_waits(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        self.expired(world, event_id)

        world.clock.advance(1)
        came_back = world.work("RetryQueue")

        shown = world.delivery(event_id)
        assert came_back == []
        assert (shown["state"], shown["reason"], shown["attempt"]) == ("failed", "event_expired", 1)
        assert "wake_at" not in world.delivery_item(event_id)
        assert len(receiver.requests()) == 1

    def test_ends_while_it_was_being_sent(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.clock.advance(1)
        with world.failing(Sender, "post"), pytest.raises(CrashError):
            world.work("RetryQueue")
        self.expired(world, event_id)

        world.redeliver()
        came_back = world.work("RetryQueue")

        assert came_back == []
        assert world.delivery(event_id)["reason"] == "event_expired"
        assert len(receiver.requests()) == 1

    def test_ends_before_it_began(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.clock.advance(645)
        world.sweep()
        self.expired(world, event_id)

        came_back = world.work("RetryQueue")

        assert came_back == []
        assert world.delivery(event_id)["reason"] == "event_expired"
        assert receiver.requests() == []


def test_a_later_attempt_whose_body_was_lost_renders_the_event_again(
    world: World, receiver: Receiver
) -> None:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"))
    event_id = world.deliver()
    world.forget_body(event_id)

    world.wait(1)

    first, second = receiver.requests()
    assert first.body == second.body
    assert world.state(event_id) == "delivered"
