"""What happened goes out once more, or to a config that was not there yet: each event once."""

from collections import Counter
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.table import Table
from shared.configs.models import WebhookConfig
from shared.configs.store import ConfigStore
from shared.deliveries.queue import MessagesNotSentError, Queue
from shared.jobs import JobStore
from shared.replays import replayer
from shared.replays.deliveries import ReplayDeliveries
from shared.replays.source import ReplaySource
from shared.replays.store import FIRST_PAGE_MS, MAX_ACTIVE
from tests import factories
from tests.fakes import NOW
from tests.integration.world import CrashError, Reply, World
from tests.local.receiver import Receiver

REPAIR_S = 600
DAY_S = 86_400
FIRST_PAGE_S = FIRST_PAGE_MS // 1000


def send(world: World, count: int, **changes: Any) -> list[str]:
    events = []
    for _ in range(count):
        events.append(world.deliver(**changes))
        world.clock.advance(0.001)
    return events


def start(world: World, config_id: str = "late", **fields: Any) -> Reply:
    return world.call("POST", "/v1/replays", {"config_id": config_id, "since": NOW} | fields)


def begin(world: World, config_id: str = "late", **fields: Any) -> str:
    reply = start(world, config_id, **fields)
    assert reply.status == 202, reply
    return str(reply.body["replay_id"])


def shown(world: World, replay_id: str) -> dict[str, Any]:
    reply = world.get(f"/v1/replays/{replay_id}")
    assert reply.status == 200, reply
    found: dict[str, Any] = reply.body
    return found


def step(world: World, replay_id: str, action: str) -> Reply:
    return world.call("POST", f"/v1/replays/{replay_id}/{action}")


def received(receiver: Receiver, path: str = "/late") -> Counter[str]:
    """How often each request id came."""
    requests = receiver.requests(path)
    return Counter(request.headers["x-funnelflux-request-id"] for request in requests)


class TestTheFirstTurn:
    def test_waits_for_no_sweep(self, world: World, receiver: Receiver) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)

        for _ in range(3):
            world.wait(FIRST_PAGE_S)

        assert (shown(world, replay_id)["state"], len(receiver.requests("/late"))) == (
            "finished",
            2,
        )

    def test_after_a_pause_waits_for_none_either(self, world: World, receiver: Receiver) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        step(world, replay_id, "pause")
        world.wait(FIRST_PAGE_S)
        assert receiver.requests("/late") == []

        step(world, replay_id, "resume")
        for _ in range(3):
            world.wait(FIRST_PAGE_S)

        assert len(receiver.requests("/late")) == 2

    def test_comes_with_the_sweep_if_its_message_is_not_taken(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late")
        with monkeypatch.context() as refusing:
            refusing.setattr(Queue, "send", _not_queued)
            replay_id = begin(world)

        world.run_jobs()

        assert shown(world, replay_id)["delivered"] == 2

    def test_is_not_hurried_by_a_sweep_while_the_log_may_be_behind(
        self, world: World, receiver: Receiver
    ) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        world.clock.advance(FIRST_PAGE_S - 0.001)
        world.sweep()
        world.work("RetryQueue")
        early = shown(world, replay_id)

        step(world, replay_id, "pause")
        step(world, replay_id, "resume")
        world.clock.advance(FIRST_PAGE_S - 0.001)
        world.sweep()

        assert (early["state"], early["queued"]) == ("running", 0)
        assert [job["turn"] for job in world.jobs()] == [0]
        assert turns(world) == 2

    def test_comes_with_the_sweep_after_that(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/late"), "late")
        begin(world)
        world.clock.advance(FIRST_PAGE_S)

        world.sweep()

        assert turns(world) == 2


def turns(world: World) -> int:
    """How many turns were asked for."""
    sent = world.calls.of("SendMessageBatch")
    return sum("job_id" in entry["MessageBody"] for batch in sent for entry in batch["Entries"])


def _not_queued(*_: Any) -> None:
    raise MessagesNotSentError


class TestAConfigMadeAfterTheEvents:
    def test_gets_them_all_once_by_a_replay(self, world: World, receiver: Receiver) -> None:
        events = send(world, 12)
        world.make_config(receiver.url("/late"), "late")

        replay_id = begin(world)
        world.run_jobs()

        known = shown(world, replay_id)
        assert len(receiver.requests("/late")) == 12
        assert set(received(receiver).values()) == {1}
        assert (known["state"], known["total"], known["queued"]) == ("finished", 12, 12)
        assert (known["delivered"], known["pending"], known["skipped"]) == (12, 0, 0)
        (delivery,) = world.get(f"/v1/events/{events[0]}").body["deliveries"]
        assert (delivery["replay_id"], delivery["config_id"]) == (replay_id, "late")
        assert [attempt["trigger"] for attempt in delivery["attempts"]] == ["replay"]

    def test_shows_them_in_its_log(self, world: World, receiver: Receiver) -> None:
        events = send(world, 3)
        world.make_config(receiver.url("/late"), "late")

        replay_id = begin(world)
        world.run_jobs()

        listed = world.get("/v1/deliveries", config_id="late").body["data"]
        assert [delivery["event_id"] for delivery in listed] == events[::-1]
        assert {delivery["replay_id"] for delivery in listed} == {replay_id}

    def test_gets_them_oldest_first_and_no_faster_than_asked(
        self, world: World, receiver: Receiver
    ) -> None:
        send(world, 4)
        world.make_config(receiver.url("/late"), "late")
        begin(world, rate_per_second=2)
        world.clock.advance(FIRST_PAGE_S)
        now = world.clock()

        world.work("RetryQueue")

        listed = world.get("/v1/deliveries", config_id="late", state="waiting").body["data"]
        made = [item for item in world.items("EventTable") if item.get("replay_id")]
        due = sorted(item["next_attempt_at"] - now for item in made)
        assert due == [0, 500, 1000, 1500]
        assert {delivery["reason"] for delivery in listed} == {"replayed"}

    def test_that_is_disabled_has_them_held(self, world: World, receiver: Receiver) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late", enabled=False)

        replay_id = begin(world)
        world.run_jobs()

        known = shown(world, replay_id)
        assert (known["held"], known["delivered"]) == (2, 0)
        assert receiver.requests() == []

    def test_that_is_deleted_meanwhile_gets_nothing(self, world: World, receiver: Receiver) -> None:
        send(world, 2)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        world.call("DELETE", "/v1/webhookconfig/delete", query={"idWebhookConfig": "late"})

        world.run_jobs()

        assert shown(world, replay_id)["state"] == "cancelled"
        assert start(world).status == 404
        assert world.jobs() == []


class TestWhich:
    def test_by_time_and_type(self, world: World, receiver: Receiver) -> None:
        send(world, 2)
        since = world.clock()
        send(world, 2, event_type="on_action")
        send(world, 1)
        until = world.clock() - 1
        send(world, 1, event_type="on_action")
        world.make_config(receiver.url("/late"), "late")

        replay_id = begin(world, since=since, until=until, event_types=["on_action"])
        world.run_jobs()

        assert len(receiver.requests("/late")) == 2
        assert shown(world, replay_id)["total"] == 2

    def test_all_that_failed_is_sent_again_by_one_call(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500] * 4)
        world.make_config(receiver.url("/in"), "crm", retrySchedule=[1])
        failed = send(world, 2, webhook_config_ids=["crm"])
        world.wait(2)
        send(world, 2, webhook_config_ids=["crm"])

        replay_id = begin(world, "crm", states=["failed"])
        world.run_jobs()

        known = shown(world, replay_id)
        sent = receiver.requests("/in")[6:]
        assert [world.state(event) for event in failed] == ["failed", "failed"]
        assert (known["total"], known["delivered"], len(sent)) == (2, 2, 2)
        assert set(known["states"]) == {"failed"}

    def test_what_a_replay_has_failed_to_deliver_counts_once(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500] * 4)
        world.make_config(receiver.url("/in"), "crm", retrySchedule=[1])
        send(world, 1, webhook_config_ids=["crm"])
        world.wait(2)
        begin(world, "crm", states=["failed"])
        world.run_jobs()

        again = begin(world, "crm", states=["failed"])
        world.run_jobs()

        known = shown(world, again)
        assert (known["total"], known["queued"], known["skipped"]) == (2, 1, 1)
        assert len(receiver.requests("/in")) == 5

    def test_what_another_config_was_sent(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"), "crm")
        sent = send(world, 2, webhook_config_ids=["crm"])
        world.make_config(receiver.url("/late"), "late")
        world.make_config(receiver.url("/other"), "other")
        send(world, 1, webhook_config_ids=["other"])

        begin(world, from_config_id="crm", states=["delivered", "failed"])
        begin(world, from_config_id="crm")
        world.run_jobs()

        assert len(receiver.requests("/late")) == 2 * len(sent)
        assert set(received(receiver).values()) == {1}

    def test_a_dry_run_counts_and_sends_nothing(self, world: World, receiver: Receiver) -> None:
        send(world, 3)
        world.make_config(receiver.url("/late"), "late")

        reply = start(world, dry_run=True)
        world.run_jobs()

        assert (reply.status, reply.body) == (200, {"total": 3, "is_counted": True})
        assert world.get("/v1/replays").body["data"] == []
        assert receiver.requests() == []

    def test_what_was_erased_or_cannot_be_said_is_skipped(
        self, world: World, receiver: Receiver
    ) -> None:
        send(world, 1, visitor={"visitor_id": "v1"}, hit=None)
        send(world, 1)
        world.call("DELETE", "/v1/visitors/v1")
        world.make_config(receiver.url("/late"), "late")

        replay_id = begin(world)
        world.run_jobs()

        known = shown(world, replay_id)
        assert (known["total"], known["queued"], known["skipped"]) == (2, 1, 1)
        assert len(receiver.requests("/late")) == 1

    def test_what_shows_no_content_any_more_is_skipped_before_it_is_emptied(
        self, world: World, receiver: Receiver
    ) -> None:
        settings = {"operation": "configure", "workspace_id": world.workspace_id}
        world.invoke("configs", settings | {"content_days": 1})
        send(world, 1)
        world.clock.advance(DAY_S)
        send(world, 1)
        world.make_config(receiver.url("/late"), "late")

        replay_id = begin(world)
        for _ in range(3):
            world.wait(FIRST_PAGE_S)

        known = shown(world, replay_id)
        assert (known["total"], known["queued"], known["skipped"]) == (2, 1, 1)
        assert len(receiver.requests("/late")) == 1

    def test_many_are_counted_by_the_job(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        send(world, 5)
        world.make_config(receiver.url("/late"), "late")

        def little(source: ReplaySource, selection: Any, place: Any, queries: int) -> Any:
            """As if a megabyte held two entries."""
            page, following = source.page(selection, place, 2)
            return len(page), following

        monkeypatch.setattr(ReplaySource, "count", little)
        reply = start(world)
        world.run_jobs()

        known = shown(world, reply.body["replay_id"])
        assert reply.body | {"replay_id": ""} == {
            "replay_id": "",
            "state": "counting",
            "total": 2,
            "is_counted": False,
        }
        assert (known["state"], known["total"], known["delivered"]) == ("finished", 5, 5)

    @pytest.mark.parametrize(
        "fields",
        [
            {"since": NOW + 10**9},
            {"since": None},
            {"rate_per_second": 0},
            {"states": ["sending"]},
            {"config_id": "a#b"},
            {"unknown": 1},
        ],
    )
    def test_nonsense_is_refused(self, world: World, fields: dict[str, Any]) -> None:
        world.make_config("http://127.0.0.1:9/in", "late")

        assert start(world, **fields).status == 400


class TestARunningReplay:
    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(replayer, "MAX_PAGE", 3)

    def test_is_paused_and_resumed_where_it_was(self, world: World, receiver: Receiver) -> None:
        send(world, 7)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        world.wait(FIRST_PAGE_S)

        paused = step(world, replay_id, "pause").body
        world.run_jobs()
        meanwhile = shown(world, replay_id)
        resumed = step(world, replay_id, "resume").body
        world.run_jobs()

        assert (paused["state"], meanwhile["state"], resumed["state"]) == (
            "paused",
            "paused",
            "running",
        )
        assert (meanwhile["queued"], meanwhile["delivered"]) == (3, 3)
        assert shown(world, replay_id)["delivered"] == len(receiver.requests("/late")) == 7
        assert set(received(receiver).values()) == {1}

    def test_is_cancelled_for_good(self, world: World, receiver: Receiver) -> None:
        send(world, 7)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        world.wait(FIRST_PAGE_S)

        cancelled = step(world, replay_id, "cancel").body
        world.run_jobs()

        assert cancelled["state"] == "cancelled"
        assert len(receiver.requests("/late")) == 3
        assert [step(world, replay_id, action).status for action in ACTIONS] == [409] * 3
        assert world.jobs() == []

    def test_waits_while_the_endpoint_is_tripped(self, world: World, receiver: Receiver) -> None:
        receiver.script("/late", [500] * 5)
        world.make_config(receiver.url("/late"), "late", retrySchedule=[7200])
        send(world, 5, webhook_config_ids=["late"])
        send(world, 4)
        replay_id = begin(world)

        world.wait(FIRST_PAGE_S)

        assert shown(world, replay_id)["queued"] == 0
        assert len(world.jobs()) == 1

    @pytest.mark.parametrize(
        ("target", "name"),
        [
            (JobStore, "find"),
            (ReplaySource, "page"),
            (ReplayDeliveries, "make"),
            (Queue, "send"),
            (JobStore, "advance"),
            (JobStore, "end"),
        ],
    )
    @pytest.mark.parametrize("after", [False, True])
    def test_that_dies_twice_goes_on(
        self, world: World, receiver: Receiver, target: type, name: str, after: bool
    ) -> None:
        send(world, 7)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)

        for _ in range(2):
            with world.failing(target, name, after):
                try:
                    world.run_jobs()
                except CrashError:
                    world.purge("RetryQueue")
        for _ in range(3):
            world.run_jobs()
            world.clock.advance(REPAIR_S)

        known = shown(world, replay_id)
        assert len(received(receiver)) == 7
        assert set(received(receiver).values()) == {1}
        assert (known["state"], known["total"], known["queued"]) == ("finished", 7, 7)
        assert (known["delivered"], known["skipped"]) == (7, 0)
        assert world.jobs() == []

    def test_does_a_turn_once_that_comes_twice(self, world: World, receiver: Receiver) -> None:
        send(world, 7)
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        world.clock.advance(FIRST_PAGE_S)
        turns = world.receive("RetryQueue")

        world.work_on("RetryQueue", turns)
        came_back = world.work_on("RetryQueue", turns)

        assert came_back == []
        assert shown(world, replay_id)["queued"] == 3


ACTIONS = ("pause", "resume", "cancel")


class TestAWorkspace:
    def test_has_so_many_replays_at_a_time(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/late"), "late")
        started = [begin(world) for _ in range(MAX_ACTIVE)]

        refused = start(world)
        step(world, started[0], "cancel")
        world.run_jobs()

        assert refused.status == 403
        assert start(world).status == 202

    def test_lists_its_replays_newest_first(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/late"), "late")
        started = []
        for _ in range(3):
            started.append(begin(world))
            world.clock.advance(1)

        first = world.get("/v1/replays", limit="2").body
        second = world.get("/v1/replays/", limit="2", cursor=first["next_cursor"]).body

        listed = [replay["replay_id"] for replay in first["data"] + second["data"]]
        assert listed == started[::-1]
        assert second["next_cursor"] is None
        assert world.get("/v1/replays", cursor="#ACTIVE").status == 400

    def test_knows_nothing_of_anothers(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/late"), "late")
        replay_id = begin(world)
        other = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})["api_key"]
        paths = [f"/v1/replays/{replay_id}/{action}" for action in ACTIONS]

        body = {"config_id": "late", "since": NOW}
        answers = [world.call("POST", path, key=other).status for path in paths]
        answers.append(world.call("GET", f"/v1/replays/{replay_id}", key=other).status)
        answers.append(world.call("POST", "/v1/replays", body, key=other).status)

        assert answers == [404] * 5
        assert world.call("GET", "/v1/replays", key=other).body["data"] == []
        assert shown(world, replay_id)["state"] == "running"

    @pytest.mark.parametrize("replay_id", ["#ACTIVE", "rpl_", "rpl_000000000000", "x" * 200])
    def test_knows_no_other_ids(self, world: World, replay_id: str) -> None:
        quoted = replay_id.replace("#", "%23")

        assert world.get(f"/v1/replays/{quoted}").status == 404

    def test_needs_the_scope(self, world: World) -> None:
        key = world.call(
            "POST",
            "/v1/integration/apikeys",
            {"name": "reader", "client": "api", "scopes": ["deliveries:read"]},
        ).body["secret"]

        reply = world.call("POST", "/v1/replays/", {"config_id": "x", "since": 0}, key=key)

        assert reply.status == 403
        assert world.call("GET", "/v1/replays", key=key).status == 200


def test_an_operational_event_is_not_replayed_to_the_config_it_is_about(
    world: World, receiver: Receiver
) -> None:
    receiver.script("/gone", [410])
    store = ConfigStore(Table(clients.dynamodb(), "ConfigTable"))
    for name in ("gone", "late"):
        store.add(_speaking_of_everything(world, name, receiver.url(f"/{name}")), limit=10)
    world.deliver(webhook_config_ids=["gone"])
    disabled = store.find(world.workspace_id, "gone")
    enabled = disabled.model_copy(update={"enabled": True, "version": disabled.version + 1})
    store.replace(disabled, enabled)

    itself = begin(world, "gone", event_types=["webhook_config.disabled"])
    another = begin(world, event_types=["webhook_config.disabled"])
    world.run_jobs()

    assert (shown(world, itself)["queued"], shown(world, itself)["skipped"]) == (0, 1)
    assert shown(world, another)["delivered"] == 1


def _speaking_of_everything(world: World, config_id: str, url: str) -> WebhookConfig:
    return WebhookConfig(
        id=config_id,
        workspace_id=world.workspace_id,
        name=config_id,
        url=url,
        dialect="flowestate",
        triggers=(),
        secret=factories.SECRET,
        created_at=world.clock(),
        updated_at=world.clock(),
    )
