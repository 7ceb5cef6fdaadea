"""The one file that holds everything: an SQLite database in WAL mode, written by one program.

A change is committed at once and on disk a little later. `wait_until_durable` waits for the disk,
and all who wait at the same time share one sync. Commits reach the disk in their order, so after a
power cut the file is as it was at some moment, and nothing that was waited for is missing.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, RLock
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
        self._after_commit: list[Callable[[], None]] = []
        self._synced = Condition()
        self._is_syncing = False
        self._commits = 0
        self._durable = 0
        self.syncs = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block or none. A transaction within another one is a part of it."""
        with self.lock:
            if self._depth:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                self._after_commit.clear()
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1
            self._commits += 1
            self._call_after_commit()

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows. A change belongs into a transaction."""
        with self.lock:
            return self._database.execute(sql, values).fetchall()

    def insert(self, sql: str, values: Sequence[Any]) -> int:
        """The number of the row."""
        with self.lock:
            return self._database.execute(sql, values).lastrowid or 0

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
            self._checkpoints.close()
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.close()
            os.close(self._wal)
            os.close(self._lock_file)

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


def _locked(path: Path) -> int:
    descriptor = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise DataFileInUseError(f"{path} is in use by another program.") from None
    return descriptor
