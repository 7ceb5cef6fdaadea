"""The stream of a table: which items were new, and the function that reads of them in order.

A record is written in the transaction of its item, and deleted once the function is done with it.
It names the item only: the image is read when it is needed.
"""

import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, NamedTuple
from zlib import crc32

from shared.observability import fault, logger
from shared.standalone.engine.batches import failed_ids, halves, left_of_stream
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.patterns import matches
from shared.standalone.engine.sqlite import SqliteTable
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import Item
from shared.standalone.timer import Timer

AGAIN_MS = 1_000
# Records of a lane that memory holds.
LOADED = 1_000

_TABLE = (
    "CREATE TABLE IF NOT EXISTS records (number INTEGER PRIMARY KEY AUTOINCREMENT, lane INTEGER, "
    "pk BLOB, sk BLOB)"
)


class StreamBatch(NamedTuple):
    """`tries` counts those that failed as a whole since it was one record."""

    records: list[Json]
    tries: int


class StreamLane:
    def __init__(self) -> None:
        self.batches: deque[StreamBatch] = deque()
        self.is_busy = False
        # The first record that is in the file only: at the beginning, all are.
        self.unloaded: int | None = 0

    def add(self, record: Json, size: int) -> None:
        last = self.batches[-1] if self.batches else None
        if last is not None and not last.tries and len(last.records) < size:
            last.records.append(record)
        else:
            self.batches.append(StreamBatch([record], 0))

    @property
    def length(self) -> int:
        return sum(len(batch.records) for batch in self.batches)


class StreamMapping:
    """Hands the records of a table to `invoke`, in as many lanes as the source declares."""

    def __init__(
        self,
        table: SqliteTable,
        source: Json,
        patterns: list[Any],
        file: DataFile,
        timer: Timer,
        executor: Executor,
        invoke: Callable[[Json], Any],
        dead_letter: Callable[[Json], None],
    ) -> None:
        with file.transaction():
            file.execute(_TABLE)
        self._table = table
        self._patterns = patterns
        self._size: int = source["BatchSize"]
        self._tries = 1 + int(source["MaximumRetryAttempts"])
        self._lanes = [StreamLane() for _ in range(source.get("ParallelizationFactor", 1))]
        self._file = file
        self._timer = timer
        self._executor = executor
        self._invoke = invoke
        self._dead_letter = dead_letter
        self._is_running = False

    def start(self) -> None:
        """Go on with the records that are not done."""
        with self._file.lock:
            self._is_running = True
            for number in range(len(self._lanes)):
                self._poll(number)

    def stop(self) -> None:
        """Begin no more batches."""
        self._is_running = False

    @property
    def is_busy(self) -> bool:
        return any(lane.is_busy for lane in self._lanes)

    def waiting(self) -> int:
        """Records that are not done."""
        self._file.catch_up()
        ((count,),) = self._file.execute("SELECT count(*) FROM records")
        return int(count)

    def changed(self, table: StoredTable, old: Item | None, new: Item | None) -> None:
        """Within the transaction that changes the item."""
        if table.name != self._table.name or new is None or old is not None:
            return
        if not any(matches(pattern, _record("", new)) for pattern in self._patterns):
            return
        key = self._table.key_of(new)
        lane = crc32(key[0]) % len(self._lanes)
        number = self._file.insert(
            "INSERT INTO records (lane, pk, sk) VALUES (?, ?, ?)", (lane, *key)
        )
        self._file.after_commit(lambda: self._add(lane, number, new))

    def _add(self, lane_number: int, number: int, image: Item) -> None:
        lane = self._lanes[lane_number]
        if lane.unloaded is None and lane.length >= LOADED:
            lane.unloaded = number
        if lane.unloaded is None:
            lane.add(_record(str(number), image), self._size)
            self._poll(lane_number)

    def _load(self, lane_number: int) -> None:
        """A record whose item is gone is dropped."""
        lane = self._lanes[lane_number]
        with self._file.transaction():
            rows = self._file.execute(
                "SELECT number, pk, sk FROM records WHERE lane = ? AND number >= ? "
                "ORDER BY number LIMIT ?",
                (lane_number, lane.unloaded, LOADED),
            )
            found = [(number, self._table.find((pk, sk))) for number, pk, sk in rows]
            for number, image in found:
                if image is None:
                    self._forget(number)
        lane.unloaded = rows[-1][0] + 1 if len(rows) == LOADED else None
        for number, image in found:
            if image is not None:
                lane.add(_record(str(number), image), self._size)

    def _poll(self, lane_number: int) -> None:
        lane = self._lanes[lane_number]
        if not self._is_running or lane.is_busy:
            return
        lane.is_busy = True
        try:
            while not lane.batches and lane.unloaded is not None:
                self._load(lane_number)
        except sqlite3.Error as error:
            logger.error("stream.failed", **fault(error))
            self._timer.after(AGAIN_MS, lambda: self._go_on(lane_number))
            return
        if lane.batches:
            self._executor.submit(self._run, lane_number, lane.batches.popleft())
        else:
            lane.is_busy = False

    def _run(self, lane_number: int, batch: StreamBatch) -> None:
        try:
            left = left_of_stream(
                batch.records, failed_ids(self._invoke({"Records": batch.records}))
            )
        except Exception as error:
            logger.error("stream.failed", **fault(error))
            left = batch.records
        try:
            again = self._settle(batch, left)
        except Exception as error:  # such as a full disk
            logger.error("stream.failed", **fault(error))
            again = [batch]
        with self._file.lock:
            self._lanes[lane_number].batches.extendleft(reversed(again))
        if again:
            self._timer.after(AGAIN_MS, lambda: self._go_on(lane_number))
        else:
            self._go_on(lane_number)

    def _settle(self, batch: StreamBatch, left: list[Json]) -> list[StreamBatch]:
        """What is to be tried again: a batch that failed is halved, which is no try; a single
        record has `tries` of them, and is a dead letter then."""
        done = batch.records[: len(batch.records) - len(left)]
        tries = batch.tries + (len(left) == 1)
        with self._file.transaction():
            if tries >= self._tries:
                self._dead_letter(left[0])
                done, left = batch.records, []
            for record in done:
                self._forget(int(record["dynamodb"]["SequenceNumber"]))
        return [StreamBatch(half, tries) for half in halves(left)]

    def _forget(self, number: int) -> None:
        self._file.execute_later("DELETE FROM records WHERE number = ?", (number,))

    def _go_on(self, lane_number: int) -> None:
        with self._file.lock:
            self._lanes[lane_number].is_busy = False
            self._poll(lane_number)


def _record(number: str, image: Item) -> Json:
    keys = {name: image[name] for name in ("pk", "sk")}
    change = {"Keys": keys, "NewImage": image, "SequenceNumber": number}
    return {
        "eventID": number,
        "eventName": "INSERT",
        "eventSource": "aws:dynamodb",
        "dynamodb": change,
    }
