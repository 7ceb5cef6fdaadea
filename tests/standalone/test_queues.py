"""A queue in the data file hands out what that of the fault runs does, and loses nothing when the
program ends at any point."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.standalone import queues
from shared.standalone.engine.file import DataFile
from shared.standalone.queues import LOADED, FileMessage, FileQueue, FileQueues
from tests.faults.engine.queues import Redrive, SqsQueue
from tests.faults.engine.simulation import Simulation
from tests.standalone.timers import DrivenTimer

VISIBILITY_S = 30
RECEIVES = 3
DECLARED: dict[str, Any] = {
    "Work": {
        "VisibilityTimeout": VISIBILITY_S,
        "RedrivePolicy": {
            "deadLetterTargetArn": {"Fn::GetAtt": ["Dead", "Arn"]},
            "maxReceiveCount": RECEIVES,
        },
    },
    "Dead": {"VisibilityTimeout": VISIBILITY_S},
}
CHANCE = Random(0)  # noqa: S311 -- no troubles, so it is not asked
GROUPS = st.sampled_from("abc")
# A millisecond passes with each step, so that no two steps have calls due at the same time.
TICK_MS = 1


class SameAsInTheFaultRuns(RuleBasedStateMachine):
    """The same steps for both give the same messages, in the same order, as long as memory holds
    all of them: what is read later comes after other groups."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(queues, "LOADED", 10_000)
        self.folder = TemporaryDirectory()
        self.file = DataFile(Path(self.folder.name) / "data.sqlite")
        self.timer = DrivenTimer()
        self.queues = FileQueues(DECLARED, self.file, self.timer, self.timer)
        self.queues.start()
        self.work = self.queues["Work"]
        self.simulation = Simulation()
        self.twin, self.twin_dead = (
            SqsQueue(name, self.simulation, CHANCE, VISIBILITY_S) for name in ("Work", "Dead")
        )
        self.twin.redrive = Redrive(RECEIVES, self.twin_dead)
        self.sent = 0
        self.held: list[tuple[FileMessage, Any, int]] = []

    def teardown(self) -> None:
        self.file.close()
        self.folder.cleanup()
        self.patch.undo()

    def advance(self, ms: int) -> None:
        self.timer.advance(ms)
        self.simulation.advance(ms)

    @rule(group=GROUPS, delay_s=st.sampled_from([0, 0, 0, 1, 20, 900]))
    def send(self, group: str, delay_s: int) -> None:
        self.sent += 1
        for queue in (self.work, self.twin):
            queue.send(f"body {self.sent}", delay_s, group, {"a": {"n": self.sent}})
        self.advance(TICK_MS)

    @rule(group=GROUPS, count=st.integers(20, 40))
    def send_many(self, group: str, count: int) -> None:
        for _ in range(count):
            self.send(group, 0)

    @rule(limit=st.integers(1, 50))
    def receive(self, limit: int) -> None:
        mine, other = self.work.receive(limit), self.twin.receive(limit)

        assert [told(one) for one in mine] == [told(one) for one in other]
        self.held += [(*pair, pair[1].received_at) for pair in zip(mine, other, strict=True)]
        self.advance(TICK_MS)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        place = data.draw(st.integers(0, len(self.held) - 1))
        mine, other, received_at = self.held.pop(place)
        self.work.delete([mine])
        self.twin.delete(other, received_at)
        self.advance(TICK_MS)

    @rule(seconds=st.integers(1, 60))
    def let_time_pass(self, seconds: int) -> None:
        self.advance(seconds * 1000)

    @invariant()
    def as_many_are_there(self) -> None:
        assert self.work.depth() == len(self.twin)
        assert self.queues["Dead"].depth() == len(self.twin_dead)
        assert self.work.has_ready == self.twin.has_ready


def told(message: Any) -> tuple[Any, ...]:
    return message.body, message.group, message.attributes, message.receives


@dataclass
class Sent:
    """What must be true of a message. `visible_at` is when it can be received."""

    group: str
    visible_at: float
    delayed: bool
    receives: int = 0
    held: FileMessage | None = None


@dataclass
class Expected:
    there: dict[str, Sent] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)

    def visible(self, now: float) -> set[str]:
        return {body for body, one in self.there.items() if one.visible_at <= now}


class WithRestarts(RuleBasedStateMachine):
    """Little is held in memory, and the program ends and begins again at any point."""

    loaded = 3

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(queues, "LOADED", self.loaded)
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "data.sqlite"
        self.file = DataFile(self.path)
        self.timer = DrivenTimer()
        self.expected = Expected()
        self.sent = 0
        self.begin()

    def teardown(self) -> None:
        try:
            self.everything_comes_in_the_end()
        finally:
            self.file.close()
            self.folder.cleanup()
            self.patch.undo()

    def begin(self) -> None:
        self.queues = FileQueues(DECLARED, self.file, self.timer, self.timer)
        self.work = self.queues["Work"]
        self.queues.start()

    @rule(group=GROUPS, delay_s=st.sampled_from([0, 0, 0, 1, 20, 900]))
    def send(self, group: str, delay_s: int) -> None:
        self.sent += 1
        body = f"{self.sent:06}"
        self.work.send(body, delay_s, group)
        due = self.timer.time_ms + delay_s * 1000
        self.expected.there[body] = Sent(group, due, delay_s > 0)

    @rule(group=GROUPS)
    def send_many(self, group: str) -> None:
        for _ in range(2 * self.loaded + 1):
            self.send(group, 0)

    @rule(limit=st.integers(1, 8))
    def receive(self, limit: int) -> None:
        self.received(limit)

    def received(self, limit: int) -> list[FileMessage]:
        visible = self.expected.visible(self.timer.time_ms)
        assert self.work.has_ready == bool(visible)

        messages = self.work.receive(limit)

        assert {message.body for message in messages} <= visible
        assert len({message.body for message in messages}) == len(messages) <= limit
        self.are_in_order(messages)
        self.take(messages)
        return messages

    def take(self, messages: list[FileMessage]) -> None:
        for message in messages:
            one = self.expected.there[message.body]
            one.receives += 1
            assert message.receives == one.receives <= RECEIVES
            one.held, one.visible_at = message, self.timer.time_ms + VISIBILITY_S * 1000
        for body in dead_letters(self.file) - self.expected.dead:
            assert self.expected.there.pop(body).receives == RECEIVES
            self.expected.dead.add(body)

    def are_in_order(self, messages: list[FileMessage]) -> None:
        """Those of a group that come for the first time, and were not delayed."""
        for group in {message.group for message in messages}:
            fresh = [one.body for one in messages if one.group == group and self.is_fresh(one.body)]
            waiting = sorted(
                body
                for body in self.expected.there
                if self.expected.there[body].group == group and self.is_fresh(body)
            )
            assert fresh == waiting[: len(fresh)]

    def is_fresh(self, body: str) -> bool:
        one = self.expected.there[body]
        return not (one.receives or one.held or one.delayed)

    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        held = sorted(body for body, one in self.expected.there.items() if one.held)
        if held:
            body = data.draw(st.sampled_from(held))
            one = self.expected.there[body]
            self.work.delete([message for message in [one.held] if message])
            if one.visible_at > self.timer.time_ms:
                del self.expected.there[body]

    @rule(seconds=st.integers(1, 60))
    def let_time_pass(self, seconds: int) -> None:
        self.timer.advance(seconds * 1000)

    @rule()
    def restart(self) -> None:
        """What was in flight is visible; how often a message was received is known from when it
        became visible again."""
        self.timer.forget()
        self.file.close()
        self.file = DataFile(self.path)
        self.begin()
        for one in self.expected.there.values():
            if one.held is not None and one.visible_at > self.timer.time_ms:
                one.visible_at, one.receives = self.timer.time_ms, one.receives - 1
            one.held = None

    @invariant()
    def memory_holds_few(self) -> None:
        in_flight = sum(one.held is not None for one in self.expected.there.values())
        for group in "abc":
            assert self.work._ready.count(group) <= self.loaded + in_flight + self.loaded

    def everything_comes_in_the_end(self) -> None:
        self.timer.advance(901_000)
        while self.expected.there:
            before = len(self.expected.there)
            self.work.delete(self.drop(self.received(10)))
            assert len(self.expected.there) < before
        assert not self.work.depth()
        assert not self.work.in_flight

    def drop(self, messages: list[FileMessage]) -> list[FileMessage]:
        for message in messages:
            del self.expected.there[message.body]
        return messages


def dead_letters(file: DataFile) -> set[str]:
    return {body for (body,) in file.execute("SELECT body FROM messages WHERE queue = 'Dead'")}


TestSameAsInTheFaultRuns = SameAsInTheFaultRuns.TestCase
TestSameAsInTheFaultRuns.settings = settings(max_examples=30, stateful_step_count=30)
TestWithRestarts = WithRestarts.TestCase
TestWithRestarts.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.fixture
def timer() -> DrivenTimer:
    return DrivenTimer()


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DataFile]:
    with closing(DataFile(tmp_path / "data.sqlite")) as file:
        yield file


@pytest.fixture
def work(file: DataFile, timer: DrivenTimer) -> FileQueue:
    return begun(file, timer)


def begun(file: DataFile, timer: DrivenTimer) -> FileQueue:
    found = FileQueues(DECLARED, file, timer, timer)
    found.start()
    return found["Work"]


def full(file: DataFile) -> None:
    """No page more than the file has."""
    ((pages,),) = file.execute("PRAGMA page_count")
    file.execute(f"PRAGMA max_page_count = {pages}")


def roomy(file: DataFile) -> None:
    file.execute("PRAGMA max_page_count = 1000000")


class TestABacklogOfOneGroup:
    def test_is_held_in_the_file(self, work: FileQueue, file: DataFile, timer: DrivenTimer) -> None:
        for number in range(3_000):
            work.send(str(number), group="a")

        assert work._ready.count("a") == LOADED
        assert begun(file, timer)._ready.count("a") == LOADED

    def test_is_received_in_its_order(self, work: FileQueue) -> None:
        for number in range(3_000):
            work.send(str(number), group="a")

        received = list[str]()
        while work.has_ready:
            messages = work.receive(10)
            work.delete(messages)
            received += [message.body for message in messages]

        assert received == [str(number) for number in range(3_000)]

    def test_lets_another_group_through(self, work: FileQueue) -> None:
        for number in range(1_000):
            work.send(str(number), group="a")
        for _ in range(5):
            work.receive(10)

        work.send("quick", group="b")

        assert [message.body for message in work.receive(1)] == ["quick"]


class TestWhatMemoryHolds:
    def test_is_nothing_of_a_message_that_is_done(
        self, work: FileQueue, timer: DrivenTimer
    ) -> None:
        for number in range(1_000):
            work.send(str(number))
            work.delete(work.receive(1))

        assert work.in_flight == 0
        assert len(timer) <= 1

    def test_is_no_more_calls_that_are_due_than_delays_that_came_in_between(
        self, work: FileQueue, timer: DrivenTimer
    ) -> None:
        for _ in range(200):
            work.send("late", 800)
            work.send("soon", 1)
            timer.advance(1_500)

        assert len(timer) <= 3


class TestAFullDisk:
    def test_takes_no_message_and_offers_none(self, work: FileQueue, file: DataFile) -> None:
        full(file)

        with pytest.raises(sqlite3.OperationalError, match="full"):
            work.send("x" * 100_000)

        assert not work.has_ready
        assert not work.depth()
        roomy(file)
        work.send("y")
        assert [message.body for message in work.receive(10)] == ["y"]

    def test_keeps_what_cannot_become_a_dead_letter(
        self, work: FileQueue, file: DataFile, timer: DrivenTimer
    ) -> None:
        work.send("x" * 100_000)
        for _ in range(RECEIVES):
            work.receive(1)
            timer.advance(VISIBILITY_S * 1000)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(work.redrive.to if work.redrive else None, "send", no_room)
            with pytest.raises(sqlite3.OperationalError):
                work.receive(1)

        assert work.depth() == 1
        assert work.receive(1) == []
        assert work.depth() == 0
        assert len(dead_letters(file)) == 1

    def test_delays_what_is_due_until_there_is_room(
        self, work: FileQueue, file: DataFile, timer: DrivenTimer
    ) -> None:
        work.send("x", delay_s=10)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file, "insert", no_room)
            with pytest.raises(sqlite3.OperationalError):
                timer.advance(10_000)
        assert not work.has_ready
        timer.advance(1_000)

        assert [message.body for message in work.receive(1)] == ["x"]


def no_room(*_: Any, **__: Any) -> Any:
    raise sqlite3.OperationalError("database or disk is full")


def test_a_message_of_a_transaction_that_is_rolled_back_is_not_offered(
    work: FileQueue, file: DataFile
) -> None:
    with suppress(ZeroDivisionError), file.transaction():
        work.send("x")
        raise ZeroDivisionError

    assert not work.has_ready
    assert not work.depth()


def test_a_message_that_is_visible_again_is_not_deleted_by_who_had_it_before(
    work: FileQueue, timer: DrivenTimer
) -> None:
    work.send("x")
    first = work.receive(1)
    timer.advance(VISIBILITY_S * 1000)
    second = work.receive(1)

    work.delete(first)
    assert work.depth() == 1
    work.delete(second)
    assert work.depth() == 0
