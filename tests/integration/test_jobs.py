"""Overdue jobs are given their turns, whatever their number, and keep nothing else waiting."""

import json
from threading import Event
from typing import Any

import pytest

from shared import jobs
from shared.aws import clients
from shared.aws.table import Table
from shared.deliveries.queue import Queue
from shared.jobs import OVERDUE_MS, Cursor, JobPage, JobStore
from shared.repair import sweeper
from shared.repair.event_scan import EventScan
from shared.tables import config_table
from tests.integration.world import World
from tests.local.receiver import Receiver

# When the sweep looks at an event: ten minutes after its minute has ended.
DUE_S = 645
NO_TIME_MS = 1_000
# Alphabetical order is not that of age.
YOUNGEST_FIRST = ("a", "b", "c")


def overdue(world: World, *configs: str) -> None:
    """A job for each config; the last one has waited longest."""
    now, table = world.clock(), Table(clients.dynamodb(), "ConfigTable")
    for age, config_id in enumerate(configs):
        job = jobs.release(world.workspace_id, config_id, now - age)
        table.transact([jobs.starting(table, job)])
    world.calls.clear()


def turns(world: World) -> list[str]:
    """The configs whose jobs were given a turn, in order."""
    sent = [
        json.loads(entry["MessageBody"])
        for batch in world.calls.of("SendMessageBatch")
        for entry in batch["Entries"]
    ]
    return [body["job_id"].rpartition("#")[2] for body in sent if "job_id" in body]


class TestOverdueJobs:
    def test_have_their_turns_oldest_first(self, world: World) -> None:
        overdue(world, *YOUNGEST_FIRST)

        world.sweep()

        assert turns(world) == ["c", "b", "a"]

    def test_are_given_one_once_in_a_while(self, world: World) -> None:
        overdue(world, *YOUNGEST_FIRST)
        world.sweep()

        world.clock.advance(OVERDUE_MS / 1000 - 0.001)
        world.sweep()
        early = len(turns(world))
        world.clock.advance(0.001)
        world.sweep()

        assert (early, len(turns(world))) == (3, 6)

    def test_have_it_for_one_plain_write_each(self, world: World) -> None:
        overdue(world, *YOUNGEST_FIRST)

        world.sweep()

        assert world.calls.names.count("UpdateItem") == 3
        assert "TransactWriteItems" not in world.calls.names

    def test_are_bounded_in_a_run(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sweeper, "MAX_JOBS", 2)
        overdue(world, *YOUNGEST_FIRST)

        world.sweep()
        first = turns(world)
        world.sweep()

        assert (first, turns(world)) == (["c", "b"], ["c", "b", "a"])

    def test_wait_for_the_next_run_when_there_is_no_time(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sweeper, "JOBS_AT_ONCE", 1)
        send = Queue.send

        def slow(queue: Queue, *arguments: Any) -> None:
            send(queue, *arguments)
            world.context.remaining_ms = NO_TIME_MS

        monkeypatch.setattr(Queue, "send", slow)
        overdue(world, *YOUNGEST_FIRST)

        world.sweep()
        world.sweep()
        first = turns(world)
        world.context.remaining_ms = 30_000
        world.sweep()

        assert (first, turns(world)) == (["c"], ["c", "b"])

    def test_take_no_time_from_what_is_to_be_repaired(
        self, world: World, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.make_config(receiver.url("/in"))
        world.send()
        world.clock.advance(DUE_S)

        looked = Event()
        events = EventScan.events

        def noted(scan: EventScan, pks: Any) -> Any:
            looked.set()
            return events(scan, pks)

        def endless(*_: object) -> list[Any]:
            assert looked.wait(30)
            return []

        monkeypatch.setattr(EventScan, "events", noted)
        monkeypatch.setattr(JobStore, "overdue", endless)

        assert world.sweep()["begun"] == 1

    def test_have_time_left_by_what_is_to_be_repaired(self, world: World) -> None:
        overdue(world, *YOUNGEST_FIRST)
        world.send()
        world.clock.advance(DUE_S)
        world.context.remaining_ms = 9_000

        swept = world.sweep()

        assert (swept["begun"], world.sweep_cursors()) == (0, {})
        assert len(turns(world)) == 3


def test_a_job_that_has_moved_on_is_left_as_it_is(world: World) -> None:
    overdue(world, "a")
    store = JobStore(Table(clients.dynamodb(), "ConfigTable"))
    (job,) = store.overdue(world.clock(), 10)
    store.advance(job, Cursor(after="there"), JobPage(None, next_at=world.clock()))

    store.requeued(job, world.clock() - OVERDUE_MS)

    (item,) = [item for item in world.items("ConfigTable") if item["pk"] == config_table.JOBS]
    assert (item["turn"], item["wake_at"]) == (1, world.clock() + OVERDUE_MS)
