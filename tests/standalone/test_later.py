"""Changes that are made together with a later transaction, and batches under load."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from shared.standalone.engine.file import DATA_FILE, DataFile
from shared.standalone.engine.template import Json
from shared.standalone.functions import StandaloneFunction
from shared.standalone.queues import FileQueues
from shared.standalone.sources import FileQueueMapping
from shared.standalone.timer import ThreadTimer


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DataFile]:
    file = DataFile(tmp_path / DATA_FILE)
    file.execute("CREATE TABLE seen (number INTEGER)")
    yield file
    file.close()


def numbers(file: DataFile) -> list[int]:
    return [number for (number,) in file.execute("SELECT number FROM seen ORDER BY number")]


def add(file: DataFile, number: int) -> None:
    with file.transaction():
        file.insert("INSERT INTO seen VALUES (?)", (number,))


def add_later(file: DataFile, number: int) -> None:
    with file.transaction():
        file.execute_later("INSERT INTO seen VALUES (?)", (number,))


class TestAChangeThatIsLeftForLater:
    def test_is_made_with_the_next_transaction(self, file: DataFile) -> None:
        add_later(file, 1)
        assert numbers(file) == []

        add(file, 2)

        assert numbers(file) == [1, 2]

    def test_is_made_when_the_file_catches_up_and_once_only(self, file: DataFile) -> None:
        add_later(file, 1)

        file.catch_up()
        file.catch_up()

        assert numbers(file) == [1]

    def test_is_made_before_the_file_is_closed(self, tmp_path: Path) -> None:
        file = DataFile(tmp_path / "closed.sqlite")
        file.execute("CREATE TABLE seen (number INTEGER)")
        add_later(file, 1)

        file.close()

        again = DataFile(tmp_path / "closed.sqlite")
        assert numbers(again) == [1]
        again.close()

    def test_is_dropped_with_the_transaction_that_asked_for_it(self, file: DataFile) -> None:
        def change() -> None:
            with file.transaction():
                file.execute_later("INSERT INTO seen VALUES (?)", (1,))
                raise KeyError

        with pytest.raises(KeyError):
            change()
        add(file, 2)

        assert numbers(file) == [2]

    def test_is_made_later_still_if_that_transaction_fails(self, file: DataFile) -> None:
        add_later(file, 1)

        def change() -> None:
            with file.transaction():
                file.insert("INSERT INTO seen VALUES (?)", (2,))
                file.execute("INSERT INTO nothing VALUES (?)", (3,))

        with pytest.raises(sqlite3.OperationalError):
            change()
        add(file, 4)

        assert numbers(file) == [1, 4]


class LateThreads:
    """Runs what was submitted when it is told to, as a busy machine does."""

    def __init__(self) -> None:
        self._work: list[Callable[[], Any]] = []

    def submit(self, work: Callable[[], Any]) -> "Future[Any]":
        self._work.append(work)
        return Future()

    def run(self) -> None:
        while self._work:
            self._work.pop(0)()


class TestMessagesThatComeWhileNoThreadIsFree:
    def test_are_one_batch(self, file: DataFile, monkeypatch: pytest.MonkeyPatch) -> None:
        batches = list[int]()
        threads, queue = LateThreads(), self._queue(file)
        function: Any = StandaloneFunction.__new__(StandaloneFunction)
        monkeypatch.setattr(function, "invoke", lambda event: batches.append(len(event["Records"])))
        mapping = FileQueueMapping(queue, function, 10, None, threads)  # type: ignore[arg-type]
        mapping.start()

        for _ in range(23):
            queue.send("{}")
        threads.run()

        assert batches == [10, 10, 3]
        assert (queue.depth(), mapping.under_way) == (0, 0)

    def _queue(self, file: DataFile) -> Any:
        declared: dict[str, Json] = {"Some": {}}
        return FileQueues(declared, file, lambda: 0, ThreadTimer())["Some"]
