"""What a run of the sweep leaves undone is passed on to turns, and comes to an end there."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from functions.retry import pages
from shared import jobs
from shared.aws import clients
from shared.aws.items import to_item
from shared.aws.table import Table
from shared.events.store import ActivityMarkers
from shared.jobs import OVERDUE_MS, Job, JobKind, JobStore
from shared.repair.due_index import DueIndex
from shared.repair.event_scan import PAGE, EventScan
from shared.repair.relay import TURNS_MS
from shared.repair.sweeper import SweepError
from shared.tables import event_table
from tests.integration.test_sweep import DUE_S, REPAIR_S, send_many
from tests.integration.world import World, refuse

PAGES = 3
# For more of the sweep, not for overdue jobs.
TOO_LITTLE_MS = 7_000
LANES = 2


@pytest.fixture(name="behind")
def _behind(world: World) -> World:
    """A world whose sweep has more to do than it has time for."""
    world.make_config("http://127.0.0.1:9/in")
    send_many(world, PAGES * PAGE)
    world.clock.advance(DUE_S)
    return world


@contextmanager
def time_for(world: World, pages: int) -> Iterator[None]:
    """Within, an invocation has time to look at so many pages of events."""
    events, left = EventScan.events, [0]

    def counted(unseen: EventScan, pks: Any) -> Any:
        left[0] += 1
        world.context.remaining_ms = 30_000 if left[0] % pages else TOO_LITTLE_MS
        return events(unseen, pks)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(EventScan, "events", counted)
        yield
    world.context.remaining_ms = 30_000


def run(world: World, pages: int = 1) -> int:
    """How many deliveries a run began that has time for so many pages."""
    with time_for(world, pages):
        begun: int = world.sweep()["begun"]
    return begun


def turn(world: World, pages: int = 1, times: int = 1) -> int:
    """How many deliveries the turns that wait began, all of which come so many times."""
    records = [r for r in received(world) if "job_id" in json.loads(r["body"])]
    before = begun(world)
    with time_for(world, pages):
        for _ in range(times):
            world.work_on("RetryQueue", records)
            world.context.remaining_ms = 30_000
    return begun(world) - before


def broken_turn(world: World, target: type, step: str) -> int:
    """As `turn`, while a step breaks."""
    with pytest.MonkeyPatch.context() as breaking:
        breaking.setattr(target, step, refuse)
        return turn(world)


def received(world: World) -> list[Any]:
    """All messages of the retry queue; attempts are thrown away."""
    return [record for some in iter(lambda: world.receive("RetryQueue"), []) for record in some]


def begun(world: World) -> int:
    return sum(
        item["sk"].startswith(event_table.DELIVERY_PREFIX) for item in world.items("EventTable")
    )


def passed_on(world: World) -> list[str]:
    return sorted(job["sk"] for job in world.jobs())


def told(caplog: pytest.LogCaptureFixture) -> list[Any]:
    return [record for record in caplog.records if record.message == "swept"]


class TestAShardThatARunLeaves:
    def test_goes_on_at_once_by_turns_until_nothing_is_left(self, behind: World) -> None:
        assert run(behind) == PAGE

        assert [turn(behind), turn(behind), turn(behind)] == [PAGE, PAGE, 0]
        assert passed_on(behind) == []

    def test_is_passed_over_by_the_runs_meanwhile(self, behind: World) -> None:
        run(behind)

        assert run(behind) == 0

    def test_is_swept_by_the_runs_again_after_that(self, behind: World) -> None:
        run(behind)
        turn(behind, pages=9)

        behind.send()
        behind.clock.advance(DUE_S + 60)

        assert passed_on(behind) == []
        assert run(behind, pages=9) == 1

    def test_takes_a_turn_that_comes_twice_once(self, behind: World) -> None:
        run(behind)

        assert turn(behind, times=2) == PAGE
        assert len(received(behind)) == PAGE + 1  # the attempts, and a single next turn

    def test_is_swept_by_runs_and_by_turns_if_its_message_was_lost(self, behind: World) -> None:
        run(behind)
        behind.purge("RetryQueue")

        behind.clock.advance(OVERDUE_MS / 1000 - 0.001)
        early = run(behind), turn(behind)
        behind.clock.advance(0.001)
        late = run(behind), turn(behind)

        assert (early, late) == ((0, 0), (PAGE, PAGE))

    def test_says_how_far_behind_it_is(
        self, behind: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(behind)
        caplog.clear()
        turn(behind)

        (line,) = told(caplog)
        assert line.job_id == jobs.sweep_id(event_table.active_shard(behind.workspace_id))
        assert (line.begun, line.behind_ms > 0) == (PAGE, True)

    def test_moves_on_though_something_in_it_breaks_and_says_so(
        self, behind: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(behind)
        caplog.clear()
        broken_turn(behind, DueIndex, "begin")

        (line,) = told(caplog)
        assert line.faults == PAGE
        assert turn(behind) == PAGE

    def test_is_left_to_the_runs_if_it_breaks_itself(
        self, behind: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(behind)
        caplog.clear()
        broken_turn(behind, EventScan, "place")

        (line,) = told(caplog)
        assert (line.faults, hasattr(line, "behind_ms")) == (1, False)
        assert passed_on(behind) == []
        assert run(behind, pages=99) == (PAGES - 1) * PAGE

    def test_has_its_next_turn_a_minute_later_if_nobody_can_tell_of_this_one(
        self, behind: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        run(behind)
        caplog.clear()
        first = broken_turn(behind, JobStore, "advance")
        behind.clock.advance(OVERDUE_MS / 1000)
        run(behind)

        assert first == 0
        assert told(caplog)[0].faults == 1
        assert turn(behind) == PAGE

    def test_gives_its_lane_up_after_a_while(self, behind: World) -> None:
        run(behind)
        turn(behind)

        behind.clock.advance(TURNS_MS / 1000)
        last = turn(behind)

        assert last == PAGE
        assert passed_on(behind) == []

    def test_is_swept_by_runs_if_a_clock_was_ahead(self, behind: World) -> None:
        behind.clock.advance(300)
        run(behind)
        behind.purge("RetryQueue")
        behind.clock.advance(-300)

        assert run(behind) == PAGE

    def test_begins_no_turn_without_time(self, behind: World) -> None:
        run(behind)
        records = received(behind)
        behind.context.remaining_ms = pages.MARGIN_MS + pages.LEAST_SWEEP_MS

        behind.work_on("RetryQueue", records)

        (job,) = behind.jobs()
        assert job["turn"] == 0

    def test_is_swept_by_every_run_while_no_turn_comes(
        self, behind: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        overdue = JobStore.overdue

        def later(store: JobStore, now: int, limit: int) -> Any:
            behind.clock.advance(15)  # what a run takes
            return overdue(store, now + 15_000, limit)

        monkeypatch.setattr(JobStore, "overdue", later)
        began = []
        for _ in range(PAGES):
            began.append(run(behind))
            behind.purge("RetryQueue")
            behind.clock.advance(45)

        assert began == [PAGE] * PAGES

    def test_is_left_alone_by_a_copy_of_the_turn_that_is_under_way(
        self, behind: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(behind)
        records = received(behind)
        batches, sweeps = EventScan.batches, []

        def meanwhile(unseen: EventScan, shard: str) -> Any:
            sweeps.append(shard)
            if len(sweeps) == 1:
                behind.work_on("RetryQueue", records)
            return batches(unseen, shard)

        monkeypatch.setattr(EventScan, "batches", meanwhile)
        behind.work_on("RetryQueue", records)

        assert len(sweeps) == 1

    def test_may_be_one_of_deliveries_that_are_due(self, world: World) -> None:
        world.make_config("http://127.0.0.1:9/in")
        event_id = world.deliver()
        world.purge("RetryQueue")
        world.clock.advance(REPAIR_S + 2)
        world.context.remaining_ms = 0
        world.sweep()
        shard = passed_on(world)
        world.context.remaining_ms = 30_000

        world.work("RetryQueue")
        world.work("RetryQueue")

        assert shard == [jobs.sweep_id(event_table.wake_shard(world.request_id(event_id)))]
        assert passed_on(world) == []
        assert world.delivery(event_id)["attempt"] == 2


class TestTheLanes:
    @pytest.fixture(autouse=True)
    def _many(self, world: World) -> None:
        """Workspaces that were active, one a minute, in as many shards."""
        markers = ActivityMarkers(Table(clients.dynamodb(), "EventTable"), REPAIR_S)
        for number, workspace_id in enumerate(workspaces()):
            markers.mark(workspace_id, world.clock() + 60_000 * number)
        world.clock.advance(DUE_S + 3_600)
        world.context.remaining_ms = 0

    def test_are_for_those_that_are_furthest_behind(self, world: World) -> None:
        world.sweep()

        first = [jobs.sweep_id(event_table.active_shard(one)) for one in workspaces()[:LANES]]
        assert passed_on(world) == sorted(first)

    def test_are_given_to_the_next_when_one_is_free(self, world: World) -> None:
        world.sweep()
        before = passed_on(world)
        store, second = (
            JobStore(Table(clients.dynamodb(), "ConfigTable")),
            event_table.active_shard(workspaces()[1]),
        )
        store.end(next(job for job in store.of(JobKind.SWEEP) if jobs.shard_of(job) == second))
        world.clock.advance(OVERDUE_MS / 1000)  # the first is swept by runs too, and is behind

        world.sweep()

        assert passed_on(world) == before

    def test_are_others_for_deliveries_that_are_due(self, world: World) -> None:
        world.sweep()
        before = passed_on(world)
        entry = {"pk": "W#1#E#1", "sk": "D#1", "wake_shard": "WAKE#0", "wake_at": world.clock()}
        clients.dynamodb().put_item(TableName="EventTable", Item=to_item(entry))

        world.sweep()

        assert passed_on(world) == [*before, jobs.sweep_id("WAKE#0")]

    def test_that_cannot_be_taken_keep_no_other_from_it(
        self, world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        start, furthest = JobStore.start, event_table.active_shard(workspaces()[0])

        def fussy(store: JobStore, job: Job) -> bool:
            if jobs.shard_of(job) == furthest:
                raise RuntimeError
            return start(store, job)

        monkeypatch.setattr(JobStore, "start", fussy)
        with pytest.raises(SweepError):
            world.sweep()

        assert passed_on(world) == [jobs.sweep_id(event_table.active_shard(workspaces()[1]))]
        assert told(caplog)

    def test_are_no_more_while_they_are_taken(self, world: World) -> None:
        world.sweep()
        before = passed_on(world)

        world.sweep()

        assert passed_on(world) == before

    def test_are_none_of_few_workers(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        only(monkeypatch, workers=LANES)
        world.sweep()

        assert passed_on(world) == []

    def test_are_as_many_as_there_is_to_do_of_many(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        only(monkeypatch, workers=1_000)
        world.sweep()

        assert len(passed_on(world)) == len(event_table.ACTIVE_SHARDS)

    def test_share_the_time_of_a_batch(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        world.sweep()
        world.context.remaining_ms = 30_000
        had: list[int] = []
        batches = EventScan.batches

        def timed(unseen: EventScan, shard: str) -> Any:
            had.append(world.context.remaining_ms)
            world.context.remaining_ms -= 11_000  # half of what there is beside the margin
            return batches(unseen, shard)

        monkeypatch.setattr(EventScan, "batches", timed)
        world.work("RetryQueue")

        assert had == [30_000, 19_000]
        assert len(passed_on(world)) == LANES  # none of them had more than its share


def test_a_sweep_goes_on_if_nobody_can_tell_what_was_passed_on(
    behind: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as breaking:
        breaking.setattr(JobStore, "of", refuse)
        with pytest.raises(Exception, match="1 of the entries or shards"):
            behind.sweep()

    assert begun(behind) == PAGES * PAGE


def test_a_shard_is_passed_on_once(world: World) -> None:
    store = JobStore(Table(clients.dynamodb(), "ConfigTable"))
    first, second = (
        jobs.sweep(event_table.WAKE_SHARDS[0], world.clock() + later) for later in (0, 1)
    )

    assert (store.start(first), store.start(second)) == (True, False)
    assert store.of(JobKind.SWEEP) == [first]


def only(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    variables: Callable[..., Any] = World.environment

    def changed(world: World, function: str) -> Any:
        environment = variables(world, function)
        environment.values["RETRY_CONCURRENCY"] = str(workers)
        return environment

    monkeypatch.setattr(World, "environment", changed)


def workspaces() -> list[str]:
    """One of each shard."""
    by_shard = {event_table.active_shard(str(number)): str(number) for number in range(100)}
    return [by_shard[shard] for shard in event_table.ACTIVE_SHARDS]
