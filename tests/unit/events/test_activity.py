"""Notes of activity: durable before the event, one for each workspace, worker and slot."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.aws.table import Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.events.store import ActivityMarker, ActivityMarkers, EventStore, marker_from, marker_of
from shared.tables import event_table
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

MINUTE = 60_000
REPAIR_S = 600
# Where a slot begins.
START = NOW - NOW % MINUTE

moments = st.integers(0, 10**14)
waits_s = st.integers(1, 3_600)


class FakeTable:
    """Keeps what it is given, in order; the first `failures` writes fail."""

    def __init__(self, failures: int = 0) -> None:
        self.items: list[Any] = []
        self._failures = failures

    def put_item(self, **request: Any) -> None:
        if self._failures:
            self._failures -= 1
            raise ConnectionError
        self.items.append(request["Item"])

    @property
    def markers(self) -> list[str]:
        return [item["sk"]["S"] for item in self.items if item["pk"]["S"].startswith("ACTIVE#")]


def markers(table: FakeTable) -> ActivityMarkers:
    return ActivityMarkers(Table(cast(Any, table), "t"), REPAIR_S)


def store(table: FakeTable) -> EventStore:
    return EventStore(Table(cast(Any, table), "t"), 30, REPAIR_S)


class TestAMarker:
    @given(moments, waits_s)
    def test_holds_its_moment_and_is_a_minute_at_most(self, at: int, repair_after_s: int) -> None:
        slot = marker_of(WORKSPACE, at, repair_after_s)

        assert slot.since <= at < slot.until
        assert slot.until - slot.since == min(MINUTE, repair_after_s * 1000)

    @given(moments, waits_s)
    def test_is_read_from_its_key(self, at: int, repair_after_s: int) -> None:
        slot = marker_of(WORKSPACE, at, repair_after_s)

        assert marker_from(slot.sk) == slot

    @given(moments, moments, waits_s, waits_s)
    def test_sorts_by_its_end_whatever_its_length(
        self, at: int, other_at: int, wait_s: int, other_wait_s: int
    ) -> None:
        one, other = marker_of("a", at, wait_s), marker_of("b", other_at, other_wait_s)

        assert one.until >= other.until or one.sk < other.sk

    @given(moments, waits_s)
    def test_ends_behind_all_of_its_events(self, at: int, repair_after_s: int) -> None:
        slot = marker_of(WORKSPACE, at, repair_after_s)

        assert (
            event_table.log_sk(at, "f" * 20) < slot.end <= event_table.log_sk(slot.until, "0" * 20)
        )


class TestStoringAMarker:
    def test_is_written_before_the_event(self) -> None:
        table = FakeTable()

        store(table).add(factories.event(accepted_at=NOW))

        assert [item["sk"]["S"] for item in table.items] == [
            ActivityMarker(workspace_id=WORKSPACE, since=START, until=START + MINUTE).sk,
            event_table.EVENT_SK,
        ]

    def test_is_written_before_each_transaction_with_an_event(self) -> None:
        table, event = FakeTable(), factories.event(accepted_at=NOW)
        late = factories.event(accepted_at=NOW + MINUTE)

        store(table).putting_new([event, event, late])
        store(table).putting(event)

        assert len(table.markers) == 3

    def test_that_fails_leaves_no_event(self) -> None:
        table = FakeTable(failures=1)

        with pytest.raises(ConnectionError):
            store(table).add(factories.event())

        assert table.items == []

    def test_that_failed_is_not_remembered(self) -> None:
        table = FakeTable(failures=1)
        worker = markers(table)

        with pytest.raises(ConnectionError):
            worker.mark(WORKSPACE, NOW)
        worker.mark(WORKSPACE, NOW)

        assert len(table.markers) == 1

    def test_is_written_once_for_each_workspace_and_minute(self) -> None:
        table = FakeTable()
        worker = markers(table)

        for at in (START, START + 1, START + MINUTE - 1, START + MINUTE):
            worker.mark("a", at)
            worker.mark("b", at)

        assert len(table.markers) == len(set(table.markers)) == 4

    def test_is_the_same_from_every_worker(self) -> None:
        table = FakeTable()

        markers(table).mark(WORKSPACE, START)
        markers(table).mark(WORKSPACE, START + 1)

        first, second = table.items
        assert first == second

    def test_outlives_its_time_by_a_week(self) -> None:
        table = FakeTable()

        markers(table).mark(WORKSPACE, START)

        (item,) = table.items
        assert int(item["expires_at"]["N"]) == (START + MINUTE + 7 * MS_PER_DAY) // MS_PER_S

    def test_of_another_time_is_forgotten_and_made_again(self) -> None:
        table = FakeTable()
        worker = markers(table)

        for at in (START, START + MINUTE, START):
            worker.mark(WORKSPACE, at)

        first, _, again = table.markers
        assert first == again
