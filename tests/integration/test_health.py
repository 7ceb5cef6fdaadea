"""An endpoint in trouble is left alone, tried by one, taken back; its deliveries wait for it."""

import threading
from collections.abc import Sequence
from concurrent import futures
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.attempts import attempt as courier
from shared.attempts.attempt import AttemptRunner
from shared.aws import clients
from shared.aws.items import to_item
from shared.aws.table import Table
from shared.configs.store import ConfigStore
from shared.deliveries.ledger import Ledger
from shared.endpoints import breaker
from shared.endpoints.breaker import PROBE_MS, EndpointHealth, Outcome, Result
from shared.endpoints.store import HealthStore
from shared.events.store import EventStore
from shared.outbound.response import Cause, Response, Timings
from shared.outbound.sender import Sender
from shared.tables.config_table import health_key
from tests import factories
from tests.integration.account import Account
from tests.integration.test_flowestate_api import key_of
from tests.integration.world import CrashError, World, new_world
from tests.local.receiver import Receiver, Reply
from tests.unit.endpoints.counting import counted

WINDOW_S = 30
# Without a retry of their own that comes in between.
FAR = [3600] * 9
URL = "https://receiver.example.com/in"


def health(world: World, config_id: str = "crm") -> dict[str, Any]:
    item = world.account.item("ConfigTable", health_key(world.workspace_id, config_id))
    return {name: value for name, value in item.items() if name not in ("pk", "sk", "expires_at")}


def let_go(world: World) -> None:
    """The release begins with the next sweep; held and waiting ones take a turn each."""
    world.sweep()
    for _ in range(4):
        world.wait(0.5)


def trip(world: World, receiver: Receiver, **changes: Any) -> None:
    receiver.script("/in", [500] * 5)
    world.make_config(receiver.url("/in"), **{"retrySchedule": FAR} | changes)
    for _ in range(5):
        world.deliver()
    assert health(world)["opened"] == 1


class SlowEndpoint:
    """Answers the next requests only when the worker has looked for slow requests, by no clock.

    `slow` are the answers of these requests, where None is none in time. It answers others at once.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests = 0
        self.slow: list[int | None] = []
        self._changed = threading.Condition()
        self._hanging = 0
        self._looks = 0
        report = AttemptRunner._report_slow

        def report_and_let_go(runner: AttemptRunner) -> None:
            report(runner)
            with self._changed:
                self._looks += 1
                self._changed.notify_all()

        monkeypatch.setattr(courier, "futures", SimpleNamespace(wait=self._wait))
        monkeypatch.setattr(AttemptRunner, "_report_slow", report_and_let_go)
        monkeypatch.setattr(Sender, "post", lambda *_, **__: self._answer())

    def _wait(self, work: Sequence[Future[bool]], _: float) -> Any:
        """Until each of a batch is done or hangs."""
        for one in work:
            one.add_done_callback(lambda _: self._note())
        with self._changed:
            self._changed.wait_for(
                lambda: sum(one.done() for one in work) + self._hanging >= len(work)
            )
        return futures.wait(work, 0)

    def _note(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _answer(self) -> Response:
        with self._changed:
            self.requests += 1
            if not self.slow:
                return _answer(200)
            status, looks = self.slow.pop(0), self._looks
            self._hanging += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._looks > looks)
            self._hanging -= 1
            return _answer(status)


def _answer(status: int | None) -> Response:
    return Response(
        status_code=status,
        cause=Cause.TIMEOUT if status is None else None,
        detail="",
        address="127.0.0.1",
        retry_after=None,
        excerpt="",
        timings=Timings(total=1),
    )


def hang(world: World, endpoint: SlowEndpoint, times: int) -> None:
    """So many of one batch, none of them answered in its time."""
    endpoint.slow = [None] * times
    world.make_config(URL, retrySchedule=FAR)
    for _ in range(times):
        world.send()
    world.fan_out()
    world.work("DispatchQueue")
    assert health(world)["hanging"] == times


def operational(world: World) -> list[str]:
    listed = world.get("/v1/events", limit="100").body["data"]
    return [event["event_type"] for event in listed if event["event_id"].startswith("!")]


class TestAnEndpointThatFailsFiveTimesInARow:
    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_is_left_alone(self, world: World, receiver: Receiver, status: int) -> None:
        receiver.script("/in", [status], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=FAR)

        events = [world.deliver() for _ in range(7)]

        assert len(receiver.requests()) == 5
        assert [world.delivery(event)["reason"] for event in events[5:]] == ["endpoint_tripped"] * 2

    def test_may_be_one_that_nobody_reaches(self, world: World, receiver: Receiver) -> None:
        url = receiver.url("/in")
        receiver.stop()
        world.make_config(url, retrySchedule=FAR)

        for _ in range(5):
            world.deliver()

        assert health(world)["opened"] == 1

    def test_is_told_of_once(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)
        world.deliver()

        (told,) = [e for e in world.get("/v1/events").body["data"] if e["event_id"][0] == "!"]
        shown = world.get(f"/v1/events/{told['event_id']}").body
        assert shown["event_type"] == "webhook_config.tripped"
        assert shown["payload"]["subject_type"] == "WebhookConfig"
        assert shown["payload"]["subject_id"] == "crm"
        data = shown["payload"]["data"]
        assert (data["config_id"], data["name"], data["failures"]) == ("crm", "CRM", 5)
        assert data["url_host"] == "127.0.0.1"
        assert "/in" not in str(data)

    def test_all_at_once_is_left_alone_too(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=FAR)
        for _ in range(10):
            world.send()
        world.fan_out()

        world.work("DispatchQueue")

        assert health(world)["opened"] == 1
        assert operational(world) == ["webhook_config.tripped"]

    def test_does_not_hold_up_another_one(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)
        world.make_config(receiver.url("/other"), "other")

        event_id = world.deliver()

        assert world.state(event_id, "other") == "delivered"
        assert world.state(event_id, "crm") == "waiting"


class TestAnEndpointThatDoesNotAnswer:
    @pytest.fixture
    def endpoint(self, monkeypatch: pytest.MonkeyPatch) -> SlowEndpoint:
        monkeypatch.setattr(courier, "SLOW_AFTER_MS", 0)
        return SlowEndpoint(monkeypatch)

    def test_is_not_asked_more_while_three_requests_hang(
        self, world: World, endpoint: SlowEndpoint
    ) -> None:
        hang(world, endpoint, 3)

        event_id = world.deliver()

        assert endpoint.requests == 3
        shown = world.delivery(event_id)
        assert (shown["state"], shown["reason"]) == ("waiting", "endpoint_hangs")
        assert shown["attempts"] == []

    def test_is_asked_again_seconds_later(self, world: World, endpoint: SlowEndpoint) -> None:
        hang(world, endpoint, 3)
        event_id = world.deliver()

        for _ in range(3):
            world.wait(6)

        assert world.state(event_id) == "delivered"
        assert endpoint.requests == 4

    def test_twice_only_is_asked_on(self, world: World, endpoint: SlowEndpoint) -> None:
        hang(world, endpoint, 2)

        event_id = world.deliver()

        assert world.state(event_id) == "delivered"

    def test_for_a_while_and_then_does_has_nothing_held_against_it(
        self, world: World, endpoint: SlowEndpoint
    ) -> None:
        endpoint.slow = [200]
        world.make_config(URL, retrySchedule=FAR)

        world.deliver()

        assert health(world) == {}

    @pytest.mark.parametrize("status", [404, 500])
    def test_for_a_while_and_then_refuses_does_not_hang(
        self, world: World, endpoint: SlowEndpoint, status: int
    ) -> None:
        endpoint.slow = [status]
        world.make_config(URL, retrySchedule=FAR)

        world.deliver()

        assert "hanging" not in health(world)

    def test_at_once_is_not_said_to_hang_in_a_batch_that_takes_long(
        self, world: World, endpoint: SlowEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(courier, "SLOW_AFTER_MS", 1_500)
        endpoint.slow = [200]
        world.make_config(URL)
        hangs = Mock()
        monkeypatch.setattr(HealthStore, "record_slow", hangs)

        world.deliver()

        hangs.assert_not_called()

    def test_now_and_then_is_not_put_off(self, world: World, endpoint: SlowEndpoint) -> None:
        endpoint.slow = [None] * 4
        world.make_config(URL, retrySchedule=FAR)

        for _ in range(4):
            world.deliver()
            world.clock.advance(11)

        assert endpoint.requests == 4
        assert health(world)["hanging"] == 1

    def test_fails_nothing_if_that_cannot_be_stored(
        self,
        world: World,
        endpoint: SlowEndpoint,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        endpoint.slow = [200]
        world.make_config(URL)
        monkeypatch.setattr(HealthStore, "record_slow", Mock(side_effect=OSError("no connection")))

        event_id = world.deliver()

        assert world.state(event_id) == "delivered"
        assert "hang.not_recorded" in caplog.messages
        assert "attempt.broke" not in caplog.messages


class TestAnEndpointThatIsWell:
    def test_has_nothing_written_about_it(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))

        world.deliver()

        assert health(world) == {}

    def test_is_forgiven_at_its_first_success(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500, 500, 500, 500, 200, 500])
        world.make_config(receiver.url("/in"), retrySchedule=FAR)

        for _ in range(4):
            world.deliver()
        assert health(world)["failures"] == 4
        world.deliver()
        assert health(world) == {}
        world.deliver()

        assert health(world)["failures"] == 1

    @pytest.mark.parametrize("status", [301, 400, 404])
    def test_may_refuse_as_much_as_it_likes(
        self, world: World, receiver: Receiver, status: int
    ) -> None:
        receiver.script("/in", [status], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=FAR)

        for _ in range(6):
            world.deliver()

        assert len(receiver.requests()) == 6

    def test_may_fail_now_and_then_among_many_at_once(
        self, world: World, receiver: Receiver
    ) -> None:
        """None of them knows of the successes beside it, but the worker does."""
        for number in range(6):
            receiver.script(f"/in/{number}", [500])
        world.make_config(receiver.url("/in"), retrySchedule=FAR)
        for _ in range(8):
            receiver.script("/in", [200, 500])
            for _ in range(2):
                world.send()
            world.fan_out()
            messages = world.receive("DispatchQueue")
            for message in messages:
                world.work_on("DispatchQueue", [message])

        assert "opened" not in health(world)


class TestADeliveryToATrippedEndpoint:
    def test_waits_and_says_why_and_until_when(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)

        event_id = world.deliver()

        shown = world.delivery(event_id)
        assert (shown["state"], shown["reason"]) == ("waiting", "endpoint_tripped")
        assert (shown["attempt"], shown["attempts"]) == (0, [])
        # 30 s, and half of as much again.
        assert shown["next_attempt_at"] == "2026-04-29T18:05:00.000Z"
        listed = world.get("/v1/deliveries", config_id="crm", state="waiting").body["data"]
        assert event_id in [delivery["event_id"] for delivery in listed]

    def test_costs_one_write_and_one_message(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)
        world.send()
        world.fan_out()
        world.calls.clear()

        world.work("DispatchQueue")

        assert world.calls.names == ["BatchGetItem", "UpdateItem", "SendMessageBatch"]

    def test_is_made_with_all_its_attempts_when_the_endpoint_is_back(
        self, world: World, receiver: Receiver
    ) -> None:
        trip(world, receiver)
        event_id = world.deliver()

        world.wait(1.5 * WINDOW_S)

        shown = world.delivery(event_id)
        assert (shown["state"], shown["attempt"]) == ("delivered", 1)
        assert [attempt["trigger"] for attempt in shown["attempts"]] == ["probe"]
        assert health(world) == {}

    def test_comes_back_by_the_wake_index_if_its_message_is_lost(
        self, world: World, receiver: Receiver
    ) -> None:
        trip(world, receiver)
        event_id = world.deliver()
        world.purge("RetryQueue")

        world.clock.advance(45 + 600)
        world.sweep()
        world.work("RetryQueue")

        assert world.state(event_id) == "delivered"

    def test_is_put_off_once_by_a_message_that_comes_twice(
        self, world: World, receiver: Receiver
    ) -> None:
        trip(world, receiver)
        event_id = world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")

        world.work_on("DispatchQueue", records)
        before = world.delivery_item(event_id)
        world.clock.advance(1)
        came_back = world.work_on("DispatchQueue", records)

        assert came_back == []
        assert world.delivery_item(event_id) == before

    def test_is_parked_when_the_wait_is_long(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)
        world.clock.advance(6 * 3600)
        set_health(world, opened=9, open_until=world.clock() + 900_000)

        event_id = world.deliver()

        item = world.delivery_item(event_id)
        assert world.depth("RetryQueue") == 0
        assert item["next_attempt_at"] - world.clock() > 3600_000
        assert item["wake_at"] == item["next_attempt_at"] - 600_000

    def test_of_a_retry_uses_no_attempt_either(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver, retrySchedule=[20, 20])
        world.wait(20)

        states = world.get("/v1/deliveries", config_id="crm").body["data"]

        assert {(one["reason"], one["attempt"]) for one in states} == {("endpoint_tripped", 1)}
        assert len(receiver.requests()) == 5


class TestAProbe:
    def ready(self, world: World, receiver: Receiver, count: int, reply: int = 500) -> list[str]:
        """So many deliveries that come when the window is over."""
        trip(world, receiver)
        receiver.script("/in", [reply], repeat=True)
        events = [world.send() for _ in range(count)]
        world.fan_out()
        world.clock.advance(WINDOW_S)
        return events

    def test_is_one_of_many_at_a_time(self, world: World, receiver: Receiver) -> None:
        events = self.ready(world, receiver, 10)

        world.work("DispatchQueue")

        assert len(receiver.requests()) == 6
        reasons = sorted(world.delivery(event)["reason"] for event in events)
        assert reasons == ["attempt_failed"] + ["endpoint_tripped"] * 9

    def test_that_fails_doubles_the_window(self, world: World, receiver: Receiver) -> None:
        self.ready(world, receiver, 1)

        world.work("DispatchQueue")

        assert health(world)["open_until"] == world.clock() + 60_000
        assert health(world)["opened"] == 2
        assert operational(world) == ["webhook_config.tripped"]

    @pytest.mark.parametrize("status", [200, 404])
    def test_that_is_answered_closes(self, world: World, receiver: Receiver, status: int) -> None:
        self.ready(world, receiver, 1, reply=status)

        world.work("DispatchQueue")

        assert "opened" not in health(world)
        assert operational(world) == ["webhook_config.recovered", "webhook_config.tripped"]

    def test_lets_go_at_once_what_waited_for_the_endpoint(
        self, world: World, receiver: Receiver
    ) -> None:
        trip(world, receiver)
        waiting = [world.deliver() for _ in range(5)]
        set_health(world, open_until=world.clock())
        receiver.script("/in", [200], repeat=True)

        probe = world.deliver()
        let_go(world)

        assert world.state(probe) == "delivered"
        assert {world.state(event) for event in waiting} == {"delivered"}

    def test_that_dies_is_followed_by_another(self, world: World, receiver: Receiver) -> None:
        first, second = self.ready(world, receiver, 2, reply=200)
        records = world.receive("DispatchQueue")
        with world.failing(Sender, "post"), pytest.raises(CrashError):
            world.work_on("DispatchQueue", records[:1])

        world.work_on("DispatchQueue", records[1:])
        early = len(receiver.requests())
        world.wait(60)

        assert early == 5
        assert len(receiver.requests()) == 6
        assert "opened" not in health(world)
        assert {first, second} & {e for e in (first, second) if world.state(e) == "delivered"}

    def test_whose_attempt_is_not_to_be_made_is_given_back(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        done = world.send()
        world.fan_out()
        records = world.receive("DispatchQueue")
        world.work_on("DispatchQueue", records)
        set_health(world, failures=5, opened=1, open_until=world.clock())

        world.work_on("DispatchQueue", records)

        assert world.state(done) == "delivered"
        assert "probe" not in health(world)
        assert len(receiver.requests()) == 1

    def test_takes_no_longer_than_its_lease(self) -> None:
        assert PROBE_MS > (10 + 5) * 1000


class TestAnEndpointThatIsGone:
    """It answered 410."""

    def gone(self, world: World, receiver: Receiver) -> str:
        receiver.script("/in", [410])
        world.make_config(receiver.url("/in"), retrySchedule=[10, 10])
        return world.deliver()

    def test_has_its_config_disabled_for_all_to_see(self, world: World, receiver: Receiver) -> None:
        self.gone(world, receiver)

        found = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        (also,) = world.get("/v1/webhookconfig/find/byIds", idWebhookConfigs="crm").body
        (listed,) = world.get("/v1/webhookconfig/list", status="active").body
        for shown in (found, also, listed):
            assert shown["enabled"] is False
            assert shown["disabledReason"] == "endpoint_gone"
            assert shown["disabledAt"] == "2026-04-29T18:04:15.000Z"
        assert operational(world) == ["webhook_config.disabled"]

    def test_has_its_deliveries_held(self, world: World, receiver: Receiver) -> None:
        first = self.gone(world, receiver)

        second = world.deliver()
        world.wait(10)

        assert [world.state(event) for event in (first, second)] == ["held", "held"]
        assert world.delivery(first)["attempt"] == 1

    def test_keeps_its_reason_when_what_was_read_is_saved_back(
        self, world: World, receiver: Receiver
    ) -> None:
        self.gone(world, receiver)
        query = {"idWebhookConfig": "crm"}
        read = world.get("/v1/webhookconfig/find/byId", **query).body

        assert world.call("PUT", "/v1/webhookconfig/save", read).status == 204

        again = world.get("/v1/webhookconfig/find/byId", **query).body
        assert again["disabledReason"] == "endpoint_gone"
        assert again["disabledAt"] == read["disabledAt"]

    def test_is_asked_again_once_it_is_enabled(self, world: World, receiver: Receiver) -> None:
        first = self.gone(world, receiver)
        second = world.deliver()
        world.wait(10)

        world.save_config(receiver.url("/in"), retrySchedule=[10, 10])
        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        let_go(world)

        assert "disabledReason" not in shown
        assert [world.state(event) for event in (first, second)] == ["delivered", "delivered"]
        assert [world.delivery(event)["attempt"] for event in (first, second)] == [2, 1]

    def test_keeps_a_config_that_was_saved_meanwhile(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The 410 came from what the owner has just replaced."""
        disable = HealthStore.disable

        def late(store: HealthStore, *request: Any) -> bool:
            world.save_config(receiver.url("/new"))
            return disable(store, *request)

        monkeypatch.setattr(HealthStore, "disable", late)
        self.gone(world, receiver)

        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert shown["enabled"] is True
        assert operational(world) == []

    def test_loses_no_save_that_comes_at_the_same_moment(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replace = ConfigStore.replace
        receiver.script("/in", [410])
        world.make_config(receiver.url("/in"))
        world.send()
        world.fan_out()

        def late(store: ConfigStore, *configs: Any) -> None:
            world.work("DispatchQueue")
            replace(store, *configs)

        monkeypatch.setattr(ConfigStore, "replace", late)
        saved = {"idWebhookConfig": "crm", "webhookConfigName": "New", "url": receiver.url("/in")}
        reply = world.call("PUT", "/v1/webhookconfig/save", saved)

        assert reply.status == 409
        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert shown["disabledReason"] == "endpoint_gone"

    def test_is_disabled_by_its_owner_without_a_reason(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))

        world.save_config(receiver.url("/in"), enabled=False)

        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert shown["enabled"] is False
        assert "disabledReason" not in shown


class TestAGoneEndpointOfAnotherSystem:
    """Its own calls know no `enabled`, and take it up again all the same."""

    EVENT = factories.resource_json("lead.created", data={"name": "Alice"})

    def send(self, world: World) -> str:
        event_id: str = world.call("POST", "/v1/events", self.EVENT).body["event_id"]
        world.fan_out()
        world.work("DispatchQueue")
        return event_id

    def test_is_subscribed_again_in_flowestate(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [410])
        path, key = "/api/v1/webhooks/subscriptions", key_of(world, "zapier")
        new = {"target_url": receiver.url("/in"), "event": "lead.created", "external_id": "zap-1"}
        made = world.call("POST", path, new, key=key).body
        self.send(world)
        gone = world.call("GET", f"{path}/{made['id']}", key=key).body

        again = world.call("POST", path, new, key=key)
        event_id = self.send(world)

        assert gone["is_active"] is False
        assert (again.status, again.body["id"]) == (200, made["id"])
        assert world.call("GET", f"{path}/{made['id']}", key=key).body["is_active"] is True
        assert world.state(event_id, made["id"]) == "delivered"

    def test_is_saved_again_in_clickfunnels(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [410])
        outgoing = "/webhooks/outgoing/endpoints"
        new = {"url": receiver.url("/in"), "name": "Orders", "event_type_ids": ["order.created"]}
        body = {"webhooks_outgoing_endpoint": new}
        path = f"/api/v2/workspaces/{world.workspace_id}{outgoing}"
        config_id = str(world.call("POST", path, body).body["id"])
        event = factories.resource_json("order.created")
        world.call("POST", "/v1/events", event)
        world.fan_out()
        world.work("DispatchQueue")
        query = {"idWebhookConfig": config_id}
        gone = world.get("/v1/webhookconfig/find/byId", **query).body

        saved = world.call("PUT", f"/api/v2{outgoing}/{config_id}", body)

        shown = world.get("/v1/webhookconfig/find/byId", **query).body
        assert gone["disabledReason"] == "endpoint_gone"
        assert saved.status == 200
        assert shown["enabled"] is True
        assert "disabledReason" not in shown


class TestAnEndpointThatFailsForDays:
    THREE_DAYS = 3 * 24 * 3600

    def failing(self, world: World, receiver: Receiver, exhausted: int) -> None:
        """One that answers, and never as it should."""
        receiver.script("/in", [404], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1])
        set_health(world, exhausted=exhausted, failing_since=world.clock())

    def exhaust(self, world: World) -> str:
        event_id = world.deliver()
        world.wait(1)
        assert world.state(event_id) == "failed"
        return event_id

    def test_is_disabled_at_the_fiftieth_exhausted_delivery(
        self, world: World, receiver: Receiver
    ) -> None:
        self.failing(world, receiver, exhausted=48)
        world.clock.advance(self.THREE_DAYS)

        self.exhaust(world)
        before = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        self.exhaust(world)

        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert before["enabled"] is True
        assert (shown["enabled"], shown["disabledReason"]) == (False, "endpoint_failing")
        assert operational(world).count("webhook_config.disabled") == 1
        assert operational(world).count("delivery.exhausted") == 2
        assert health(world) == {}

    def test_is_not_disabled_before_three_days(self, world: World, receiver: Receiver) -> None:
        self.failing(world, receiver, exhausted=60)
        world.clock.advance(self.THREE_DAYS - 10)

        self.exhaust(world)

        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert shown["enabled"] is True

    def test_that_its_breaker_keeps_from_being_exhausted_is_disabled_too(
        self, world: World, receiver: Receiver
    ) -> None:
        trip(world, receiver)
        world.clock.advance(self.THREE_DAYS)
        receiver.script("/in", [500], repeat=True)
        set_health(world, opened=49, open_until=world.clock())

        world.deliver()

        shown = world.get("/v1/webhookconfig/find/byId", idWebhookConfig="crm").body
        assert shown["disabledReason"] == "endpoint_failing"

    def test_starts_anew_after_a_success(self, world: World, receiver: Receiver) -> None:
        self.failing(world, receiver, exhausted=49)
        world.clock.advance(self.THREE_DAYS)
        receiver.script("/in", [200], repeat=True)

        world.deliver()

        assert health(world) == {}

    def test_starts_anew_at_another_url(self, world: World, receiver: Receiver) -> None:
        trip(world, receiver)
        waiting = world.deliver()

        world.save_config(receiver.url("/new"))
        event_id = world.deliver()
        let_go(world)

        assert world.state(event_id) == "delivered"
        assert world.state(waiting) == "delivered"


OUTCOMES = st.sampled_from([Outcome.TROUBLED, Outcome.REFUSED, Outcome.UNASKED])


@settings(max_examples=25)
@given(st.lists(st.tuples(OUTCOMES, st.booleans(), st.booleans(), st.integers(0, 9)), max_size=12))
def test_the_table_counts_as_the_breaker_does(
    account: Account, row: list[tuple[Outcome, bool, bool, int]]
) -> None:
    with new_world(account) as world:
        store = HealthStore(
            Table(clients.dynamodb(), "ConfigTable"),
            EventStore(Table(clients.dynamodb(), "E"), 30, 600),
        )
        config, expected = factories.config(), EndpointHealth()

        for outcome, exhausted, follows_success, later in row:
            world.clock.advance(later)
            now = world.clock()
            count = breaker.count(Result(outcome, False, exhausted, follows_success), now)
            assert count is not None

            expected = counted(expected, count)
            assert store.count(config, count, now) == expected


class TestAnExhaustedDelivery:
    def test_is_told_of_in_the_write_that_ends_it(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1])
        event_id = world.deliver()
        world.calls.clear()

        world.wait(1)

        assert world.calls.of("TransactWriteItems")[0]["TransactItems"].__len__() == 2
        (told,) = [e for e in world.get("/v1/events").body["data"] if e["event_id"][0] == "!"]
        data = world.get(f"/v1/events/{told['event_id']}").body["payload"]["data"]
        assert told["event_type"] == "delivery.exhausted"
        assert data["request_id"] == world.request_id(event_id)
        assert (data["event_id"], data["attempts"], data["status_code"]) == (event_id, 2, 500)

    def test_reaches_no_dead_letter_queue(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1])

        world.deliver()
        world.wait(1)

        assert world.depth("DispatchDeadLetters") == world.depth("RetryDeadLetters") == 0
        assert world.depth("DispatchQueue") == world.depth("RetryQueue") == 0

    def test_is_told_of_once_however_the_worker_dies(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500], repeat=True)
        world.make_config(receiver.url("/in"), retrySchedule=[1])
        event_id = world.deliver()
        world.clock.advance(1)

        with world.failing(Ledger, "settle", after=True), pytest.raises(CrashError):
            world.work("RetryQueue")
        world.redeliver()
        world.work("RetryQueue")

        assert operational(world) == ["delivery.exhausted"]
        assert world.state(event_id) == "failed"
        assert len(receiver.requests()) == 2


class TestAnAttempt:
    def test_says_why_the_next_one_waits(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [503, Reply(503, {"Retry-After": "120"})])
        world.make_config(receiver.url("/in"), retrySchedule=[1, 1])

        event_id = world.deliver()
        world.wait(1)
        world.wait(120)

        attempts = world.delivery(event_id)["attempts"]
        assert [a["next_reason"] for a in attempts] == ["attempt_failed", "retry_after", None]
        assert [a["next_wait_ms"] for a in attempts] == [1_000, 120_000, None]

    def test_is_never_changed_once_it_is_recorded(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500, 502])
        world.make_config(receiver.url("/in"), retrySchedule=[1, 1])
        event_id = world.deliver()
        (first,) = world.delivery_item(event_id)["attempts"]

        world.wait(1)
        world.wait(1)

        assert world.delivery_item(event_id)["attempts"][0] == first


def set_health(world: World, config_id: str = "crm", **changes: Any) -> None:
    item = health_key(world.workspace_id, config_id) | health(world, config_id) | changes
    clients.dynamodb().put_item(TableName="ConfigTable", Item=to_item(item))
