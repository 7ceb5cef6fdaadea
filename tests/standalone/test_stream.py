"""The stream of a table hands each new item to a function, in the order of its lane, until the
function is done with it."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from shared.standalone import stream as stream_module
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.sqlite import SqliteTable
from shared.standalone.engine.template import Json
from shared.standalone.stream import AGAIN_MS, StreamMapping
from tests.standalone.timers import DrivenTimer

TABLE = "Events"
KEYS = [
    {"AttributeName": "pk", "KeyType": "HASH"},
    {"AttributeName": "sk", "KeyType": "RANGE"},
]
RETRIES = 3
SOURCE = {"BatchSize": 4, "MaximumRetryAttempts": RETRIES, "ParallelizationFactor": 2}
PATTERNS = [{"dynamodb": {"NewImage": {"kind": {"S": ["event"]}}}}]


class Later(Executor):
    """Does what it is asked for when the test says so."""

    def __init__(self) -> None:
        self.asked: list[Callable[[], Any]] = []

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        self.asked.append(lambda: work(*args, **kwargs))
        return Future[Any]()

    def run(self) -> None:
        while self.asked:
            self.asked.pop(0)()


class ProgramWithAStream:
    """A table, its stream, and a function that fails for the items in `poison`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.timer = DrivenTimer()
        self.batches: list[list[str]] = []
        self.dead: list[str] = []
        self.poison = set[str]()
        self.partial = False
        self.start()

    def start(self) -> None:
        self.file = DataFile(self.path)
        self.executor = Later()
        self.table = SqliteTable(self.file, TABLE, {"KeySchema": KEYS})
        self.mapping = StreamMapping(
            self.table,
            SOURCE,
            PATTERNS,
            self.file,
            self.timer,
            self.executor,
            self.invoke,
            lambda record: self.dead.append(name_of(record)),
        )
        tables = {TABLE: self.table}
        self.database = Database(tables, self.timer, self.mapping.changed)
        self.mapping.start()

    def close(self) -> None:
        self.timer.forget()
        self.file.close()

    def restart(self) -> None:
        self.close()
        self.start()

    def put(self, name: str, pk: str = "a", kind: str = "event") -> None:
        item = {"pk": {"S": pk}, "sk": {"S": name}, "kind": {"S": kind}}
        with self.file.transaction():
            self.database.put_item(TableName=TABLE, Item=item)

    def delete(self, name: str, pk: str = "a") -> None:
        with self.file.transaction():
            self.database.delete_item(TableName=TABLE, Key={"pk": {"S": pk}, "sk": {"S": name}})

    def run(self) -> None:
        """Until nothing is left to do."""
        while self.executor.asked or len(self.timer):
            self.executor.run()
            self.timer.advance(AGAIN_MS)

    def invoke(self, event: Json) -> Any:
        names = [name_of(record) for record in event["Records"]]
        self.batches.append(names)
        bad = [number for number, name in enumerate(names) if name in self.poison]
        if bad and self.partial:
            number = event["Records"][bad[0]]["dynamodb"]["SequenceNumber"]
            return {"batchItemFailures": [{"itemIdentifier": number}]}
        if bad:
            raise ValueError(names[bad[0]])
        return None

    @property
    def seen(self) -> list[str]:
        return [name for batch in self.batches for name in batch]


def name_of(record: Json) -> str:
    name: str = record["dynamodb"]["NewImage"]["sk"]["S"]
    assert record["dynamodb"]["Keys"]["sk"] == {"S": name}
    return name


@pytest.fixture
def program(tmp_path: Path) -> Iterator[ProgramWithAStream]:
    with closing(ProgramWithAStream(tmp_path / "data.sqlite")) as running:
        yield running


def test_records_of_a_lane_come_in_their_order_and_once(program: ProgramWithAStream) -> None:
    names = [f"{number:03}" for number in range(30)]
    for name in names:
        program.put(name)
    program.run()

    assert program.seen == names
    assert program.mapping.waiting() == 0
    assert max(map(len, program.batches)) == SOURCE["BatchSize"]


def test_only_one_batch_of_a_lane_is_under_way(program: ProgramWithAStream) -> None:
    for number in range(20):
        program.put(str(number))

    assert len(program.executor.asked) == 1


def test_lanes_do_not_wait_for_each_other(program: ProgramWithAStream) -> None:
    for pk in "abcdefgh":
        program.put("x", pk)

    assert len(program.executor.asked) == SOURCE["ParallelizationFactor"]


def test_what_the_filter_does_not_match_and_what_is_no_new_item_is_no_record(
    program: ProgramWithAStream,
) -> None:
    program.put("other", kind="note")
    program.put("x")
    program.run()
    program.put("x", kind="event")
    program.delete("x")
    program.run()

    assert program.seen == ["x"]
    assert program.mapping.waiting() == 0


def test_a_write_that_is_rolled_back_leaves_no_record(program: ProgramWithAStream) -> None:
    with suppress(ZeroDivisionError), program.file.transaction():
        program.put("x")
        raise ZeroDivisionError
    program.run()

    assert program.seen == []
    assert program.mapping.waiting() == 0


class TestABatchThatFails:
    def test_is_halved_until_one_record_is_alone_and_that_becomes_a_dead_letter(
        self, program: ProgramWithAStream
    ) -> None:
        program.poison = {"3"}
        program.put("0")
        for name in "1234":
            program.put(name)
        program.run()

        assert program.batches[:4] == [["0"], ["1", "2", "3", "4"], ["1", "2"], ["3", "4"]]
        assert program.batches[4:-1] == [["3"]] * (1 + RETRIES)
        assert program.batches[-1] == ["4"]
        assert program.dead == ["3"]
        assert program.mapping.waiting() == 0

    def test_goes_on_behind_the_records_that_it_says_are_done(
        self, program: ProgramWithAStream
    ) -> None:
        program.poison, program.partial = {"3"}, True
        for name in "01234":
            program.put(name)
        program.run()

        assert program.batches[1] == ["1", "2", "3", "4"]
        assert program.seen.count("1") == program.seen.count("2") == 1
        assert program.dead == ["3"]
        assert program.seen[-1] == "4"

    def test_keeps_the_order_of_what_follows(self, program: ProgramWithAStream) -> None:
        program.poison = {"00"}
        for number in range(20):
            program.put(f"{number:02}")
        program.run()

        done = [name for name in program.seen if name not in program.poison]
        assert list(dict.fromkeys(done)) == sorted(set(done))

    def test_is_tried_again_a_second_later(self, program: ProgramWithAStream) -> None:
        program.poison = {"x"}
        program.put("x")
        program.executor.run()

        program.timer.advance(AGAIN_MS - 1)
        assert not program.executor.asked
        program.timer.advance(1)
        assert program.executor.asked


class TestAfterARestart:
    def test_the_records_that_are_not_done_come_again(self, program: ProgramWithAStream) -> None:
        for name in "01234567":
            program.put(name)
        program.executor.asked.pop(0)()
        program.restart()
        program.run()

        assert program.batches[0] == ["0"]
        assert program.seen == list("01234567")

    def test_a_batch_that_was_under_way_comes_again(self, program: ProgramWithAStream) -> None:
        program.put("x")
        program.restart()
        program.run()

        assert program.seen == ["x"]

    def test_a_record_whose_item_is_gone_is_dropped(self, program: ProgramWithAStream) -> None:
        program.put("gone")
        program.put("there")
        program.delete("gone")
        program.restart()
        program.run()

        assert program.seen == ["there"]
        assert program.mapping.waiting() == 0


class TestMoreRecordsThanMemoryHolds:
    @pytest.fixture(autouse=True)
    def _few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stream_module, "LOADED", 10)

    def test_come_from_the_file_in_their_order(self, program: ProgramWithAStream) -> None:
        names = [f"{number:03}" for number in range(100)]
        for name in names[:60]:
            program.put(name)
        program.executor.asked.pop(0)()
        for name in names[60:]:
            program.put(name)
        assert sum(lane.length for lane in program.mapping._lanes) <= 10
        program.run()

        assert program.seen == names
        assert program.mapping.waiting() == 0

    def test_come_from_the_file_after_a_restart(self, program: ProgramWithAStream) -> None:
        names = [f"{number:03}" for number in range(100)]
        for name in names:
            program.put(name)
        program.restart()
        assert sum(lane.length for lane in program.mapping._lanes) <= 10
        program.run()

        assert program.seen == names

    def test_do_not_stop_a_lane_though_the_items_of_many_are_gone(
        self, program: ProgramWithAStream
    ) -> None:
        names = [f"{number:03}" for number in range(60)]
        for name in names:
            program.put(name)
        for name in names[:50]:
            program.delete(name)
        program.restart()
        program.run()

        assert program.seen == names[50:]


class TestAFullDisk:
    def test_keeps_the_records_of_a_batch_that_is_done(
        self, program: ProgramWithAStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in "01234":
            program.put(name)
        with monkeypatch.context() as patch:
            patch.setattr(program.mapping, "_forget", no_room)
            program.executor.run()
        assert program.mapping.waiting() == 5
        program.run()

        assert program.seen == list("001234")
        assert program.mapping.waiting() == 0

    def test_keeps_a_record_that_cannot_become_a_dead_letter(
        self, program: ProgramWithAStream, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program.poison = {"x"}
        program.put("x")
        with monkeypatch.context() as patch:
            patch.setattr(program.mapping, "_dead_letter", no_room)
            for _ in range(RETRIES + 3):
                program.executor.run()
                program.timer.advance(AGAIN_MS)
        assert program.mapping.waiting() == 1
        program.run()

        assert program.dead == ["x"]
        assert program.mapping.waiting() == 0


def no_room(*_: Any) -> None:
    raise sqlite3.OperationalError("database or disk is full")


def test_no_batch_begins_once_the_mapping_is_stopped(program: ProgramWithAStream) -> None:
    program.put("0")
    program.put("1")
    program.mapping.stop()
    program.run()

    assert program.seen == ["0"]
    assert not program.mapping.is_busy
    assert program.mapping.waiting() == 1
