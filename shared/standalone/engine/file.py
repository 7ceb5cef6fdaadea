"""The one file that holds everything: an SQLite database in WAL mode, written by one program.

A change is committed at once and on disk a little later. `wait_until_durable` waits for the disk,
and all who wait at the same time share one sync. Commits reach the disk in their order, so after a
power cut the file is as it was at some moment, and nothing that was waited for is missing.
"""

import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from threading import Condition, RLock
from types import TracebackType
from typing import Any

DATA_FILE = "funnelhooks.sqlite"
_CACHED_STATEMENTS = 512
CHECKPOINT_BYTES = 8 * 1024 * 1024
# In the header of the file, so that no other program's database is taken for ours: "Fnlh".
APPLICATION_ID = 0x466E6C68
# The version of the tables. A file of a later version is refused.
FORMAT = 1

# Without syncs of SQLite's own at each commit; a checkpoint still syncs before and after.
_SETTINGS = (
    "page_size = 8192",  # an item of 2 KB stays in one page
    f"application_id = {APPLICATION_ID}",
    f"user_version = {FORMAT}",
    "journal_mode = WAL",
    "synchronous = NORMAL",
    "wal_autocheckpoint = 0",
    "cache_size = -16384",
)


class DataFileError(Exception):
    """The file cannot be used; the message says why, for the operator."""


class DataFileInUseError(DataFileError):
    """Another program has the file open."""


class ForeignFileError(DataFileError):
    """The file is not a data file of this program, or of a later version."""


class DataFile:
    """For all threads of the program: one transaction at a time."""

    def __init__(self, path: Path) -> None:
        """Raises DataFileInUseError and ForeignFileError."""
        self.path = path
        self._lock_file = _locked(path)
        try:
            self._database = _opened(path)
        except BaseException:
            os.close(self._lock_file)
            raise
        # It does not wait for a reader, such as a backup: the log is cut a little later.
        self._checkpoints = sqlite3.connect(
            path, timeout=0, isolation_level=None, check_same_thread=False
        )
        self._wal = os.open(f"{path}-wal", os.O_RDWR | os.O_CREAT)
        # Held by whoever works with the file, and by what memory keeps beside it.
        self.lock = RLock()
        self._depth = 0
        self._transaction = _Transaction(self)
        self._after_commit: list[Callable[[], None]] = []
        self._later: list[tuple[str, Sequence[Any]]] = []
        self._synced = Condition()
        self._is_syncing = False
        self._failure: OSError | None = None
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
        """Call `work` when the open transaction is committed, before the next one begins. An error
        of it is logged, for the transaction stands."""
        self._after_commit.append(work)

    def wait_until_durable(self) -> None:
        """Return when everything that is committed now is on disk.

        Raises DataFileError once a sync has failed: what the system then dropped is not known, and
        a later sync would not tell.
        """
        wanted = self._commits
        with self._synced:
            while self._durable < wanted:
                if self._failure is not None:
                    raise DataFileError(
                        f"{self.path} could not be written to disk; restart the program."
                    ) from self._failure
                if self._is_syncing:
                    self._synced.wait()
                else:
                    self._sync()

    def sizes(self) -> dict[str, int]:
        """Bytes of the file, and of the log of what is not yet in it."""
        return {"data": self.path.stat().st_size, "log": os.fstat(self._wal).st_size}

    def checkpoint(self) -> None:
        """Make the changes that were left for later, and move a long log into the file.

        A reader may prevent that the log is cut. Nobody writes meanwhile: before SQLite 3.51.3, a
        checkpoint beside a write may lose transactions. Source: sqlite.org/wal.html, "The WAL-Reset
        Bug".
        """
        self.catch_up()
        if os.fstat(self._wal).st_size < CHECKPOINT_BYTES:
            return
        self.wait_until_durable()  # so that little is left to sync while the writers wait
        with self.lock:
            self._checkpoints.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """What is in the log stays there if the disk has no room for it in the file."""
        with self.lock:
            self._checkpoints.close()
            with suppress(sqlite3.OperationalError):
                self.catch_up()
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
            if not has_failed and self._database.in_transaction:
                self._commit()
        except BaseException:
            has_failed = True
            raise
        finally:
            if has_failed:
                self._after_commit.clear()
                if self._database.in_transaction:  # SQLite may have rolled it back itself
                    self._database.execute("ROLLBACK")
        self._call_after_commit()

    def _commit(self) -> None:
        for sql, values in self._later:
            self._database.execute(sql, values)
        self._database.execute("COMMIT")
        self._later.clear()
        self._commits += 1

    def _call_after_commit(self) -> None:
        while self._after_commit:
            work, self._after_commit = self._after_commit, []
            for call in work:
                try:
                    call()
                except Exception as error:
                    from shared.observability import fault, logger  # takes half a second

                    logger.error("file.after_commit_failed", **fault(error))

    def _sync(self) -> None:
        """Called with `_synced` held, which is given up while the disk is at work."""
        self._is_syncing = True
        commits = self._commits
        self._synced.release()
        try:
            os.fsync(self._wal)
        except OSError as error:
            self._failure = error
        else:
            self.syncs += 1
        finally:
            self._synced.acquire()
            self._is_syncing = False
            self._synced.notify_all()
        if self._failure is None:
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


def _opened(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(
        path,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=_CACHED_STATEMENTS,
    )
    try:
        _refuse_foreign(database, path)
        for setting in _SETTINGS:
            database.execute(f"PRAGMA {setting}").fetchall()
    except BaseException:
        database.close()
        raise
    return database


def _refuse_foreign(database: sqlite3.Connection, path: Path) -> None:
    try:
        ((application,),) = database.execute("PRAGMA application_id")
        ((version,),) = database.execute("PRAGMA user_version")
        ((tables,),) = database.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.DatabaseError as error:
        raise ForeignFileError(f"{path} is not a data file of Funnelhooks: {error}.") from None
    if application != APPLICATION_ID and (application or tables):
        raise ForeignFileError(f"{path} is the database of another program.")
    if version > FORMAT:
        raise ForeignFileError(f"{path} was written by a later version of Funnelhooks.")
