"""Whatever is accepted, whenever and by whom, the sweep has looked at it in the end."""

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.aws import clients
from shared.aws.table import Table
from shared.events.store import EventStore
from shared.repair.event_scan import PAGE, EventScan
from shared.tables import event_table
from tests import factories
from tests.fakes import FakeClock
from tests.integration.account import Account
from tests.integration.world import new_world

REPAIR_S = 120
LONG_S = 3_600
WORKSPACES = ("a", "b", "c")


class Accepted(NamedTuple):
    """So many events at once."""

    workspace_id: str
    number: int


class Passed(NamedTuple):
    seconds: float


class SetBack(NamedTuple):
    """All clocks are late by so many seconds from now on, fewer than repair waits for."""

    seconds: int


class Swept(NamedTuple):
    """A run that has time for so many pages, and dies before it saves its last page."""

    pages: int
    dies: bool


Step = Accepted | Passed | SetBack | Swept
steps = st.lists(
    st.one_of(
        st.builds(Accepted, st.sampled_from(WORKSPACES), st.integers(1, PAGE + 2)),
        st.builds(Passed, st.sampled_from([0.001, 1, 59, 60, 61, REPAIR_S, 600])),
        st.builds(SetBack, st.sampled_from([0, 1, 60, REPAIR_S - 1])),
        st.builds(Swept, st.integers(0, 4), st.booleans()),
    ),
    max_size=14,
)


class Round:
    """The scan of a sweep, on tables that hold nothing else."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.seen = Counter[str]()
        self.stored = list[str]()
        self._late_s = 0
        self.scan = EventScan(
            Table(clients.dynamodb(), "ConfigTable"),
            Table(clients.dynamodb(), "EventTable"),
            REPAIR_S,
            self.clock,
        )
        self._worker = EventStore(Table(clients.dynamodb(), "EventTable"), 30, REPAIR_S)

    def take(self, step: Step) -> None:
        match step:
            case Accepted():
                self._accept(step)
            case Passed():
                self.clock.advance(step.seconds)
            case SetBack():
                self.clock.advance(self._late_s - step.seconds)
                self._late_s = step.seconds
            case Swept():
                for shard in event_table.ACTIVE_SHARDS:
                    self._sweep(shard, step)

    def settle(self) -> None:
        self.clock.advance(LONG_S)
        self.take(Swept(pages=10_000, dies=False))

    def _accept(self, step: Accepted) -> None:
        for _ in range(step.number):
            event_id = str(len(self.stored))
            event = factories.event(
                event_id=event_id, accepted_at=self.clock(), workspace_id=step.workspace_id
            )
            assert self._worker.add(event) is None
            self.stored.append(event_table.partition(event.workspace_id, event.key))

    def _sweep(self, shard: str, run: Swept) -> None:
        batches = list(islice(self.scan.batches(shard), run.pages))
        for number, batch in enumerate(batches, 1):
            self.seen.update(batch.pks)
            if run.dies and number == len(batches):
                return
            self.scan.save(shard, batch.cursor)


@settings(max_examples=40)
@given(steps)
@example([Accepted("a", PAGE), Passed(600), Swept(1, False), Swept(1, True)])
@example([Accepted("a", 1), Passed(600), Swept(4, False), SetBack(119), Accepted("a", 1)])
@example([Accepted("a", 1), Passed(61), Swept(4, False), SetBack(119), Accepted("a", 1)])
@example([Accepted("a", PAGE + 1), Passed(600), Swept(1, False), SetBack(119), Swept(4, False)])
def test_every_event_is_looked_at_and_none_without_end(
    account: Account, steps: Sequence[Step]
) -> None:
    with new_world(account):
        round_ = Round()

        for step in steps:
            round_.take(step)
        round_.settle()
        deaths = sum(isinstance(step, Swept) and step.dies for step in steps)

        assert round_.seen.keys() == set(round_.stored)
        assert max(round_.seen.values(), default=0) <= 1 + deaths
        before = round_.seen.copy()
        round_.settle()
        assert round_.seen == before


def test_the_cursor_of_a_shard_ends_behind_all(account: Account) -> None:
    with new_world(account):
        round_ = Round()
        for step in (Accepted("a", 3), Passed(60), Accepted("a", 3)):
            round_.take(step)

        round_.settle()

        cursor = round_.scan.cursor(event_table.active_shard("a"))
        assert cursor.log_sk > event_table.log_sk(round_.clock() - LONG_S * 1000, "f" * 20)
        assert cursor.marker.endswith("#a")
