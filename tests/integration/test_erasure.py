"""DELETE /v1/visitors/{id}: nothing is left of a person, and everything is left of the figures."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest

from shared import ids
from shared.aws import clients
from shared.aws.table import Table
from shared.deliveries.ledger import Ledger
from shared.deliveries.models import Attempt, Delivery, Reason
from shared.deliveries.queue import AttemptMessage
from shared.dialects import Rendered
from shared.events.store import EventStore
from shared.outbound.response import Timings
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.privacy.visitor_entries import VisitorEntries
from shared.privacy.visitor_erasure import VisitorErasure
from shared.standalone.engine.template import Json
from shared.workspaces.models import Retention
from tests import factories
from tests.integration.actions import COMMERCE, post
from tests.integration.world import CrashError, World
from tests.local.receiver import Receiver
from tests.local.receiver import Reply as Answer

EMAIL = "Alice.Liddell@example.com"
IP = "203.0.113.99"
SESSION = "session-of-alice"
VISITOR = {"visitor_id": SESSION, "ip": IP, "user_agent": "Alice's browser", "city": "Oxford"}
ECHO = Answer(500, body=f"{EMAIL} from {IP}".encode())
NOTHING = {"identities": 0, "events": 0, "deliveries": 0, "cancelled": 0, "complete": True}
KEPT = Retention.of_days(30)
STEPS = [
    (VisitorEntries, "begin"),
    (EventStore, "erase"),
    (DeliveryErasure, "erase"),
    (EventStore, "untie"),
    (VisitorEntries, "end"),
]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.privacy.visitor_erasure.PAUSE_S", 0)


def erase(world: World, visitor_id: str = SESSION) -> Json:
    reply = world.call("DELETE", f"/v1/visitors/{visitor_id}")
    assert reply.status == 200, reply
    report: Json = reply.body
    return report


def traces(world: World, *words: str) -> list[str]:
    """The items of both tables in which one of the words stands, in any case."""
    items = [json.dumps(item, default=_plain) for item in _everything(world)]
    return [item for item in items if any(word.lower() in item.lower() for word in words)]


def _everything(world: World) -> list[Json]:
    return world.items("EventTable") + world.items("ConfigTable")


def _plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else sorted(value)


def lived(world: World, receiver: Receiver) -> dict[str, str]:
    """The events of a whole life, by what became of their deliveries to four configs."""
    receiver.script("/flaky", [ECHO], repeat=True)
    receiver.script("/fine", [Answer(200, body=ECHO.body)], repeat=True)
    world.make_config(receiver.url("/fine"), "fine")
    world.make_config(receiver.url("/flaky"), "flaky", retrySchedule=[3600])
    world.make_config(receiver.url("/dead"), "dead", retrySchedule=[1])
    receiver.script("/dead", [ECHO], repeat=True)
    world.make_config(receiver.url("/held"), "held", enabled=False)
    post(world, {"email": EMAIL, "session": SESSION, "note": f"call {EMAIL}"}, "Lead")
    post(world, factories.commerce_json(email=EMAIL.upper(), session=SESSION), COMMERCE)
    native = world.send("on_action", visitor=VISITOR, action_data={"email": EMAIL, "ip": IP})
    world.fan_out()
    for _ in range(2):
        world.work("DispatchQueue")
    world.wait(1)
    return {"native": native}


class TestErasing:
    def test_leaves_no_trace_in_either_table(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)
        assert len(traces(world, EMAIL)) > 10
        assert len(traces(world, IP)) > 5

        report = erase(world)

        assert traces(world, EMAIL, "liddell", IP, "browser", "Oxford", "carModel") == []
        assert report["complete"]

    def test_leaves_no_hash_of_the_address(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)
        key = ids.email_key(world.workspace_id, EMAIL.casefold())
        assert traces(world, key)

        erase(world)

        assert traces(world, key) == []

    def test_reports_what_it_has_erased(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)

        report = erase(world)

        assert report == {
            "visitor_id": SESSION,
            "identities": 2,
            "events": 3,
            "deliveries": 12,
            "cancelled": 6,
            "complete": True,
        }

    def test_leaves_counts_states_and_money(self, world: World, receiver: Receiver) -> None:
        native = lived(world, receiver)["native"]
        before = world.get(f"/v1/events/{native}").body
        purchase = _conversion(world)

        erase(world)

        after = world.get(f"/v1/events/{native}").body
        states = {one["config_id"]: (one["state"], one["reason"]) for one in after["deliveries"]}
        assert states == {
            "fine": ("delivered", None),
            "flaky": ("cancelled", "erased"),
            "dead": ("failed", "schedule_spent"),
            "held": ("cancelled", "erased"),
        }
        assert [len(one["attempts"]) for one in after["deliveries"]] == [
            len(one["attempts"]) for one in before["deliveries"]
        ]
        assert after["accepted_at"] == before["accepted_at"]
        assert after["erased_at"] is not None
        assert _conversion(world)["payload"]["conversion"] == {
            "conversion_id": "123456:LAMBO007",
            "transaction": "123456",
            "revenue": "300000.00",
            "conversion_timestamp": purchase["payload"]["conversion"]["conversion_timestamp"],
            "passthrough_params": {"currency": "USD"},
        }

    def test_keeps_the_logs_of_configs_right(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)

        erase(world)

        for config_id, state, count in (
            ("flaky", "waiting", 0),
            ("flaky", "cancelled", 3),
            ("held", "held", 0),
            ("held", "cancelled", 3),
            ("fine", "delivered", 3),
        ):
            listed = world.get("/v1/deliveries", config_id=config_id, state=state).body["data"]
            assert len(listed) == count, (config_id, state)

    def test_sends_nothing_any_more(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)
        sent = len(receiver.requests())

        erase(world)
        for _ in range(3):
            world.clock.advance(3600)
            world.sweep()
            world.work("RetryQueue")

        assert len(receiver.requests()) == sent

    def test_cancels_what_was_never_attempted(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send(visitor=VISITOR)
        world.fan_out()

        erase(world)
        world.work("DispatchQueue")

        delivery = world.delivery(event_id)
        assert (delivery["state"], delivery["reason"]) == ("cancelled", "erased")
        assert receiver.requests() == []

    def test_is_no_new_event_to_the_stream(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)
        world.stream()

        erase(world)

        assert world.stream() == []

    def test_leaves_everybody_else_alone(self, world: World, receiver: Receiver) -> None:
        lived(world, receiver)
        post(world, {"email": "bob@example.com", "session": "bob"}, "Lead")
        bob = world.get("/v1/visitors/bob").body

        erase(world)

        assert world.get("/v1/visitors/bob").body == bob
        assert traces(world, "bob@example.com")

    def test_reaches_those_who_turned_out_to_be_the_same(self, world: World) -> None:
        post(world, {"email": EMAIL, "session": "s1"})
        post(world, {"email": "second@example.com", "session": "s2"})
        world.send(visitor={"visitor_id": "s2", "ip": IP})
        post(world, {"email": EMAIL, "session": "s2"})

        report = erase(world, "s2")

        assert (report["events"], report["identities"]) == (4, 4)
        assert traces(world, EMAIL, "second@", IP) == []

    def test_reaches_those_who_are_known_by_native_events_alone(self, world: World) -> None:
        world.send(visitor=VISITOR)
        world.send("conversion_triggered", visitor=None, hit={"visitor_id": SESSION})

        assert erase(world)["events"] == 2
        assert traces(world, IP) == []

    def test_needs_the_scope_that_cancels_deliveries(self, world: World) -> None:
        world.send(visitor=VISITOR)
        body = {"name": "In", "client": "api", "scopes": ["events:write", "events:read"]}
        key = world.call("POST", "/v1/integration/apikeys", body).body["secret"]

        reply = world.call("DELETE", f"/v1/visitors/{SESSION}", key=key)

        assert reply.status == 403
        assert "deliveries:write" in reply.body["error"]["message"]

    def test_somebody_whom_nobody_knows_is_a_404(self, world: World) -> None:
        assert world.call("DELETE", "/v1/visitors/nobody").status == 404


class TestAfterwards:
    def test_the_visitor_is_unknown(self, world: World) -> None:
        post(world, {"email": EMAIL, "session": SESSION})

        erase(world)

        assert world.get(f"/v1/visitors/{SESSION}").status == 404

    def test_erasing_again_is_fine(self, world: World) -> None:
        post(world, {"email": EMAIL, "session": SESSION})
        world.send(visitor={"visitor_id": "native"})
        erase(world)
        erase(world, "native")

        assert erase(world) == {"visitor_id": SESSION, **NOTHING}
        assert erase(world, "native") == {"visitor_id": "native", **NOTHING}

    def test_who_comes_back_is_somebody_new(self, world: World) -> None:
        post(world, {"email": EMAIL, "session": SESSION})
        erase(world)

        post(world, {"email": EMAIL, "session": "another"})

        shown = world.get("/v1/visitors/another").body
        assert len(shown["events"]["data"]) == 1

    def test_who_comes_back_with_the_same_session_has_none_of_the_old_events(
        self, world: World
    ) -> None:
        post(world, {"email": EMAIL, "session": SESSION})
        erase(world)

        post(world, {"session": SESSION})

        shown = world.get(f"/v1/visitors/{SESSION}").body
        assert len(shown["events"]["data"]) == 1
        assert [one["kind"] for one in shown["identities"]] == ["session"]

    def test_a_duplicate_is_still_one_and_brings_nothing_back(self, world: World) -> None:
        post(world, {"email": EMAIL, "session": SESSION})
        erase(world)

        reply = post(world, {"email": EMAIL, "session": SESSION})

        assert reply.status == 409
        assert traces(world, EMAIL) == []

    def test_an_event_that_is_repeated_is_still_known_and_stays_erased(self, world: World) -> None:
        world.send(event_id="order-1", visitor=VISITOR)
        erase(world)

        again = world.send(event_id="order-1", visitor=VISITOR)

        assert again == "order-1"
        assert traces(world, IP) == []

    def test_native_events_that_come_later_can_be_erased_too(self, world: World) -> None:
        world.send(visitor=VISITOR)
        erase(world)
        world.send(visitor=VISITOR)

        assert erase(world)["events"] == 1
        assert traces(world, IP) == []


class TestOnTheWay:
    @pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
    @pytest.mark.parametrize(("target", "step"), STEPS, ids=[step for _, step in STEPS])
    def test_a_crash_is_made_good_by_repeating(
        self, world: World, receiver: Receiver, target: type, step: str, after: bool
    ) -> None:
        lived(world, receiver)
        with suppress(CrashError), world.failing(target, step, after):
            erase(world)

        report = erase(world)

        assert report["complete"]
        assert traces(world, EMAIL, IP, ids.email_key(world.workspace_id, EMAIL.casefold())) == []
        assert erase(world) == {"visitor_id": SESSION, **NOTHING}

    def test_a_crash_loses_no_id_when_the_visitor_comes_back(
        self, world: World, receiver: Receiver
    ) -> None:
        post(world, {"email": EMAIL, "session": "s1"})
        world.clock.advance(1)
        post(world, {"email": EMAIL, "session": "s2"})
        world.send(visitor={"visitor_id": "s2", "ip": IP})
        with suppress(CrashError), world.failing(VisitorEntries, "begin", after=True):
            erase(world, "s1")
        post(world, {"email": "new@example.com", "session": "s1"})

        erase(world, "s1")

        assert traces(world, EMAIL, IP, "new@example.com") == []

    def test_what_is_just_being_sent_may_finish_and_is_erased_by_the_next_call(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send(visitor=VISITOR)
        sending = claim(world, event_id)

        first = erase(world)
        fail(world, sending)
        second = erase(world)

        assert (first["events"], first["complete"]) == (0, False)
        assert (second["events"], second["cancelled"], second["complete"]) == (1, 1, True)
        assert traces(world, IP) == []

    def test_what_was_given_up_in_the_middle_is_cancelled(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send(visitor=VISITOR)
        claim(world, event_id)
        world.clock.advance(31)

        erase(world)

        assert world.state(event_id) == "cancelled"

    def test_a_worker_that_had_read_the_event_keeps_no_body(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send(visitor=VISITOR)
        after_the_first_round(monkeypatch, lambda: fail(world, claim(world, event_id)))

        report = erase(world)

        assert (report["cancelled"], report["complete"]) == (1, True)
        assert traces(world, IP) == []

    def test_an_event_that_arrives_meanwhile_is_erased_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.send(visitor=VISITOR)
        after_the_first_round(monkeypatch, lambda: world.send(visitor=VISITOR))

        assert erase(world)["events"] == 2
        assert traces(world, IP) == []

    def test_an_event_that_the_index_did_not_show_yet_is_erased_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post(world, {"session": SESSION})
        (seen,) = world.get("/v1/events").body["data"]
        world.forget(seen["event_id"])
        after_the_first_round(monkeypatch, lambda: world.send(visitor=VISITOR))

        assert erase(world)["events"] == 1

    def test_more_than_there_is_time_for_is_told_and_done_by_calling_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.visitors.history.PAGE", 2)
        for _ in range(10):
            world.send(visitor=VISITOR)
        real = EventStore.at

        def slow(store: EventStore, pk: str) -> Any:
            world.clock.advance(1)
            return real(store, pk)

        monkeypatch.setattr(EventStore, "at", slow)
        reports = [erase(world)]
        while not reports[-1]["complete"]:
            reports.append(erase(world))

        assert len(reports) > 2
        assert sum(report["events"] for report in reports) == 10
        assert traces(world, IP) == []

    def test_somebody_who_changes_meanwhile_is_erased_as_they_are_then(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        post(world, {"session": SESSION})
        real, waiting = VisitorEntries.begin, [{"session": SESSION, "email": EMAIL}]

        def begin(entries: VisitorEntries, *arguments: Any) -> bool:
            if waiting:
                post(world, waiting.pop())
            return real(entries, *arguments)

        monkeypatch.setattr(VisitorEntries, "begin", begin)

        assert erase(world)["events"] == 2
        assert traces(world, EMAIL) == []


def claim(world: World, event_id: str, config_id: str = "crm") -> Delivery:
    """A worker has read the event and begins its first attempt."""
    request_id = UUID(world.request_id(event_id, config_id))
    pointer = AttemptMessage(
        workspace_id=world.workspace_id, config_id=config_id, request_id=request_id, attempt=1
    )
    event = factories.event(event_id=event_id)
    claimed = ledger().claim(pointer, event, KEPT, world.clock())
    assert isinstance(claimed, Delivery)
    return claimed


def fail(world: World, delivery: Delivery) -> None:
    """The attempt fails: its body is kept and the next one scheduled."""
    timings, now = Timings(total=1), world.clock()
    attempt = Attempt(
        number=1,
        started_at=now,
        succeeded=False,
        timings=timings,
        excerpt=IP,
        next_wait_ms=1000,
        next_reason=Reason.ATTEMPT_FAILED,
    )
    ledger().keep(delivery, Rendered(IP.encode(), {}), KEPT, now)
    assert ledger().settle(delivery, attempt, KEPT, now)


def ledger() -> Ledger:
    return Ledger(Table(clients.dynamodb(), "EventTable"), retention_days=30, repair_after_s=600)


def after_the_first_round(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    real, waiting = VisitorErasure._round, [act]

    def look(erasure: VisitorErasure, *arguments: Any) -> Any:
        seen = real(erasure, *arguments)
        if waiting:
            waiting.pop()()
        return seen

    monkeypatch.setattr(VisitorErasure, "_round", look)


def _conversion(world: World) -> Json:
    listed = world.get("/v1/events", event_type="conversion_triggered").body["data"]
    shown: Json = world.get(f"/v1/events/{listed[0]['event_id']}").body
    return shown
