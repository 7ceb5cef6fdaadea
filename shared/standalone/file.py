"""The one file that holds everything: an SQLite database in WAL mode, written by one program.

A change is committed at once and on disk a little later. `wait_until_durable` waits for the disk,
and all who wait at the same time share one sync. Commits reach the disk in their order, so after a
power cut the file is as it was at some moment, and nothing that was waited for is missing.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, RLock
from typing import Any

# Without syncs of SQLite's own at each commit; a checkpoint still syncs before and after.
_SETTINGS = ("journal_mode = WAL", "synchronous = NORMAL", "wal_autocheckpoint = 0")
_CACHED_STATEMENTS = 512


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
        self._wal = os.open(f"{path}-wal", os.O_RDWR | os.O_CREAT)
        self._lock = RLock()
        self._depth = 0
        self._synced = Condition()
        self._is_syncing = False
        self._commits = 0
        self._durable = 0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All changes of the block or none. A transaction within another one is a part of it."""
        with self._lock:
            if self._depth:
                yield
                return
            self._database.execute("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            else:
                self._database.execute("COMMIT")
                self._commits += 1
            finally:
                self._depth -= 1

    def execute(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows. A change belongs into a transaction."""
        with self._lock:
            return self._database.execute(sql, values).fetchall()

    def wait_until_durable(self) -> None:
        """Return when everything that is committed now is on disk."""
        wanted = self._commits
        with self._synced:
            while self._durable < wanted:
                if self._is_syncing:
                    self._synced.wait()
                else:
                    self._sync()

    def close(self) -> None:
        with self._lock:
            self._database.close()
            os.close(self._wal)
            os.close(self._lock_file)

    def _sync(self) -> None:
        """Called with `_synced` held, which is given up while the disk is at work."""
        self._is_syncing = True
        commits = self._commits
        self._synced.release()
        try:
            os.fsync(self._wal)
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
