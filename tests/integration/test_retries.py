"""What fails is tried again: when, how often, with what, and what can be seen meanwhile."""

import json

import pytest

from shared.deliveries import transitions
from shared.deliveries.queue import Queue
from shared.dialects import Rendered
from shared.dialects.funnelflux import FunnelFlux
from tests.fakes import NOW
from tests.integration.world import World, refuse
from tests.local.receiver import Receiver, Reply

MINUTE = 60


DAY = 24 * 60 * MINUTE


class TestAFailedAttempt:
    def test_is_followed_by_the_next_one_when_the_schedule_says(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))

        event_id = world.deliver()

        assert world.state(event_id) == "waiting"
        assert world.delivery(event_id)["next_attempt_at"] == "2026-04-29T18:04:16.000Z"
        world.wait(0.999)
        assert len(receiver.requests()) == 1
        world.wait(0.001)
        assert len(receiver.requests()) == 2
        assert world.state(event_id) == "delivered"

    def test_queues_a_pointer_to_the_next_one_with_the_wait_as_delay(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[42])
        event_id = world.send()
        world.fan_out()
        world.calls.clear()

        world.work("DispatchQueue")

        (message,) = world.queued()
        assert str(message.pointer.request_id) == world.request_id(event_id)
        assert (message.pointer.attempt, message.delay_s) == (2, 42)
        assert message.group == f"{world.workspace_id}.crm"

    def test_is_recorded_with_what_came_of_it(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [Reply(503, body=b"come back later")])
        world.make_config(receiver.url("/in"))

        event_id = world.deliver()

        shown = world.delivery(event_id)
        (attempt,) = shown["attempts"]
        assert (shown["reason"], shown["status_code"]) == ("attempt_failed", 503)
        assert (attempt["succeeded"], attempt["cause"]) == (False, "http_status")
        assert attempt["response_excerpt"] == "come back later"
        assert attempt["next_wait_ms"] == 1000

    def test_may_be_one_that_reached_nobody(self, world: World, receiver: Receiver) -> None:
        url = receiver.url("/in")
        receiver.stop()
        world.make_config(url)

        event_id = world.deliver()

        shown = world.delivery(event_id)
        assert (shown["state"], shown["status_code"]) == ("waiting", None)
        assert shown["attempts"][0]["cause"] == "connect"

    @pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 429, 500, 503])
    def test_is_any_that_was_not_answered_2xx(
        self, world: World, receiver: Receiver, status: int
    ) -> None:
        receiver.script("/in", [Reply(status, {"Location": receiver.url("/elsewhere")})])
        world.make_config(receiver.url("/in"))

        event_id = world.deliver()

        assert world.delivery(event_id)["status_code"] == status
        assert world.state(event_id) == "waiting"
        assert len(receiver.requests()) == 1

    @pytest.mark.parametrize("wait", [60, 300, 899, 900])
    def test_waits_in_the_delay_queue_for_up_to_15_minutes(
        self, world: World, receiver: Receiver, wait: int
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[wait])

        event_id = world.deliver()

        item = world.delivery_item(event_id)
        assert world.queued()[-1].delay_s == wait
        assert item["next_attempt_at"] == NOW + wait * 1000
        assert item["wake_at"] == item["next_attempt_at"] + 600_000
        world.wait(wait)
        assert world.state(event_id) == "delivered"

    def test_that_waits_longer_is_parked_and_queued_for_its_last_minutes(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[60 * MINUTE])

        event_id = world.deliver()

        item = world.delivery_item(event_id)
        assert world.depth("RetryQueue") == 0
        assert item["next_attempt_at"] == NOW + 60 * MINUTE * 1000
        assert item["wake_at"] == item["next_attempt_at"] - 600_000
        world.clock.advance(49 * MINUTE)
        assert world.sweep()["requeued"] == 0
        world.clock.advance(1.5 * MINUTE)
        assert world.sweep()["requeued"] == 1
        assert world.queued()[-1].delay_s == 9.5 * MINUTE
        world.wait(9.5 * MINUTE - 1)
        assert len(receiver.requests()) == 1
        world.wait(1)
        assert world.state(event_id) == "delivered"

    def test_that_waits_a_day_fires_to_the_second(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[DAY])
        event_id = world.deliver()

        world.clock.advance(DAY - 10 * MINUTE)
        for _ in range(9):
            world.sweep()
            world.wait(MINUTE)
        world.wait(MINUTE - 1)

        assert len(receiver.requests()) == 1
        world.wait(1)
        assert world.state(event_id) == "delivered"
        assert len(receiver.requests()) == 2


class TestASchedule:
    def test_of_a_configs_own_ends_in_failed(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1, 2])

        event_id = world.deliver()
        world.wait(1)
        world.wait(2)

        shown = world.delivery(event_id)
        assert (shown["state"], shown["reason"]) == ("failed", "schedule_spent")
        assert shown["next_attempt_at"] is None
        assert shown["settled_at"] == "2026-04-29T18:04:18.000Z"
        assert [attempt["next_wait_ms"] for attempt in shown["attempts"]] == [1000, 2000, None]
        assert world.depth("RetryQueue") == 0
        assert "wake_at" not in world.delivery_item(event_id)

    def test_as_published_is_one_attempt_and_eight_more(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()

        began = world.clock()
        while world.state(event_id) == "waiting":
            due = world.delivery_item(event_id)["next_attempt_at"]
            world.clock.now_ms = max(world.clock(), due - 5 * MINUTE * 1000)
            world.sweep()
            world.clock.now_ms = due
            world.work("RetryQueue")

        starts = [attempt["started_at"] for attempt in world.delivery(event_id)["attempts"]]
        waited = [1, 15, 60, 300, 900, 3_600, 43_200, 86_400]
        assert world.state(event_id) == "failed"
        assert len(starts) == len(receiver.requests()) == 9
        assert world.clock() == began + sum(waited) * 1000

    def test_that_is_changed_holds_from_the_next_failure_on(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1, 2, 3])
        event_id = world.deliver()

        world.save_config(receiver.url("/in"), retrySchedule=[1])
        world.wait(1)

        assert world.state(event_id) == "failed"

    def test_leads_to_the_url_that_the_config_has_now(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/old", [500])
        world.make_config(receiver.url("/old"))
        event_id = world.deliver()

        world.save_config(receiver.url("/new"))
        world.wait(1)

        assert [request.path for request in receiver.requests()] == ["/old", "/new"]
        assert world.state(event_id) == "delivered"


class TestRetryAfter:
    @pytest.mark.parametrize("status", [429, 503])
    def test_lengthens_a_wait(self, world: World, receiver: Receiver, status: int) -> None:
        receiver.script("/in", [Reply(status, {"Retry-After": "120"})])
        world.make_config(receiver.url("/in"))

        event_id = world.deliver()

        assert world.delivery(event_id)["reason"] == "retry_after"
        assert world.queued()[-1].delay_s == 120

    def test_does_not_shorten_one(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [Reply(503, {"Retry-After": "1"})])
        world.make_config(receiver.url("/in"), retrySchedule=[30])

        event_id = world.deliver()

        assert world.delivery(event_id)["reason"] == "attempt_failed"
        assert world.queued()[-1].delay_s == 30

    def test_of_a_week_is_a_day(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [Reply(429, {"Retry-After": str(7 * DAY)})])
        world.make_config(receiver.url("/in"))

        event_id = world.deliver()

        assert world.delivery_item(event_id)["next_attempt_at"] == NOW + DAY * 1000


class TestTheBody:
    def test_is_the_same_at_every_attempt(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500, 500])
        world.make_config(receiver.url("/in"))

        world.deliver()
        world.wait(1)
        world.wait(15)

        first, second, third = receiver.requests()
        assert first.body == second.body == third.body
        assert len({request.headers["webhook-id"] for request in (first, second, third)}) == 1
        stamps = [int(r.headers["webhook-timestamp"]) for r in (first, second, third)]
        assert [stamp - stamps[0] for stamp in stamps] == [0, 1, 16]
        assert len({r.headers["webhook-signature"] for r in (first, second, third)}) == 3

    def test_stays_as_it_was_when_the_dialect_learns_another_way(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        world.deliver()

        monkeypatch.setattr(FunnelFlux, "render", lambda *_: Rendered(b"{}", {"X-New": "1"}))
        world.wait(1)

        first, second = receiver.requests()
        assert first.body == second.body
        assert second.headers["X-Funnelflux-Trigger-Type"] == "node_execution"
        assert "X-New" not in second.headers

    def test_is_kept_only_when_it_is_needed_again(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))

        failed, delivered = world.deliver(), world.deliver()

        assert world.kept_body(failed) == receiver.requests()[0].body
        assert world.kept_body(delivered) is None

    def test_says_when_it_was_built_and_not_when_it_was_sent(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))

        world.deliver()
        world.wait(1)

        assert json.loads(receiver.requests()[1].body)["timestamp"] == NOW


class TestAMessage:
    def test_that_comes_early_goes_round_again(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[60])
        event_id = world.deliver()
        (message,) = world.queued()[-1:]
        world.purge("RetryQueue")
        world.clock.advance(20)
        world.put_message("RetryQueue", message.pointer.model_dump(mode="json"))

        world.work("RetryQueue")

        assert len(receiver.requests()) == 1
        assert world.queued()[-1].delay_s == 40
        world.wait(40)
        assert world.state(event_id) == "delivered"

    def test_that_comes_early_by_a_second_is_taken(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[60])
        event_id = world.deliver()
        (message,) = world.queued()[-1:]
        world.clock.now_ms += 60_000 - transitions.EARLY_MS
        world.put_message("RetryQueue", message.pointer.model_dump(mode="json"))

        world.work("RetryQueue")

        assert world.state(event_id) == "delivered"

    def test_of_an_attempt_further_on_does_nothing(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        pointer = world.queued()[-1].pointer.model_copy(update={"attempt": 7})
        before = world.delivery_item(event_id)

        world.put_message("RetryQueue", pointer.model_dump(mode="json"))
        came_back = world.work("RetryQueue")

        assert came_back == []
        assert world.delivery_item(event_id) == before
        assert len(receiver.requests()) == 1

    def test_without_time_left_to_settle_it_goes_round_again_untouched(
        self, world: World, receiver: Receiver
    ) -> None:
        """As a new message: one that came back would count towards the dead letters."""
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        world.context.remaining_ms = 14_999

        came_back = world.work("DispatchQueue")

        assert came_back == []
        assert receiver.requests() == []
        assert world.delivery_item(event_id) == {}
        world.context.remaining_ms = 30_000
        world.wait(1)
        assert world.state(event_id) == "delivered"

    def test_never_ends_among_the_dead_letters_for_want_of_time(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.fan_out()
        world.context.remaining_ms = 14_999
        world.work("DispatchQueue")

        for _ in range(10):
            world.redeliver()
            world.work("RetryQueue")

        assert world.depth("RetryQueue") == 1
        assert world.depth("RetryDeadLetters") == 0

    def test_whose_successor_could_not_be_queued_queues_it_when_it_comes_again(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[300])
        event_id = world.send()
        world.fan_out()

        with monkeypatch.context() as broken:
            broken.setattr(Queue, "send", refuse)
            came_back = world.work("DispatchQueue")
        world.redeliver()
        world.work("DispatchQueue")

        assert len(came_back) == 1
        (message,) = world.queued()[-1:]
        assert (message.pointer.attempt, message.delay_s) == (2, 300 - 181)
        world.wait(300 - 181)
        assert world.state(event_id) == "delivered"
        assert len(receiver.requests()) == 2

    def test_that_cannot_be_read_comes_back_alone(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.put_message("DispatchQueue", "not a pointer")
        world.fan_out()

        came_back = world.work("DispatchQueue")

        assert len(came_back) == 1
        assert world.state(event_id) == "delivered"

    def test_that_never_can_be_read_ends_among_the_dead_letters(self, world: World) -> None:
        world.put_message("DispatchQueue", "not a pointer")

        for _ in range(6):
            world.work("DispatchQueue")
            world.redeliver()

        assert world.depth("DispatchQueue") == 0
        assert world.depth("DispatchDeadLetters") == 1

    def test_to_an_event_that_is_gone_is_done_with(self, world: World) -> None:
        world.make_config("http://127.0.0.1:9/in")
        event_id = world.send()
        world.fan_out()
        world.forget(event_id)

        assert world.work("DispatchQueue") == []
        assert world.depth("DispatchQueue") == 0
