"""The one file that holds everything: an SQLite database in WAL mode, written by one program.

A change is committed at once and on disk a little later. `wait_until_durable` waits for the disk,
and all who wait at the same time share one sync. Commits reach the disk in their order, so after a
power cut the file is as it was at some moment, and nothing that was waited for is missing.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Condition, RLock
from types import TracebackType
from typing import Any

# Without syncs of SQLite's own at each commit; a checkpoint still syncs before and after.
_SETTINGS = (
    "page_size = 8192",  # an item of 2 KB stays in one page
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "wal_autocheckpoint = 0",
    "cache_size = -16384",
)
DATA_FILE = "funnelhooks.sqlite"
_CACHED_STATEMENTS = 512
CHECKPOINT_BYTES = 8 * 1024 * 1024
LONG_LOG_BYTES = 64 * 1024 * 1024


class DataFileInUseError(Exception):
    """Another program has the file open."""


class DataFile:
    """For all threads of the program: one transaction at a time."""

    def __init__(self, path: Path) -> None:
        """Raises DataFileInUseError, and sqlite3.DatabaseError if the file is none of ours."""
        self.path = path
        self._lock_file = _locked(path)
        self._database = sqlite3.connect(
            path,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        )
        for setting in _SETTINGS:
            self._database.execute(f"PRAGMA {setting}")
        self._checkpoints = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._wal = os.open(f"{path}-wal", os.O_RDWR | os.O_CREAT)
        # Held by whoever works with the file, and by what memory keeps beside it.
        self.lock = RLock()
        self._depth = 0
        self._transaction = _Transaction(self)
        self._after_commit: list[Callable[[], None]] = []
        self._later: list[tuple[str, Sequence[Any]]] = []
        self._synced = Condition()
        self._is_syncing = False
        self._commits = 0
        self._durable = 0
        self.syncs = 0

    def transaction(self) -> AbstractContextManager[None]:
        """All changes of the block or none. A transaction within another one is a part of it.

        It begins with its first change: what only reads needs none, for nobody else writes.
        """
        return self._transaction

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows. A change belongs into a transaction."""
        with self.lock:
            if self._depth and not sql.startswith("SELECT"):
                self._begin()
            return self._database.execute(sql, values).fetchall()

    def insert(self, sql: str, values: Sequence[Any]) -> int:
        """The number of the row."""
        with self.lock:
            self._begin()
            return self._database.execute(sql, values).lastrowid or 0

    def execute_later(self, sql: str, values: Sequence[Any]) -> None:
        """Make a change together with a later transaction, a second later at most, if the open
        transaction is committed. Until then a program that dies has not made it."""
        self.after_commit(lambda: self._later.append((sql, values)))

    def catch_up(self) -> None:
        """Make the changes that were left for later."""
        with self.transaction():
            if self._later:
                self._begin()

    def after_commit(self, work: Callable[[], None]) -> None:
        """Call `work` when the open transaction is committed, before the next one begins."""
        self._after_commit.append(work)

    def wait_until_durable(self) -> None:
        """Return when everything that is committed now is on disk."""
        wanted = self._commits
        with self._synced:
            while self._durable < wanted:
                if self._is_syncing:
                    self._synced.wait()
                else:
                    self._sync()

    def sizes(self) -> dict[str, int]:
        """Bytes of the file, and of the log of what is not yet in it."""
        return {"data": self.path.stat().st_size, "log": os.fstat(self._wal).st_size}

    def checkpoint(self) -> None:
        """Move what is committed from the log into the file, once there is enough of it."""
        self.catch_up()
        size = os.fstat(self._wal).st_size
        if size < CHECKPOINT_BYTES:
            return
        # A passive one works beside the writers, and may leave something; a long log is cut.
        if size < LONG_LOG_BYTES:
            self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)")
            return
        with self.lock:
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        with self.lock:
            self.catch_up()
            self._checkpoints.close()
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.close()
            os.close(self._wal)
            os.close(self._lock_file)

    def enter(self) -> None:
        self.lock.acquire()
        self._depth += 1

    def leave(self, has_failed: bool) -> None:
        """Raises sqlite3.Error if the transaction cannot be committed."""
        try:
            self._depth -= 1
            if not self._depth:
                self._end(has_failed)
        finally:
            self.lock.release()

    def _begin(self) -> None:
        if self._depth and not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")

    def _end(self, has_failed: bool) -> None:
        try:
            if self._database.in_transaction and not has_failed:
                for sql, values in self._later:
                    self._database.execute(sql, values)
                self._database.execute("COMMIT")
                self._later.clear()
                self._commits += 1
        finally:
            if has_failed or self._database.in_transaction:
                self._after_commit.clear()
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
        self._call_after_commit()

    def _call_after_commit(self) -> None:
        while self._after_commit:
            work, self._after_commit = self._after_commit, []
            for call in work:
                call()

    def _sync(self) -> None:
        """Called with `_synced` held, which is given up while the disk is at work."""
        self._is_syncing = True
        commits = self._commits
        self._synced.release()
        try:
            os.fsync(self._wal)
            self.syncs += 1
        finally:
            self._synced.acquire()
            self._is_syncing = False
            self._synced.notify_all()
        self._durable = max(self._durable, commits)


class _Transaction:
    """A class, because it is entered 20 times for an event, and a generator takes longer."""

    def __init__(self, file: DataFile) -> None:
        self._file = file

    def __enter__(self) -> None:
        self._file.enter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.leave(kind is not None)


def _locked(path: Path) -> int:
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataFileInUseError(f"{path} is in use by another program.") from None
    return descriptor
