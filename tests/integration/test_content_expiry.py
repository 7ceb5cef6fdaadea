"""Contents that are kept for a shorter time than their records leave the table itself."""

import json
from typing import Any

import pytest

from shared.deliveries.queue import Queue
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.jobs import JobStore
from shared.privacy.content_expiry import PAGE, PASS_EVERY_MS
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.repair.sweeper import SweepError
from shared.tables import config_table
from tests.fakes import NOW
from tests.integration.world import CrashError, World, refuse
from tests.local.receiver import Receiver, Reply

DAY_S = 86_400
PASS_S = PASS_EVERY_MS / 1000 + 60
SECRET = "alice@example.com"
TOLD: dict[str, Any] = {"visitor": {"visitor_id": "v-1", "city": SECRET}}
STEPS: list[tuple[type, str]] = [
    (LogReader, "page"),
    (DeliveryErasure, "delete_excerpts"),
    (EventStore, "delete_content"),
    (EventStore, "list_late"),
    (JobStore, "advance"),
    (Queue, "send"),
]


def configure(world: World, **settings: Any) -> None:
    command = {"operation": "configure", "workspace_id": world.workspace_id} | settings
    world.invoke("configs", command)


@pytest.fixture
def brief(world: World) -> World:
    """A workspace that keeps records for ten days, and their contents for one."""
    configure(world, retention_days=10, content_days=1)
    return world


def run(world: World) -> None:
    """Two sweeps, in case something was lost, and all that they bring about."""
    for _ in range(2):
        world.sweep()
        while world.depth("RetryQueue"):
            world.work("RetryQueue")
            world.clock.advance(1)
        world.clock.advance(61)


def jobs(world: World) -> list[str]:
    return [item["sk"] for item in world.items("ConfigTable") if item["pk"] == config_table.JOBS]


def traces(world: World) -> int:
    """In how many items of the event table the secret stands."""
    items = (json.dumps(item, default=_plain) for item in world.items("EventTable"))
    return sum(SECRET in item for item in items)


def is_told(world: World, event_id: str) -> bool:
    return SECRET.encode() in world.event_item(event_id)["payload"]


def _plain(value: Any) -> str:
    return bytes(value).decode(errors="replace")


def delivered(world: World, receiver: Receiver, **changes: Any) -> str:
    receiver.script("/in", [Reply(body=f"thanks, {SECRET}".encode())], repeat=True)
    world.make_config(receiver.url("/in"))
    return world.deliver(**TOLD, **changes)


class TestContentsPastTheirTime:
    def test_are_gone_from_the_table_and_the_records_stay(
        self, brief: World, receiver: Receiver
    ) -> None:
        event_id = delivered(brief, receiver)
        before = brief.delivery(event_id)
        assert traces(brief) == 2

        brief.clock.advance(DAY_S + 1)
        run(brief)

        after = brief.delivery(event_id)
        assert traces(brief) == 0
        assert brief.get(f"/v1/events/{event_id}").body["payload"] == {}
        assert after["attempts"][0]["status_code"] == 200
        assert (after["state"], after["settled_at"]) == ("delivered", before["settled_at"])
        assert [one["event_id"] for one in brief.get("/v1/events").body["data"]] == [event_id]

    def test_are_there_until_then(self, brief: World, receiver: Receiver) -> None:
        delivered(brief, receiver)

        brief.clock.advance(DAY_S - 600)
        run(brief)

        assert traces(brief) == 2

    def test_go_page_by_page(self, brief: World) -> None:
        for _ in range(2 * PAGE + 1):
            brief.send(**TOLD)
            brief.clock.advance(0.001)

        brief.clock.advance(DAY_S)
        run(brief)

        assert traces(brief) == 0

    def test_go_on_going_as_time_does(self, brief: World) -> None:
        brief.send(**TOLD)
        brief.clock.advance(DAY_S + 1)
        run(brief)
        brief.send(**TOLD)
        assert traces(brief) == 1

        brief.clock.advance(DAY_S + PASS_S)
        run(brief)

        assert traces(brief) == 0

    def test_are_not_sent_again(self, brief: World, receiver: Receiver) -> None:
        event_id = delivered(brief, receiver)
        brief.clock.advance(DAY_S + 1)
        run(brief)

        resent = brief.call("POST", f"/v1/deliveries/{brief.request_id(event_id)}/resend", {})
        body = {"config_id": "crm", "since": NOW}
        brief.call("POST", "/v1/replays", body)
        run(brief)

        (replay,) = brief.get("/v1/replays").body["data"]
        assert resent.status == 409
        assert (replay["state"], replay["queued"], replay["skipped"]) == ("finished", 0, 1)
        assert len(receiver.requests("/in")) == 1

    def test_are_still_the_visitors_to_erase(self, brief: World, receiver: Receiver) -> None:
        delivered(brief, receiver)
        brief.clock.advance(DAY_S + 1)
        run(brief)

        report = brief.call("DELETE", "/v1/visitors/v-1").body

        assert (report["events"], report["deliveries"], report["complete"]) == (1, 1, True)


class TestWhatIsStillToBeSent:
    def test_keeps_its_event_and_loses_it_afterwards(
        self, brief: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500, 500])
        brief.make_config(receiver.url("/in"), retrySchedule=[DAY_S, DAY_S])
        event_id = brief.deliver(**TOLD)
        brief.clock.advance(DAY_S + 1)
        run(brief)
        assert is_told(brief, event_id)

        brief.forget_body(event_id)
        brief.clock.advance(DAY_S)
        run(brief)
        assert brief.state(event_id) == "delivered"
        assert SECRET in receiver.requests("/in")[-1].body.decode()

        brief.clock.advance(PASS_S)
        run(brief)

        assert not is_told(brief, event_id)
        assert "state_pk" not in brief.event_item(event_id)

    def test_is_not_lost_while_it_is_held(self, brief: World, receiver: Receiver) -> None:
        brief.make_config(receiver.url("/in"), enabled=False)
        event_id = brief.deliver(**TOLD)
        brief.clock.advance(3 * DAY_S)
        run(brief)
        assert brief.state(event_id) == "held"

        brief.save_config(receiver.url("/in"), enabled=True)
        run(brief)

        assert SECRET in receiver.requests("/in")[0].body.decode()

    def test_keeps_nobody_elses(self, brief: World, receiver: Receiver) -> None:
        brief.make_config(receiver.url("/in"), enabled=False)
        held = brief.deliver(**TOLD)
        brief.clock.advance(1)
        other = brief.send("on_action", **TOLD, webhook_config_ids=["nobody"])

        brief.clock.advance(DAY_S)
        run(brief)

        assert is_told(brief, held)
        assert not is_told(brief, other)

    def test_is_sent_though_its_first_message_was_lost_for_days(
        self, brief: World, receiver: Receiver
    ) -> None:
        brief.make_config(receiver.url("/in"))
        event_id = brief.send(**TOLD)
        brief.clock.advance(3 * DAY_S)

        run(brief)

        assert brief.state(event_id) == "delivered"
        assert SECRET in receiver.requests("/in")[0].body.decode()

    def test_is_waited_for_until_the_sweep_has_looked_at_the_event(self, brief: World) -> None:
        event_id = brief.send(**TOLD)
        brief.clock.advance(DAY_S + 1)
        brief.put_message("RetryQueue", {"job_id": f"EMPTYING#{brief.workspace_id}", "turn": 0})

        for _ in range(3):
            brief.work("RetryQueue")

        assert is_told(brief, event_id)
        assert "state_pk" in brief.event_item(event_id)

    def test_is_waited_for_while_the_sweep_could_not_look_at_the_event(
        self, brief: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event_id = brief.send(**TOLD)
        brief.clock.advance(DAY_S + 1)

        with monkeypatch.context() as breaking:
            breaking.setattr("shared.repair.sweeper.first_messages", refuse)
            with pytest.raises(SweepError):
                brief.sweep()
        for _ in range(3):
            brief.work("RetryQueue")
        told = is_told(brief, event_id)
        brief.clock.advance(PASS_S)
        run(brief)

        assert (told, is_told(brief, event_id)) == (True, False)


class TestTheJob:
    def test_is_there_only_for_workspaces_that_say_so(self, world: World) -> None:
        configure(world, retention_days=10)

        assert jobs(world) == []

    def test_begins_with_a_workspace_that_is_made_so(self, world: World) -> None:
        made = world.invoke(
            "configs", {"operation": "bootstrap", "name": "Brief", "content_days": 1}
        )

        assert jobs(world) == [f"EMPTYING#{made['workspace_id']}"]

    def test_keeps_to_its_workspace(self, brief: World) -> None:
        other = brief.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        event = {"event_type": "node_execution", **TOLD}
        brief.call("POST", "/v1/events", event, key=other["api_key"])

        brief.clock.advance(2 * DAY_S)
        run(brief)

        assert traces(brief) == 1

    def test_heeds_a_shorter_time_at_once_and_goes_on_where_it_was(self, world: World) -> None:
        configure(world, content_days=5)
        world.send(**TOLD)
        world.clock.advance(2 * DAY_S)
        run(world)
        assert traces(world) == 1

        configure(world, content_days=1)
        run(world)

        assert traces(world) == 0

    def test_waits_when_contents_may_stay_longer(self, brief: World) -> None:
        brief.send(**TOLD)
        brief.clock.advance(DAY_S + 1)
        run(brief)
        configure(brief, content_days=5)
        brief.send(**TOLD)

        brief.clock.advance(2 * DAY_S)
        run(brief)

        assert traces(brief) == 1

    def test_ends_when_contents_stay_as_long_as_their_records(self, brief: World) -> None:
        configure(brief, content_days=10)

        run(brief)

        assert jobs(brief) == []

    def test_comes_again_to_what_it_had_no_time_for(
        self, brief: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        delivered(brief, receiver)
        brief.clock.advance(DAY_S + 1)
        with monkeypatch.context() as hurry:
            hurry.setattr("shared.privacy.content_expiry.PAGE_MS", 0)
            run(brief)
        assert traces(brief) == 2

        brief.clock.advance(PASS_S)
        run(brief)

        assert traces(brief) == 0

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize(("target", "step"), STEPS)
    def test_may_die_at_any_step(
        self, brief: World, receiver: Receiver, target: type, step: str, after: bool
    ) -> None:
        brief.make_config(receiver.url("/held"), "held", enabled=False)
        delivered(brief, receiver, webhook_config_ids=["crm"])
        held = brief.deliver(**TOLD, webhook_config_ids=["crm", "held"])
        brief.clock.advance(DAY_S + 1)

        with brief.failing(target, step, after), pytest.raises(CrashError):
            run(brief)
        brief.redeliver()
        run(brief)

        assert traces(brief) == 1
        assert is_told(brief, held)
