"""Items go some time after the end of their time to live, as in DynamoDB."""

from collections.abc import Callable, Iterable

from shared.clock import MS_PER_S, Clock
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.sqlite import SqliteTable
from shared.standalone.engine.values import Item
from shared.standalone.timer import Timer

EXPIRY_MS = 60_000
# Items that go in one transaction, and the pause to the next one: so neither the file nor the timer
# is held for long. 5,000 items go in a second.
EXPIRED_AT_ONCE = 100
STEP_MS = 20

OnExpiry = Callable[[SqliteTable, Item], None]


class Expiry:
    """`on_expiry` is called within the transaction in which the item goes."""

    def __init__(
        self,
        tables: Iterable[SqliteTable],
        file: DataFile,
        clock: Clock,
        timer: Timer,
        on_expiry: OnExpiry,
    ) -> None:
        self._tables = list(tables)
        self._file = file
        self._clock = clock
        self._timer = timer
        self._on_expiry = on_expiry

    def start(self) -> None:
        self._timer.after(EXPIRY_MS, self._step)

    def _step(self) -> None:
        wait_ms = EXPIRY_MS
        try:
            if max(map(self._expire, self._tables)) == EXPIRED_AT_ONCE:
                wait_ms = STEP_MS
        finally:
            self._timer.after(wait_ms, self._step)

    def _expire(self, table: SqliteTable) -> int:
        now = self._clock()
        with self._file.transaction():
            items = table.expired(now // MS_PER_S, EXPIRED_AT_ONCE)
            for item in items:
                table.write(item, None, now)
                self._on_expiry(table, item)
        return len(items)
