"""A delivery is sent again when somebody asks for it, or cancelled."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import pytest

from shared.deliveries.queue import Queue
from shared.outbound.sender import Sender
from tests.integration.test_clickfunnels_api import OUTGOING, events_of
from tests.integration.test_flowestate_api import key_of
from tests.integration.world import CrashError, Reply, World
from tests.local.receiver import Receiver

REPAIR_AFTER_S = 600
DAY_S = 86_400


def ask(world: World, event_id: str, verb: str, body: Any = None, key: str | None = None) -> Reply:
    path = f"/v1/deliveries/{world.request_id(event_id)}/{verb}"
    return world.call("POST", path, body, key=key)


def resend(world: World, event_id: str, **body: Any) -> Reply:
    return ask(world, event_id, "resend", body or None)


def story(world: World, event_id: str) -> list[tuple[int, str, int | None]]:
    """Number, trigger and status of every attempt."""
    attempts = world.delivery(event_id)["attempts"]
    return [(a["number"], a["trigger"], a["status_code"]) for a in attempts]


@pytest.fixture
def delivered(world: World, receiver: Receiver) -> str:
    world.make_config(receiver.url("/in"), retrySchedule=[60])
    return world.deliver()


@pytest.fixture
def failed(world: World, receiver: Receiver) -> str:
    receiver.script("/in", [500, 500])
    world.make_config(receiver.url("/in"), retrySchedule=[60])
    event_id = world.deliver()
    world.wait(60)
    assert world.state(event_id) == "failed"
    return event_id


@pytest.fixture
def waiting(world: World, receiver: Receiver) -> str:
    receiver.script("/in", [500])
    world.make_config(receiver.url("/in"), retrySchedule=[60, 60])
    return world.deliver()


class TestAResend:
    def test_of_what_was_delivered_sends_the_same_bytes_under_the_same_id(
        self, world: World, receiver: Receiver, delivered: str
    ) -> None:
        world.clock.advance(3600)

        reply = resend(world, delivered)
        world.work("RetryQueue")

        first, second = receiver.requests()
        assert (reply.status, reply.body["state"], reply.body["reason"]) == (
            202,
            "waiting",
            "resent",
        )
        assert second.body == first.body
        assert second.headers["webhook-id"] == first.headers["webhook-id"]
        assert second.headers["webhook-timestamp"] != first.headers["webhook-timestamp"]
        assert story(world, delivered) == [(1, "schedule", 200), (2, "resend", 200)]
        assert world.state(delivered) == "delivered"

    def test_of_what_failed_sends_the_same_bytes_under_the_same_id(
        self, world: World, receiver: Receiver, failed: str
    ) -> None:
        resend(world, failed)
        world.work("RetryQueue")

        bodies = {request.body for request in receiver.requests()}
        ids = {request.headers["webhook-id"] for request in receiver.requests()}
        assert (len(receiver.requests()), len(bodies), len(ids)) == (3, 1, 1)
        assert story(world, failed)[-1] == (3, "resend", 200)
        assert world.state(failed) == "delivered"

    def test_that_fails_is_the_end_unless_retries_are_asked_for(
        self, world: World, receiver: Receiver, delivered: str
    ) -> None:
        receiver.script("/in", [500])

        resend(world, delivered)
        world.work("RetryQueue")

        shown = world.delivery(delivered)
        assert (shown["state"], shown["reason"]) == ("failed", "resend_failed")
        assert shown["next_attempt_at"] is None
        assert world.depth("RetryQueue") == 0

    def test_with_retries_begins_its_schedule_anew(
        self, world: World, receiver: Receiver, failed: str
    ) -> None:
        receiver.script("/in", [500, 500])

        resend(world, failed, retry=True)
        world.work("RetryQueue")
        shown = world.delivery(failed)
        world.wait(60)

        assert (shown["state"], shown["reason"]) == ("waiting", "attempt_failed")
        assert shown["attempts"][-1]["next_wait_ms"] == 60_000
        assert story(world, failed)[2:] == [(3, "resend", 500), (4, "schedule", 500)]
        last = world.delivery(failed)
        assert (last["state"], last["reason"]) == ("failed", "schedule_spent")

    def test_of_what_waits_sends_it_now_and_leaves_the_rest_of_its_schedule(
        self, world: World, receiver: Receiver, waiting: str
    ) -> None:
        receiver.script("/in", [500])

        resend(world, waiting)
        world.work("RetryQueue")
        shown = world.delivery(waiting)
        world.wait(60)

        assert (shown["state"], shown["attempt"]) == ("waiting", 2)
        assert story(world, waiting)[1:] == [(2, "resend", 500), (3, "schedule", 200)]
        assert len(receiver.requests()) == 3

    def test_of_what_waits_sends_it_however_old_it_is(self, world: World, waiting: str) -> None:
        settings = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", settings | {"content_days": 1})
        world.clock.advance(DAY_S + 1)

        assert resend(world, waiting).status == 202

    def test_of_what_is_held_waits_for_nobody_once_its_config_receives(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"), enabled=False)
        event_id = world.deliver()
        refused = resend(world, event_id)
        world.save_config(receiver.url("/in"))

        reply = resend(world, event_id)
        world.work("RetryQueue")

        assert (refused.status, reply.status) == (409, 202)
        assert "config_disabled" in refused.body["error"]["message"]
        assert story(world, event_id) == [(1, "resend", 200)]

    def test_of_what_was_cancelled_sends_it_after_all(
        self, world: World, receiver: Receiver, waiting: str
    ) -> None:
        ask(world, waiting, "cancel")

        resend(world, waiting)
        world.work("RetryQueue")

        assert world.state(waiting) == "delivered"

    def test_asked_for_twice_is_made_once(
        self, world: World, receiver: Receiver, delivered: str
    ) -> None:
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(lambda _: resend(world, delivered), range(8)))
        world.work("RetryQueue")
        world.work("RetryQueue")

        assert {reply.status for reply in replies} == {202}
        assert story(world, delivered) == [(1, "schedule", 200), (2, "resend", 200)]
        assert len(receiver.requests()) == 2

    def test_can_be_asked_for_again_and_again(self, world: World, delivered: str) -> None:
        for _ in range(3):
            resend(world, delivered)
            world.work("RetryQueue")

        assert [number for number, _, _ in story(world, delivered)] == [1, 2, 3, 4]

    def test_whose_message_is_lost_is_made_all_the_same(self, world: World, delivered: str) -> None:
        with pytest.raises(CrashError), world.failing(Queue, "send"):
            resend(world, delivered)
        world.clock.advance(REPAIR_AFTER_S + 1)

        world.sweep()
        world.work("RetryQueue")

        assert story(world, delivered)[-1] == (2, "resend", 200)

    def test_is_put_off_by_an_open_breaker_and_made_after_it(
        self, world: World, receiver: Receiver, delivered: str
    ) -> None:
        receiver.script("/in", [500] * 5)
        for _ in range(5):
            world.deliver()

        resend(world, delivered)
        world.work("RetryQueue")
        shown = world.delivery(delivered)
        for _ in range(8):
            world.wait(10)

        assert (shown["state"], shown["reason"]) == ("waiting", "endpoint_tripped")
        assert story(world, delivered)[-1] == (2, "resend", 200)


def _have_attempts(world: World, event_id: str, count: int) -> None:
    (first,) = world.delivery_item(event_id)["attempts"]
    world.set_of_delivery(event_id, "attempts", [first | {"number": n + 1} for n in range(count)])
    world.set_of_delivery(event_id, "attempt", count)


class TestAResendIsRefused:
    def refused(self, world: World, event_id: str) -> str:
        reply = resend(world, event_id)
        assert reply.status == 409, reply
        assert world.depth("RetryQueue") == 0
        message: str = reply.body["error"]["message"]
        return message

    def test_while_an_attempt_is_under_way(
        self, world: World, receiver: Receiver, failed: str
    ) -> None:
        held_up: list[Reply] = []

        def during(*_: Any, **__: Any) -> None:
            held_up.extend((resend(world, failed), ask(world, failed, "cancel")))

        resend(world, failed)
        on_send(receiver, during, lambda: world.work("RetryQueue"))

        assert [reply.status for reply in held_up] == [409, 409]
        assert world.state(failed) == "delivered"

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"enabled": False}, "config_disabled"),
            ({"status": "archived"}, "config_archived"),
            ({"status": "deleted"}, "config_deleted"),
        ],
    )
    def test_by_a_config_that_does_not_receive(
        self, world: World, receiver: Receiver, delivered: str, changes: Any, reason: str
    ) -> None:
        world.save_config(receiver.url("/in"), **changes)

        assert reason in self.refused(world, delivered)
        assert world.state(delivered) == "delivered"

    def test_when_event_and_body_are_gone(self, world: World, delivered: str) -> None:
        world.forget(delivered)

        assert self.refused(world, delivered) == "What was sent is kept no longer."

    def test_of_what_shows_no_content_any_more(self, world: World, delivered: str) -> None:
        settings = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", settings | {"content_days": 1})
        (event,) = world.get(events_of(world)).body

        world.clock.advance(DAY_S + 1)
        replayed = world.call("POST", f"{OUTGOING}/events/{event['id']}/replay")

        assert "content_days" in self.refused(world, delivered)
        assert (replayed.status, replayed.body) == (202, [])

    def test_of_an_erased_person(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.deliver(visitor={"visitor_id": "v1"})
        world.call("DELETE", "/v1/visitors/v1")

        assert "erased" in self.refused(world, event_id)

    def test_after_a_hundred_attempts(self, world: World, delivered: str) -> None:
        _have_attempts(world, delivered, 99)
        assert resend(world, delivered).status == 202
        world.work("RetryQueue")

        assert self.refused(world, delivered) == "It has had 100 attempts, and is not sent again."
        assert world.state(delivered) == "delivered"

    def test_of_what_nobody_sent(self, world: World) -> None:
        assert resend(world, "unknown").status == 404
        assert ask(world, "unknown", "cancel").status == 404

    def test_by_a_key_that_may_only_read(self, world: World, delivered: str) -> None:
        key = key_of(world, "api", "deliveries:read")

        reply = ask(world, delivered, "resend", key=key)

        assert reply.status == 403


class TestCancelling:
    def test_ends_what_waits(self, world: World, receiver: Receiver, waiting: str) -> None:
        reply = ask(world, waiting, "cancel")
        world.wait(60)
        world.sweep()
        world.wait(REPAIR_AFTER_S)

        shown = world.delivery(waiting)
        assert reply.status == 202
        assert (shown["state"], shown["reason"]) == ("cancelled", "by_request")
        assert shown["next_attempt_at"] is None
        assert shown["settled_at"] is not None
        assert len(receiver.requests()) == 1
        listed = world.get("/v1/deliveries", config_id="crm", state="cancelled").body["data"]
        assert [entry["event_id"] for entry in listed] == [waiting]

    def test_ends_what_is_held_for_good(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"), enabled=False)
        event_id = world.deliver()

        ask(world, event_id, "cancel")
        world.save_config(receiver.url("/in"))
        for _ in range(4):
            world.sweep()
            world.wait(61)

        assert world.state(event_id) == "cancelled"
        assert receiver.requests() == []

    def test_twice_is_once(self, world: World, waiting: str) -> None:
        first, second = (ask(world, waiting, "cancel") for _ in range(2))

        assert (first.status, second.status) == (202, 202)
        assert second.body == first.body

    @pytest.mark.parametrize("fixture", ["delivered", "failed"])
    def test_what_has_ended_is_a_409(
        self, world: World, fixture: str, request: pytest.FixtureRequest
    ) -> None:
        event_id = request.getfixturevalue(fixture)

        assert ask(world, event_id, "cancel").status == 409
        assert world.state(event_id) == fixture


class TestTheEndpoint:
    def test_is_not_disabled_by_resends_that_fail(
        self, world: World, receiver: Receiver, failed: str
    ) -> None:
        receiver.script("/in", [400] * 3)
        before = told(world)

        for _ in range(3):
            resend(world, failed)
            world.work("RetryQueue")

        assert world.delivery(failed)["reason"] == "resend_failed"
        assert told(world) == before

    def test_is_left_alone_after_resends_that_fail_in_a_row(
        self, world: World, receiver: Receiver, failed: str
    ) -> None:
        receiver.script("/in", [500] * 9)

        for _ in range(4):
            resend(world, failed)
            world.work("RetryQueue")

        assert world.delivery(failed)["reason"] == "endpoint_tripped"


def told(world: World) -> list[str]:
    events = world.get("/v1/events", event_type="delivery.exhausted").body["data"]
    return [event["event_id"] for event in events]


def on_send(receiver: Receiver, during: Callable[..., None], work: Callable[[], Any]) -> None:
    """Do something while a request is under way."""
    real = Sender.post

    def post(sender: Sender, *arguments: Any, **named: Any) -> Any:
        during()
        return real(sender, *arguments, **named)

    with patch.object(Sender, "post", post):
        work()
