"""SQS standard queues in the data file: delays, visibility, fair groups, redrive.

The file holds every message until it is deleted. Memory holds the next messages of each group that
can be received, and those in flight: if the program dies, they are received again.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import NamedTuple, cast

from shared.clock import Clock
from shared.standalone.engine.errors import client_error
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.groups import QueuedMessage, Ready, Shares
from shared.standalone.engine.template import Json
from shared.standalone.timer import Timer

MAX_DELAY_S = 900
MAX_ENTRIES = 10
MAX_BYTES = 1024 * 1024
URL = "https://sqs.standalone/"
# Messages of a group that memory holds ready; the others are read when these are received.
LOADED = 100
# Delayed messages that become ready in one transaction.
_DUE_AT_ONCE = 500
# After trouble with the file, such as a full disk.
_AGAIN_MS = 1_000

_TABLES = (
    "CREATE TABLE IF NOT EXISTS messages (place INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT, "
    "grp TEXT, due INTEGER, receives INTEGER, sent_at INTEGER, id INTEGER, body TEXT, "
    "attributes TEXT)",
    "CREATE INDEX IF NOT EXISTS messages_ready ON messages (queue, grp, place) WHERE due = 0",
    "CREATE INDEX IF NOT EXISTS messages_due ON messages (queue, due) WHERE due > 0",
)
# Each half is answered by an index.
_DEPTH = (
    "SELECT (SELECT count(*) FROM messages WHERE queue = ? AND due = 0) "
    "+ (SELECT count(*) FROM messages WHERE queue = ? AND due > 0)"
)
_SEND = (
    "INSERT INTO messages (queue, grp, due, receives, sent_at, id, body, attributes) "
    "VALUES (?, ?, ?, 0, ?, ?, ?, ?)"
)


@dataclass(eq=False)
class FileMessage(QueuedMessage):
    """`number` stays the same for as long as the message is there, `place` is its row.

    Each time that it is received it is another object. It is visible again from `visible_at` on, in
    the timer's time (ms).
    """

    place: int = 0
    visible_at: float = 0.0


class FileRedrive(NamedTuple):
    after: int
    to: "FileQueue"


class FileQueue:
    """`on_ready` is called when there is something to receive."""

    def __init__(
        self, name: str, file: DataFile, clock: Clock, timer: Timer, visibility_s: int
    ) -> None:
        self.name = name
        self.redrive: FileRedrive | None = None
        self.on_ready: Callable[[], None] = lambda: None
        self._file = file
        self._clock = clock
        self._timer = timer
        self._visibility_ms = visibility_s * 1000
        self._ready = Ready()
        self._shares = Shares()
        # By group, the place of the first message that is ready and not loaded.
        self._unloaded: dict[str, int] = {}
        # In the order in which they become visible again.
        self._in_flight: dict[int, FileMessage] = {}
        self._watches_in_flight = False
        self._next_due: int | None = None
        # The moments for which a call is due.
        self._awaited: set[int] = set()

    def start(self) -> None:
        """Find what is there. What was in flight when the program ended can be received again."""
        with self._file.lock:
            self._ready.clear()
            self._unloaded = dict(
                self._file.execute(
                    "SELECT grp, min(place) FROM messages WHERE queue = ? AND due = 0 GROUP BY grp",
                    (self.name,),
                )
            )
            for group in list(self._unloaded):
                self._load(group)
            self._look_ahead()
        self.on_ready()

    def send_batch(self, entries: list[Json], taken: list[Json]) -> Json:
        """`taken` are the entries that the queue takes: all of them."""
        size = sum(len(entry["MessageBody"].encode()) for entry in entries)
        if not 1 <= len(entries) <= MAX_ENTRIES or size > MAX_BYTES:
            raise client_error("SendMessageBatch", "BatchRequestTooLong")
        for entry in taken:
            self.send(
                entry["MessageBody"],
                entry.get("DelaySeconds", 0),
                entry.get("MessageGroupId"),
                entry.get("MessageAttributes"),
            )
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": []}

    def send(
        self,
        body: str,
        delay_s: int = 0,
        group: str | None = None,
        attributes: Json | None = None,
    ) -> None:
        """Raises ClientError for a delay beyond 15 minutes."""
        if not 0 <= delay_s <= MAX_DELAY_S:
            raise client_error("SendMessage", "InvalidParameterValue")
        now, told = self._clock(), json.dumps(attributes) if attributes else ""
        due = now + delay_s * 1000 if delay_s else 0
        with self._file.transaction():
            values = (self.name, group or "", due, now, None, body, told)
            place = self._file.insert(_SEND, values)
            if due:
                self._file.after_commit(lambda: self._wake_at(due))
            else:
                message = FileMessage(place, body, group or "", attributes or {}, place=place)
                self._file.after_commit(lambda: self._offer(message))

    def receive(self, limit: int) -> list[FileMessage]:
        """Messages that nobody else receives until they are visible again.

        Raises sqlite3.Error if one should go to the dead-letter queue and cannot; all stay.
        """
        with self._file.lock:
            taken = cast(list[FileMessage], self._ready.take(limit, self._shares))
            try:
                for group in {message.group for message in taken}:
                    if group in self._unloaded and not self._ready.count(group):
                        self._load(group)
                self._give_up([message for message in taken if self._is_spent(message)])
            except sqlite3.Error:
                for message in taken:
                    self._ready.add(message)
                self._timer.after(_AGAIN_MS, self.on_ready)
                raise
            return [self._handed_out(message) for message in taken if not self._is_spent(message)]

    def delete(self, messages: Iterable[FileMessage]) -> None:
        """Without effect on a message that has become visible again. If the program dies within a
        second, a message may come once more, as on AWS."""
        with self._file.transaction():
            held = [message for message in messages if self._is_held(message)]
            for message in held:
                self._file.execute_later("DELETE FROM messages WHERE place = ?", (message.place,))
            self._file.after_commit(lambda: self._forget(held))

    def look(self, limit: int) -> list[Json]:
        """The oldest messages, which stay as they are."""
        self._file.catch_up()
        rows = self._file.execute(
            "SELECT coalesce(id, place), grp, receives, sent_at, body, attributes FROM messages "
            "WHERE queue = ? ORDER BY place LIMIT ?",
            (self.name, limit),
        )
        return [
            {
                "message_id": str(number),
                "group": group,
                "receives": receives,
                "sent_at": sent_at,
                "body": body,
                "attributes": json.loads(told) if told else {},
            }
            for number, group, receives, sent_at, body, told in rows
        ]

    def move(self, to: "FileQueue | None") -> int:
        """Send the messages that are visible now to another queue, or nowhere: how many."""
        moved, wanted = 0, self.depth()
        while moved < wanted:
            with self._file.transaction():
                messages = self.receive(min(MAX_ENTRIES, wanted - moved))
                if to is not None:
                    for message in messages:
                        to.send(message.body, group=message.group, attributes=message.attributes)
                self.delete(messages)
            if not messages:
                break
            moved += len(messages)
        return moved

    def counts(self) -> Json:
        """Messages that can be received, that are in flight or delayed; the age of the oldest."""
        self._file.catch_up()
        ready, oldest = self._file.execute(
            "SELECT count(*), min(sent_at) FROM messages WHERE queue = ? AND due = 0", (self.name,)
        )[0]
        ((delayed,),) = self._file.execute(
            "SELECT count(*) FROM messages WHERE queue = ? AND due > 0", (self.name,)
        )
        return {
            "waiting": ready - self.in_flight,
            "in_flight": self.in_flight,
            "delayed": delayed,
            "oldest_s": None if oldest is None else max(0, self._clock() - oldest) // 1000,
        }

    def depth(self) -> int:
        """Messages that are there: visible, delayed or in flight."""
        self._file.catch_up()
        ((count,),) = self._file.execute(_DEPTH, (self.name, self.name))
        return int(count)

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held while messages are looked at and taken."""
        return self._file.lock

    @property
    def in_flight(self) -> int:
        return len(self._in_flight)

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def _is_spent(self, message: FileMessage) -> bool:
        return self.redrive is not None and message.receives >= self.redrive.after

    def _give_up(self, messages: list[FileMessage]) -> None:
        """Move what was received too often to the dead-letter queue."""
        if not messages or self.redrive is None:
            return
        with self._file.transaction():
            for message in messages:
                self._file.execute("DELETE FROM messages WHERE place = ?", (message.place,))
                self.redrive.to.send(
                    message.body, group=message.group, attributes=message.attributes
                )

    def _handed_out(self, message: FileMessage) -> FileMessage:
        held = replace(
            message,
            receives=message.receives + 1,
            received_at=self._clock(),
            visible_at=self._timer.now_ms() + self._visibility_ms,
        )
        self._in_flight[held.number] = held
        self._shares.began(held.group)
        self._watch_in_flight()
        return held

    def _is_held(self, message: FileMessage) -> bool:
        return self._in_flight.get(message.number) is message

    def _forget(self, messages: Iterable[FileMessage]) -> None:
        for message in messages:
            if self._is_held(message):
                del self._in_flight[message.number]
                now = self._clock()
                self._shares.ended(message.group, now, now - message.received_at)

    def _watch_in_flight(self) -> None:
        """One call is due at any time: for the message that is visible again first."""
        if self._watches_in_flight or not self._in_flight:
            return
        first = next(iter(self._in_flight.values()))
        self._watches_in_flight = True
        self._timer.after(first.visible_at - self._timer.now_ms(), self._hand_back)

    def _hand_back(self) -> None:
        """What is not deleted by the end of its visibility timeout can be received again."""
        with self._file.lock:
            now = self._timer.now_ms()
            late = list(takewhile(lambda one: one.visible_at <= now, self._in_flight.values()))
            self._watches_in_flight = False
            with suppress(sqlite3.Error):  # memory counts too, until the program ends
                self._count_receives(late)
            self._forget(late)
            for message in late:
                self._ready.add(message)
            self._watch_in_flight()
        if late:
            self.on_ready()

    def _count_receives(self, messages: list[FileMessage]) -> None:
        with self._file.transaction():
            for message in messages:
                self._file.execute(
                    "UPDATE messages SET receives = ? WHERE place = ?",
                    (message.receives, message.place),
                )

    def _offer(self, message: FileMessage) -> None:
        if message.group in self._unloaded:
            return
        if self._ready.count(message.group) >= LOADED:
            self._unloaded[message.group] = message.place
        else:
            self._ready.add(message)
            self.on_ready()

    def _load(self, group: str) -> None:
        """Read the next messages of a group into memory."""
        rows = self._file.execute(
            "SELECT place, coalesce(id, place), body, attributes, receives FROM messages "
            "WHERE queue = ? AND grp = ? AND due = 0 AND place >= ? ORDER BY place LIMIT ?",
            (self.name, group, self._unloaded[group], LOADED + 1),
        )
        del self._unloaded[group]
        if len(rows) > LOADED:
            self._unloaded[group] = rows.pop()[0]
        for place, number, body, told, receives in rows:
            attributes = json.loads(told) if told else {}
            self._ready.add(FileMessage(number, body, group, attributes, receives, place=place))

    def _wake_at(self, due: int) -> None:
        if self._next_due is None or due < self._next_due:
            self._next_due = due
            self._await(due, due - self._clock())

    def _await(self, due: int, wait_ms: int) -> None:
        if due not in self._awaited:
            self._awaited.add(due)
            self._timer.after(wait_ms, lambda: self._let_due(due))

    def _let_due(self, due: int) -> None:
        """Messages whose delay is over come after those that are ready already."""
        with self._file.lock:
            self._awaited.remove(due)
            if self._next_due != due:
                return
            try:
                self._make_due_ready()
            except sqlite3.Error:
                self._await(due, _AGAIN_MS)
                raise

    def _make_due_ready(self) -> None:
        with self._file.transaction():
            rows = self._file.execute(
                "SELECT place, coalesce(id, place), grp, body, attributes, receives, sent_at "
                "FROM messages WHERE queue = ? AND due > 0 AND due <= ? ORDER BY due, place "
                "LIMIT ?",
                (self.name, self._clock(), _DUE_AT_ONCE),
            )
            for row in rows:
                self._make_ready(*row)
            self._file.after_commit(self._look_ahead)

    def _make_ready(
        self, place: int, number: int, group: str, body: str, told: str, receives: int, sent_at: int
    ) -> None:
        self._file.execute("DELETE FROM messages WHERE place = ?", (place,))
        values = (self.name, group, 0, sent_at, number, body, told)
        new = self._file.insert(_SEND, values)
        attributes = json.loads(told) if told else {}
        message = FileMessage(number, body, group, attributes, receives, place=new)
        self._file.after_commit(lambda: self._offer(message))

    def _look_ahead(self) -> None:
        ((due,),) = self._file.execute(
            "SELECT min(due) FROM messages WHERE queue = ? AND due > 0", (self.name,)
        )
        self._next_due = None
        if due is not None:
            self._wake_at(due)


class FileQueues:
    """The queues of a template, by logical id and by URL."""

    def __init__(
        self, declared: dict[str, Json], file: DataFile, clock: Clock, timer: Timer
    ) -> None:
        with file.transaction():
            for statement in _TABLES:
                file.execute(statement)
        self._by_name = {
            name: FileQueue(name, file, clock, timer, properties.get("VisibilityTimeout", 30))
            for name, properties in declared.items()
        }
        for name, properties in declared.items():
            if (policy := properties.get("RedrivePolicy")) is not None:
                target, _ = policy["deadLetterTargetArn"]["Fn::GetAtt"]
                redrive = FileRedrive(policy["maxReceiveCount"], self._by_name[target])
                self._by_name[name].redrive = redrive

    def __getitem__(self, name: str) -> FileQueue:
        return self._by_name[name]

    def __iter__(self) -> Iterator[FileQueue]:
        return iter(self._by_name.values())

    def by_url(self, url: str) -> FileQueue:
        return self._by_name[url.removeprefix(URL)]

    def start(self) -> None:
        for queue in self:
            queue.start()
