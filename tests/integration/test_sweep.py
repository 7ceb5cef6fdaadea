"""Whatever should have moved, and has not, is set moving again."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from shared.aws import clients
from shared.aws.table import Table
from shared.deliveries.queue import AttemptMessage
from shared.events.models import Event
from shared.events.store import ActivityMarker, ActivityMarkers, marker_of
from shared.jobs import JobStore
from shared.outbound.sender import Sender
from shared.repair import sweeper
from shared.repair.due_index import DueEntry, DueIndex
from shared.repair.event_scan import PAGE, EventScan, ScanCursor
from shared.repair.sweeper import Sweeper, SweepError, Swept
from shared.tables import event_table
from tests.fakes import NOW
from tests.integration.world import CrashError, World, refuse
from tests.local.receiver import Receiver

NOTHING = {"requeued": 0, "begun": 0, "behind_ms": 0}
REPAIR_S = 600
# The clocks of the tests begin a quarter of a minute after a full one, when a marker begins.
DUE_S = 45 + REPAIR_S


class TestAnEventWhoseMessagesWereLost:
    def test_is_delivered_all_the_same(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        world.purge("DispatchQueue")

        world.clock.advance(DUE_S)
        swept = world.sweep()
        world.work("RetryQueue")

        assert swept == {"requeued": 1, "begun": 1, "behind_ms": 0}
        assert world.state(event_id) == "delivered"
        assert len(receiver.requests()) == 1

    def test_is_delivered_even_if_the_stream_never_told(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()

        world.clock.advance(DUE_S)
        world.sweep()
        world.work("RetryQueue")

        assert world.state(event_id) == "delivered"

    def test_is_left_alone_until_then(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.send()

        world.clock.advance(DUE_S - 0.001)

        assert world.sweep() == NOTHING

    def test_is_seen_to_be_pending(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()

        world.clock.advance(DUE_S)
        world.sweep()

        shown = world.delivery(event_id)
        assert (shown["state"], shown["reason"], shown["attempt"]) == ("pending", "repaired", 0)
        assert shown["created_at"] == "2026-04-29T18:04:15.000Z"

    def test_is_begun_once(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.clock.advance(DUE_S)
        world.sweep()

        world.clock.advance(60)

        assert world.sweep() == NOTHING

    def test_is_queued_again_if_that_message_is_lost_too(
        self, world: World, receiver: Receiver
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.clock.advance(DUE_S)
        world.sweep()
        world.purge("RetryQueue")

        world.clock.advance(REPAIR_S)
        swept = world.sweep()
        world.work("RetryQueue")

        assert swept == {"requeued": 1, "begun": 0, "behind_ms": 0}
        assert world.state(event_id) == "delivered"

    def test_goes_to_the_configs_of_its_time(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/crm"), "crm")
        world.send()
        world.clock.advance(1)
        world.make_config(receiver.url("/late"), "late")

        world.clock.advance(DUE_S)
        world.sweep()
        world.work("RetryQueue")

        assert [request.path for request in receiver.requests()] == ["/crm"]

    def test_is_made_whole_if_only_some_were_lost(self, world: World, receiver: Receiver) -> None:
        for config_id in ("crm", "mail"):
            world.make_config(receiver.url(f"/{config_id}"), config_id)
        event_id = world.send()
        world.fan_out()
        first, _ = world.receive("DispatchQueue")
        world.work_on("DispatchQueue", [first])
        world.purge("DispatchQueue")

        world.clock.advance(DUE_S)
        world.sweep()
        world.work("RetryQueue")

        assert sorted(request.path for request in receiver.requests()) == ["/crm", "/mail"]
        assert world.state(event_id, "crm") == world.state(event_id, "mail") == "delivered"

    def test_may_have_its_late_message_after_all(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.fan_out()
        world.clock.advance(DUE_S)
        world.sweep()

        world.work("RetryQueue")
        world.work("DispatchQueue")

        assert len(receiver.requests()) == 1


class TestAnEventWhoseDeliveriesAreOnTheirWay:
    def test_is_looked_at_once(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        world.deliver()
        world.clock.advance(DUE_S)
        assert world.sweep() == NOTHING
        world.calls.clear()

        assert world.sweep() == NOTHING

        assert set(world.calls.names) == {"Query", "GetItem"}

    def test_moves_the_cursor_of_its_workspace(self, world: World) -> None:
        world.send()
        assert world.sweep_cursors() == {}

        world.clock.advance(DUE_S)
        world.sweep()

        marker = marker_of(world.workspace_id, NOW, REPAIR_S)
        shard = event_table.active_shard(world.workspace_id)
        assert world.sweep_cursors() == {shard: ScanCursor(marker=marker.sk, log_sk=marker.end)}

    def test_has_no_entry_in_the_wake_index(self, world: World) -> None:
        event_id = world.send()

        assert not {"wake_shard", "wake_at"} & world.event_item(event_id).keys()


class TestADeliveryThatWaits:
    def test_is_queued_again_if_its_message_was_lost(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.purge("RetryQueue")

        world.clock.advance(1 + REPAIR_S - 0.001)
        early = world.sweep()
        world.clock.advance(0.001)
        swept = world.sweep()
        world.work("RetryQueue")

        assert (early["requeued"], swept["requeued"]) == (0, 1)
        assert world.queued()[-1].delay_s == 0
        assert world.state(event_id) == "delivered"

    def test_is_not_queued_again_by_the_next_sweep(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.purge("RetryQueue")
        world.clock.advance(1 + REPAIR_S)
        world.sweep()

        assert world.sweep() == NOTHING

        item = world.delivery_item(event_id)
        assert item["wake_at"] == world.clock() + REPAIR_S * 1000
        assert item["next_attempt_at"] == NOW + 1000

    def test_is_queued_with_the_delay_that_remains(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"), retrySchedule=[3600])
        world.deliver()

        world.clock.advance(3600 - 600 + 47)
        world.sweep()

        assert world.queued()[-1].delay_s == 600 - 47

    def test_keeps_its_attempts_while_the_queues_are_purged_again_and_again(
        self, world: World, receiver: Receiver
    ) -> None:
        receiver.script("/in", [500] * 3)
        world.make_config(receiver.url("/in"), retrySchedule=[1, 1, 1, 1])
        event_id = world.deliver()

        while world.state(event_id) == "waiting":
            world.purge("DispatchQueue", "RetryQueue")
            world.clock.advance(REPAIR_S + 1)
            world.sweep()
            world.work("RetryQueue")

        assert world.state(event_id) == "delivered"
        assert [a["status_code"] for a in world.delivery(event_id)["attempts"]] == [500] * 3 + [200]

    def test_that_moved_on_while_the_sweep_looked_is_left_alone(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.clock.advance(1 + REPAIR_S)
        requeue = Sweeper._requeue

        def late(sweeper: Sweeper, entry: DueEntry) -> Swept:
            world.work("RetryQueue")
            return requeue(sweeper, entry)

        monkeypatch.setattr(Sweeper, "_requeue", late)
        swept = world.sweep()

        assert swept["requeued"] == 0
        assert world.state(event_id) == "delivered"
        assert "wake_at" not in world.delivery_item(event_id)

    def test_that_expired_while_the_sweep_looked_is_left_alone(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        event_id = world.deliver()
        world.clock.advance(1 + REPAIR_S)
        requeue = Sweeper._requeue

        def late(sweeper: Sweeper, entry: DueEntry) -> Swept:
            world.forget(event_id)
            world.forget_delivery(event_id)
            return requeue(sweeper, entry)

        monkeypatch.setattr(Sweeper, "_requeue", late)

        assert world.sweep() == NOTHING


class TestAFirstAttemptThatHangs:
    def test_is_watched_and_made_again(self, world: World, receiver: Receiver) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.fan_out()
        with world.failing(Sender, "post"), pytest.raises(CrashError):
            world.work("DispatchQueue")
        world.purge("DispatchQueue")

        world.clock.advance(DUE_S)
        assert world.sweep() == NOTHING
        world.clock.advance(REPAIR_S)
        swept = world.sweep()
        world.work("RetryQueue")

        assert swept == {"requeued": 1, "begun": 0, "behind_ms": 0}
        assert world.state(event_id) == "delivered"
        assert len(receiver.requests()) == 1


def send_many(world: World, count: int) -> list[str]:
    """The log entries of so many events, which are accepted a millisecond apart."""
    event = {"workspace_id": world.workspace_id, "event_type": "on_action"}
    for number in range(count):
        world.clock.advance(0.001)
        world.invoke("ingest", event | {"event_id": str(number)})
    return [str(world.event_item(str(number))["log_sk"]) for number in range(count)]


class TestASweepOfMoreThanAPage:
    COUNT = PAGE + 1

    def test_begins_every_event(self, world: World) -> None:
        world.make_config("http://127.0.0.1:9/in")
        send_many(world, self.COUNT)

        world.clock.advance(DUE_S)

        assert world.sweep() == {"requeued": self.COUNT, "begun": self.COUNT, "behind_ms": 0}
        assert world.sweep() == NOTHING

    def test_goes_on_from_where_its_time_ended(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        entries = send_many(world, self.COUNT)
        marker = marker_of(world.workspace_id, NOW, REPAIR_S)
        world.clock.advance(DUE_S)
        looked: list[int] = []
        events = EventScan.events

        def slow(scan: EventScan, pks: Sequence[str]) -> list[Event]:
            world.context.remaining_ms = 0
            looked.append(len(pks))
            return events(scan, pks)

        monkeypatch.setattr(EventScan, "events", slow)
        world.sweep()
        (stopped_at,) = world.sweep_cursors().values()
        world.context.remaining_ms = 30_000
        world.sweep()

        assert looked == [PAGE, 1]
        assert stopped_at == ScanCursor(marker=marker.sk, log_sk=entries[PAGE - 1])
        assert [*world.sweep_cursors().values()] == [
            ScanCursor(marker=marker.sk, log_sk=marker.end)
        ]

    def test_goes_on_in_the_middle_of_a_page_if_its_deliveries_are_too_many(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.repair.sweeper.AT_ONCE", 2)
        world.make_config(receiver.url("/in"))
        entries = send_many(world, 3)
        marker = marker_of(world.workspace_id, NOW, REPAIR_S)
        world.clock.advance(DUE_S)
        begin = DueIndex.begin

        def slow(index: DueIndex, message: AttemptMessage, event: Event, now: int) -> bool:
            world.context.remaining_ms = 0
            return begin(index, message, event, now)

        with monkeypatch.context() as patched:
            patched.setattr(DueIndex, "begin", slow)
            first = world.sweep()
        (stopped_at,) = world.sweep_cursors().values()
        world.context.remaining_ms = 30_000
        world.sweep()

        assert first["begun"] == 2
        assert world.delivery_item("2")["reason"] == "repaired"
        assert stopped_at == ScanCursor(marker=marker.sk, log_sk=entries[0])
        assert [*world.sweep_cursors().values()] == [
            ScanCursor(marker=marker.sk, log_sk=marker.end)
        ]

    def test_goes_on_past_markers_that_hold_nothing_any_more(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        markers = ActivityMarkers(Table(clients.dynamodb(), "EventTable"), REPAIR_S)
        for minute in range(PAGE + 1):
            markers.mark(world.workspace_id, NOW + 60_000 * minute)
        world.clock.advance(DUE_S + 60 * PAGE)
        events = EventScan.events

        def slow(scan: EventScan, pks: Sequence[str]) -> list[Event]:
            world.context.remaining_ms = 0
            return events(scan, pks)

        monkeypatch.setattr(EventScan, "events", slow)
        world.sweep()

        (stopped_at,) = world.sweep_cursors().values()
        assert stopped_at.marker == marker_of(world.workspace_id, NOW + 60_000 * 9, REPAIR_S).sk

    def test_looks_at_those_of_small_markers_together(self, world: World) -> None:
        for _ in range(PAGE):
            world.send()
            world.clock.advance(60)
        world.clock.advance(DUE_S)
        world.calls.clear()

        world.sweep()

        saved = world.calls.of("PutItem")
        assert len(saved) == 1


class TestASweepWithoutTime:
    def test_leaves_the_rest_to_the_next_run(self, world: World, receiver: Receiver) -> None:
        receiver.script("/in", [500])
        world.make_config(receiver.url("/in"))
        world.deliver()
        world.send()
        world.purge("DispatchQueue", "RetryQueue")
        world.clock.advance(DUE_S)
        world.context.remaining_ms = 5_000

        assert world.sweep() == NOTHING | {"behind_ms": 1_000 * (DUE_S - REPAIR_S - 1)}
        assert world.sweep_cursors() == {}

        world.context.remaining_ms = 30_000
        world.calls.clear()
        world.sweep()
        assert sorted(queued.pointer.attempt for queued in world.queued()) == [1, 2]


class TestTwoRunsAtATime:
    def test_begin_each_delivery_once(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.make_config("http://127.0.0.1:9/in")
        send_many(world, 2 * PAGE)
        world.clock.advance(DUE_S)
        begin, swept = DueIndex.begin, list[Any]()

        def meanwhile(*arguments: Any) -> bool:
            monkeypatch.undo()
            swept.append(world.sweep())
            return begin(*arguments)

        monkeypatch.setattr(DueIndex, "begin", meanwhile)
        swept.append(world.sweep())

        assert [run["begun"] for run in swept] == [2 * PAGE, 0]
        assert [*world.sweep_cursors().values()] == [
            end_of(marker_of(world.workspace_id, NOW, REPAIR_S))
        ]


class TestARunThatIsSplit:
    def test_looks_at_each_shard_in_one_part(self, world: World) -> None:
        for part in range(3):
            world.invoke("repair", {"operation": "sweep", "part": part, "parts": 3})

        queries = [call for call in world.calls.of("Query") if call["TableName"] == "EventTable"]
        shards = event_table.WAKE_SHARDS + event_table.ACTIVE_SHARDS
        assert len(queries) == len(shards)
        assert all(json.dumps(queries).count(f'"{shard}"') == 1 for shard in shards)

    def test_looks_at_overdue_jobs_once(self, world: World) -> None:
        world.invoke("repair", {"operation": "sweep", "part": 1, "parts": 2})

        assert {call["TableName"] for call in world.calls.of("Query")} == {"EventTable"}


class TestTheLineOfARun:
    def test_says_how_far_behind_repair_is(
        self, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.send()
        world.clock.advance(DUE_S + 5)
        world.context.remaining_ms = sweeper.SHARD_MARGIN_MS

        world.sweep()

        (line,) = told(caplog)
        assert line.behind_ms == 5_000
        assert not hasattr(line, "faults")

    def test_counts_what_broke(
        self, world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(EventScan, "cursor", refuse)

        with pytest.raises(SweepError):
            world.sweep()

        (line,) = told(caplog)
        assert line.faults == len(event_table.ACTIVE_SHARDS)


class TestASweepInWhichSomethingBreaks:
    def test_looks_at_everything_else_and_says_so(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config(receiver.url("/in"))
        events = [world.send() for _ in range(12)]
        world.clock.advance(DUE_S)
        begin = DueIndex.begin
        broken = world.request_id(events[3])

        def fussy(index: DueIndex, message: AttemptMessage, *rest: Any) -> bool:
            if str(message.request_id) == broken:
                raise RuntimeError
            return begin(index, message, *rest)

        with monkeypatch.context() as breaking:
            breaking.setattr(DueIndex, "begin", fussy)
            with pytest.raises(SweepError):
                world.sweep()
        begun = [event for event in events if world.delivery_item(event)]

        assert begun == events[:3] + events[4:]
        world.clock.advance(REPAIR_S)
        assert world.sweep()["begun"] == 1
        assert "wake_at" not in world.event_item(events[3])
        for _ in range(3):
            world.work("RetryQueue")
        assert world.state(events[3]) == "delivered"

    def test_passes_over_an_event_that_nobody_can_read(
        self, world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        world.make_config(receiver.url("/in"))
        torn, behind = world.send(), world.send()
        world.tamper(torn, b"\x01torn")
        world.clock.advance(DUE_S)

        world.sweep()

        assert world.delivery_item(behind)
        assert world.sweep() == NOTHING
        assert "event.unreadable" in caplog.messages

    def test_queues_what_else_is_due(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        receiver.script("/in", [500, 500])
        world.make_config(receiver.url("/in"))
        first, second = world.deliver(), world.deliver()
        world.purge("RetryQueue")
        world.clock.advance(1 + REPAIR_S)
        push_back = DueIndex.push_back

        def fussy(index: DueIndex, entry: DueEntry, now: int) -> Any:
            if entry.sk.endswith(world.request_id(first)):
                raise RuntimeError
            return push_back(index, entry, now)

        with monkeypatch.context() as breaking:
            breaking.setattr(DueIndex, "push_back", fussy)
            with pytest.raises(SweepError):
                world.sweep()
        world.work("RetryQueue")

        assert (world.state(first), world.state(second)) == ("waiting", "delivered")
        assert world.sweep()["requeued"] == 1

    def test_among_the_jobs_leaves_the_rest(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config(receiver.url("/in"))
        event_id = world.send()
        world.clock.advance(DUE_S)

        monkeypatch.setattr(JobStore, "overdue", refuse)
        with pytest.raises(SweepError):
            world.sweep()
        world.work("RetryQueue")

        assert world.state(event_id) == "delivered"

    def test_in_a_shard_leaves_the_others(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        others = in_another_shard(world)
        for workspace_id in (world.workspace_id, others):
            event = {"event_type": "on_action", "event_id": "event-1", "workspace_id": workspace_id}
            world.invoke("ingest", event)
        world.clock.advance(DUE_S)
        cursor = EventScan.cursor

        def fussy(scan: EventScan, shard: str) -> ScanCursor:
            if shard == event_table.active_shard(world.workspace_id):
                raise RuntimeError
            return cursor(scan, shard)

        monkeypatch.setattr(EventScan, "cursor", fussy)
        with pytest.raises(SweepError):
            world.sweep()

        assert world.sweep_cursors().keys() == {event_table.active_shard(others)}

    def test_when_nothing_tells_what_has_begun_looks_again_at_each(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config("http://127.0.0.1:9/in")
        events = [world.send() for _ in range(3)]
        world.clock.advance(DUE_S)

        with monkeypatch.context() as breaking:
            breaking.setattr(DueIndex, "begun", refuse)
            with pytest.raises(SweepError):
                world.sweep()
        waiting = [world.event_item(event)["wake_at"] for event in events]
        world.clock.advance(REPAIR_S)

        assert waiting == [NOW + (DUE_S + REPAIR_S) * 1000] * 3
        assert world.sweep() == {"requeued": 3, "begun": 3, "behind_ms": 0}
        assert world.sweep() == NOTHING

    def test_looks_again_and_again_until_nothing_breaks(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config("http://127.0.0.1:9/in")
        event_id = world.send()
        world.clock.advance(DUE_S)

        with monkeypatch.context() as breaking:
            breaking.setattr(DueIndex, "begin", refuse)
            for _ in range(3):
                with pytest.raises(SweepError):
                    world.sweep()
                world.clock.advance(REPAIR_S)

        assert world.sweep() == {"requeued": 1, "begun": 1, "behind_ms": 0}
        assert "wake_at" not in world.event_item(event_id)


def told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.message == "swept"]


def end_of(marker: ActivityMarker) -> ScanCursor:
    return ScanCursor(marker=marker.sk, log_sk=marker.end)


def in_another_shard(world: World) -> str:
    """Another workspace."""
    while True:
        made = world.invoke("configs", {"operation": "bootstrap", "name": "Other"})
        workspace_id: str = made["workspace_id"]
        if event_table.active_shard(workspace_id) != event_table.active_shard(world.workspace_id):
            return workspace_id


def test_a_sweep_reads_of_a_delivery_only_whether_it_is_there(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/in"))
    world.deliver()
    world.clock.advance(DUE_S)
    world.calls.clear()

    world.sweep()

    reads = [
        table for call in world.calls.of("BatchGetItem") for table in call["RequestItems"].values()
    ]
    assert "attempts" not in str(reads)
    assert any("ProjectionExpression" in read for read in reads)
