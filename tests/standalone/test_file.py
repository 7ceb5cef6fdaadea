"""What was waited for is in the data file, whatever ends the program; the file is whole, and stays
small."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import pytest
from click.testing import CliRunner

from shared.standalone.__main__ import main
from shared.standalone.backup import backup
from shared.standalone.engine import file as file_module
from shared.standalone.engine.file import (
    CHECKPOINT_BYTES,
    DATA_FILE,
    FORMAT,
    DataFile,
    DataFileError,
    DataFileInUseError,
    ForeignFileError,
)
from tests.standalone.writer import make_tables, numbers, write

ROUNDS = 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / DATA_FILE


@pytest.fixture
def file(path: Path) -> Iterator[DataFile]:
    with closing(DataFile(path)) as file:
        make_tables(file)
        yield file


class Writer:
    def __init__(self, process: "subprocess.Popen[str]", output: IO[str]) -> None:
        self._process = process
        self._output = output

    def read(self, count: int) -> list[int]:
        """The next numbers that are on disk."""
        return [int(self._output.readline()) for _ in range(count)]

    def kill(self) -> list[int]:
        """Those that it told of and nobody has read."""
        self._process.kill()
        self._process.wait()
        return list(map(int, self._output))


@contextmanager
def writer(path: Path) -> Iterator[Writer]:
    """A program that writes into the file, and is killed at the end of the block at the latest."""
    words = [sys.executable, "-m", "tests.standalone.writer", str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        running = Writer(process, process.stdout)
        try:
            yield running
        finally:
            running.kill()


class TestAProgramThatIsKilled:
    def test_has_written_all_that_it_waited_for(self, path: Path) -> None:
        acknowledged = set[int]()
        for round_number in range(ROUNDS):
            with writer(path) as running:
                acknowledged |= {*running.read(5 + round_number), *running.kill()}

            with closing(DataFile(path)) as file:
                found = numbers(file)
            assert acknowledged <= set(found)
            assert found == list(range(1, len(found) + 1))


class Sync(NamedTuple):
    """What the disk certainly has: the file after a checkpoint, and the log up to a length."""

    log_bytes: int
    waited_for: int


class TestAPowerCut:
    """Nothing that was not synced is there any more: the log ends where it was last synced."""

    @pytest.mark.parametrize("torn_bytes", [0, 1, 4_000, 20_000])
    def test_leaves_what_was_waited_for_and_the_history_up_to_some_moment(
        self, file: DataFile, path: Path, tmp_path: Path, torn_bytes: int
    ) -> None:
        for number in range(1, 40):
            write(file, number)
            if number % 7 == 0:
                file.wait_until_durable()
                synced = Sync(file.sizes()["log"], number)

        found = self.after_power_cut(path, tmp_path / "cut", synced.log_bytes + torn_bytes)

        assert found == list(range(1, len(found) + 1))
        assert synced.waited_for <= len(found)
        assert torn_bytes or len(found) == synced.waited_for

    def test_after_a_checkpoint_leaves_what_was_waited_for(
        self, file: DataFile, path: Path, tmp_path: Path
    ) -> None:
        for number in range(1, 3_000):
            write(file, number)
            file.checkpoint()
            if not file.sizes()["log"]:
                break
        write(file, number + 1)
        file.wait_until_durable()
        synced = file.sizes()["log"]
        write(file, number + 2)

        found = self.after_power_cut(path, tmp_path / "cut", synced)

        assert found == list(range(1, number + 2))

    def test_takes_no_commit_for_synced_that_came_while_the_disk_was_at_work(
        self, file: DataFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.fsync

        def fsync_and_write(descriptor: int) -> None:
            real(descriptor)
            write(file, 2)

        write(file, 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync_and_write)
            file.wait_until_durable()
        syncs = file.syncs
        file.wait_until_durable()

        assert file.syncs == syncs + 1

    @staticmethod
    def after_power_cut(path: Path, to: Path, log_bytes: int) -> list[int]:
        to.mkdir()
        # By another process: to close a file here would give up SQLite's locks on it.
        subprocess.run(["cp", path, f"{path}-wal", to], check=True)
        os.truncate(to / f"{path.name}-wal", log_bytes)
        with closing(DataFile(to / path.name)) as file:
            return numbers(file)


class TestASyncThatFails:
    def test_is_told_to_all_who_wait_from_then_on(
        self, file: DataFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(file, 1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", refuse)
            with pytest.raises(DataFileError, match="could not be written to disk"):
                file.wait_until_durable()

        with pytest.raises(DataFileError, match="restart"):
            file.wait_until_durable()

    def test_is_none_where_nothing_has_changed(
        self, file: DataFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file.wait_until_durable()
        monkeypatch.setattr(os, "fsync", refuse)

        with file.transaction():
            file.execute("SELECT 1")
        file.wait_until_durable()


def refuse(_: int) -> None:
    raise OSError(5, "Input/output error")


class TestAFullDisk:
    def test_fails_the_whole_transaction_and_is_over_when_there_is_room(
        self, file: DataFile
    ) -> None:
        called = list[int]()
        ((pages,),) = file.execute("PRAGMA page_count")
        file.execute(f"PRAGMA max_page_count = {pages + 20}")
        with pytest.raises(sqlite3.OperationalError, match="disk is full"):
            self.write_on(file, called)

        assert numbers(file) == called == list(range(1, len(called) + 1))
        file.execute("PRAGMA max_page_count = 1000000")
        self.write_one(file, called)
        file.wait_until_durable()
        assert numbers(file) == called == list(range(1, len(called) + 1))

    @staticmethod
    def write_one(file: DataFile, called: list[int]) -> None:
        number = len(called) + 1
        with file.transaction():
            file.after_commit(lambda: called.append(number))
            write(file, number)

    def write_on(self, file: DataFile, called: list[int]) -> None:
        while True:
            self.write_one(file, called)
            file.wait_until_durable()

    def test_of_a_small_size_loses_nothing(self, small_disk: Path) -> None:
        acknowledged = list[int]()
        with closing(DataFile(small_disk / DATA_FILE)) as file:
            make_tables(file)
            with pytest.raises(sqlite3.OperationalError, match=r"disk is full|disk I/O error"):
                self.write_on(file, acknowledged)
            assert numbers(file) == acknowledged

            (small_disk / "ballast").unlink()
            self.write_one(file, acknowledged)
            file.wait_until_durable()

        with closing(DataFile(small_disk / DATA_FILE)) as file:
            assert numbers(file) == acknowledged

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        disk = tmp_path / "disk"
        disk.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
            check=False,
            capture_output=True,
        )
        if made.returncode:
            pytest.skip("only root may make a small disk")
        try:
            (disk / "ballast").write_bytes(b"x" * 500_000)
            yield disk
        finally:
            subprocess.run(["umount", str(disk)], check=True)


class TestATransaction:
    def test_that_fails_changes_nothing_and_calls_nothing(self, file: DataFile) -> None:
        called = list[int]()

        with suppress(ZeroDivisionError), file.transaction():
            file.after_commit(lambda: called.append(1))
            write(file, 1)
            raise ZeroDivisionError

        assert numbers(file) == called == []
        write(file, 2)
        assert not called

    def test_stands_whatever_is_called_after_it(self, file: DataFile) -> None:
        called = list[int]()

        with file.transaction():
            write(file, 1)
            file.after_commit(lambda: called.append(1 // 0))
            file.after_commit(lambda: called.append(2))

        assert numbers(file) == [1]
        assert called == [2]


class TestAChangeThatIsLeftForLater:
    def test_is_made_with_the_next_change_or_when_asked_for(self, file: DataFile) -> None:
        for number in (1, 2):
            write(file, number)
        self.forget(file, 1)
        assert numbers(file) == [1, 2]

        write(file, 3)
        assert numbers(file) == [2, 3]
        self.forget(file, 2)
        file.catch_up()
        assert numbers(file) == [3]

    def test_is_made_once(self, file: DataFile) -> None:
        write(file, 1)
        with file.transaction():
            file.execute_later("UPDATE numbers SET content = content || ?", ("y",))

        file.catch_up()
        write(file, 2)

        rows = file.execute("SELECT length(content) FROM numbers ORDER BY number")
        assert rows == [(1_001,), (1_000,)]

    def test_is_none_if_its_transaction_fails(self, file: DataFile) -> None:
        write(file, 1)

        with suppress(ZeroDivisionError), file.transaction():
            self.forget(file, 1)
            raise ZeroDivisionError
        file.catch_up()

        assert numbers(file) == [1]

    def test_outlives_the_failure_of_the_next_transaction(self, file: DataFile) -> None:
        write(file, 1)
        self.forget(file, 1)

        with suppress(ZeroDivisionError), file.transaction():
            write(file, 2)
            raise ZeroDivisionError
        assert numbers(file) == [1]
        write(file, 3)

        assert numbers(file) == [3]

    def test_is_made_when_the_file_is_closed(self, path: Path) -> None:
        with closing(DataFile(path)) as file:
            make_tables(file)
            write(file, 1)
            self.forget(file, 1)

        with closing(DataFile(path)) as file:
            assert numbers(file) == []

    def test_does_not_keep_the_file_from_being_closed_when_the_disk_is_full(
        self, path: Path
    ) -> None:
        with closing(DataFile(path)) as file:
            make_tables(file)
            write(file, 1)
            ((pages,),) = file.execute("PRAGMA page_count")
            file.execute(f"PRAGMA max_page_count = {pages}")
            with file.transaction():
                content = b"x" * 100_000
                file.execute_later("UPDATE numbers SET content = ?", (content,))

        with closing(DataFile(path)) as file:
            assert numbers(file) == [1]

    @staticmethod
    def forget(file: DataFile, number: int) -> None:
        with file.transaction():
            for table in ("numbers", "twins"):
                file.execute_later(f"DELETE FROM {table} WHERE number = ?", (number,))  # noqa: S608


class TestAFileThatCannotBeUsed:
    def test_is_one_that_another_program_uses(self, path: Path) -> None:
        with writer(path) as running:
            running.read(1)
            with pytest.raises(DataFileInUseError, match="is in use by another program"):
                DataFile(path)

    def test_is_told_to_the_operator_in_one_line(self, file: DataFile, tmp_path: Path) -> None:
        result = CliRunner().invoke(main, ["--data", str(tmp_path), "--state", str(tmp_path)])

        assert result.exit_code == 1
        assert result.output == f"Error: {file.path} is in use by another program.\n"

    def test_is_no_database(self, path: Path) -> None:
        path.write_bytes(b"Dear diary, " * 1_000)

        with pytest.raises(ForeignFileError, match="is not a data file of Funnelhooks"):
            DataFile(path)
        assert path.read_bytes() == b"Dear diary, " * 1_000

    def test_is_the_database_of_another_program(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE bookmarks (url TEXT)")
        before = path.read_bytes()

        with pytest.raises(ForeignFileError, match="another program"):
            DataFile(path)
        assert path.read_bytes() == before

    def test_is_one_of_a_later_version(self, path: Path) -> None:
        DataFile(path).close()
        with closing(sqlite3.connect(path)) as later:
            later.execute(f"PRAGMA user_version = {FORMAT + 1}")

        with pytest.raises(ForeignFileError, match="later version"):
            DataFile(path)

    def test_can_be_used_once_the_other_program_has_ended(self, path: Path) -> None:
        with suppress(ForeignFileError):
            path.write_bytes(b"Dear diary, " * 1_000)
            DataFile(path)
        path.unlink()

        DataFile(path).close()
        DataFile(path).close()


class TestABackup:
    def test_is_the_file_at_one_moment_while_another_process_writes_to_it(
        self, path: Path, tmp_path: Path
    ) -> None:
        with writer(path) as running:
            last = 0
            for number in range(3):
                last = max(last, *running.read(200))
                to = tmp_path / f"copy-{number}"
                assert backup(path.parent, to) == to.stat().st_size
                with closing(DataFile(to)) as copy:
                    found = numbers(copy)
                assert found == list(range(1, len(found) + 1))
                assert len(found) >= last - 4  # each thread may be about to tell of one

    def test_ends_under_constant_writes_of_this_process(
        self, file: DataFile, path: Path, tmp_path: Path
    ) -> None:
        numbers_to_write = iter(range(1, 50_000))
        for number in islice(numbers_to_write, 500):
            write(file, number)
        stopped = threading.Event()

        def keep_writing() -> None:
            for number in numbers_to_write:
                if stopped.is_set():
                    break
                write(file, number)

        thread = threading.Thread(target=keep_writing)
        thread.start()
        try:
            backup(path.parent, tmp_path / "copy")
        finally:
            is_still_writing = thread.is_alive()
            stopped.set()
            thread.join()

        assert is_still_writing
        with closing(DataFile(tmp_path / "copy")) as copy:
            found = numbers(copy)
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= 500

    def test_of_a_program_that_has_ended_leaves_its_file_alone(
        self, path: Path, tmp_path: Path
    ) -> None:
        with closing(DataFile(path)) as file:
            make_tables(file)
            write(file, 1)
        before = path.read_bytes()

        backup(path.parent, tmp_path / "copy")

        with closing(DataFile(tmp_path / "copy")) as copy:
            assert numbers(copy) == [1]
        assert path.read_bytes() == before
        DataFile(path).close()

    def test_of_a_program_that_was_killed_has_what_is_in_its_log(
        self, path: Path, tmp_path: Path
    ) -> None:
        with writer(path) as running:
            acknowledged = [*running.read(20), *running.kill()]

        backup(path.parent, tmp_path / "copy")

        with closing(DataFile(tmp_path / "copy")) as copy:
            assert set(acknowledged) <= set(numbers(copy))

    def test_replaces_nothing(self, file: DataFile, path: Path, tmp_path: Path) -> None:
        (tmp_path / "copy").write_bytes(b"precious")

        with pytest.raises(FileExistsError):
            backup(path.parent, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"precious"

    def test_that_fails_leaves_no_half_copy(
        self, file: DataFile, path: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(FileNotFoundError):
            backup(path.parent, tmp_path / "no" / "such" / "folder")
        with pytest.raises(FileNotFoundError, match="name the data folder"):
            backup(tmp_path / "elsewhere", tmp_path / "copy")

        assert not (tmp_path / "copy").exists()


class TestTheLog:
    def test_is_cut_under_constant_writes_with_readers(
        self, file: DataFile, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit = 256 * 1024
        monkeypatch.setattr(file_module, "CHECKPOINT_BYTES", limit)
        longest = 0
        for number in range(1, 2_000):
            write(file, number)
            if number % 10 == 0:
                with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
                    reader.execute("SELECT count(*) FROM numbers").fetchall()
                file.checkpoint()
            longest = max(longest, file.sizes()["log"])

        assert longest < 3 * limit

    def test_waits_for_a_long_reader_and_stops_no_writer(
        self, file: DataFile, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_module, "CHECKPOINT_BYTES", 1)
        write(file, 1)
        reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        with closing(reader):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM numbers").fetchall()
            write(file, 2)
            file.checkpoint()
            write(file, 3)
            assert file.sizes()["log"] > 0
            assert reader.execute("SELECT count(*) FROM numbers").fetchall() == [(1,)]

        file.checkpoint()
        assert file.sizes()["log"] == 0
        assert numbers(file) == [1, 2, 3]

    def test_is_let_alone_while_it_is_short(self, file: DataFile) -> None:
        write(file, 1)
        file.checkpoint()

        assert 0 < file.sizes()["log"] < CHECKPOINT_BYTES

    def test_is_gone_when_the_file_is_closed(self, path: Path) -> None:
        with closing(DataFile(path)) as file:
            make_tables(file)
            write(file, 1)

        left = {found.name: found.stat().st_size for found in path.parent.iterdir()}
        assert left.pop(f"{DATA_FILE}.lock") == 0
        assert left.keys() == {DATA_FILE}


def test_a_copy_of_the_one_file_is_all_that_is_needed(path: Path, tmp_path: Path) -> None:
    with closing(DataFile(path)) as file:
        make_tables(file)
        write(file, 1)

    shutil.copy(path, tmp_path / "moved")

    with closing(DataFile(tmp_path / "moved")) as file:
        assert numbers(file) == [1]
