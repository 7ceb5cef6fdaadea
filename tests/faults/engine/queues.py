"""SQS standard queues: delays, visibility, fair groups, redrive to a dead-letter queue."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from random import Random
from typing import NamedTuple

from shared.standalone.engine.errors import client_error
from shared.standalone.engine.groups import QueuedMessage, Ready, Shares
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.values import UnsupportedError
from tests.faults.engine.simulation import Simulation

MAX_DELAY_S = 900
URL = "https://sqs.us-east-1.amazonaws.com/123456789012/"
_ENTRY = {"Id", "MessageBody", "DelaySeconds", "MessageGroupId", "MessageAttributes"}


@dataclass
class Troubles:
    """What a standard queue may do with messages: hand them out twice, and in any order."""

    twice: float = 0.0
    late: float = 0.0
    late_ms: int = 90_000  # longer than a lease
    duplicates: int = 0

    def extra_delays_ms(self, random: Random) -> list[int]:
        """For each copy that is handed out, how much later than asked for."""
        copies = 1 + (random.random() < self.twice)
        self.duplicates += copies - 1
        return [
            random.randrange(self.late_ms) if copy or random.random() < self.late else 0
            for copy in range(copies)
        ]


class Redrive(NamedTuple):
    after: int
    to: "SqsQueue"


class SqsQueue:
    """`on_ready` is told when there is something to receive."""

    def __init__(
        self, name: str, simulation: Simulation, random: Random, visibility_s: int
    ) -> None:
        self.name = name
        self.redrive: Redrive | None = None
        self.is_fair = True
        self.troubles = Troubles()
        self.on_ready: Callable[[], None] = lambda: None
        self._simulation = simulation
        self._random = random
        self._visibility_ms = visibility_s * 1000
        self._ready = Ready()
        self._delayed: dict[int, QueuedMessage] = {}
        self._in_flight: dict[int, QueuedMessage] = {}
        self._shares = Shares()
        self._numbers = count(1)

    def send_batch(self, entries: list[Json], taken: list[Json]) -> Json:
        """`taken` are those that the queue takes, the others fail."""
        if not 1 <= len(entries) <= 10:
            raise client_error("SendMessageBatch", "TooManyEntriesInBatchRequest")
        for entry in taken:
            if entry.keys() - _ENTRY:
                raise UnsupportedError(f"SendMessageBatch with {sorted(entry)}")
            self.send(
                entry["MessageBody"],
                entry.get("DelaySeconds", 0),
                entry.get("MessageGroupId"),
                entry.get("MessageAttributes"),
            )
        failed = [{"Id": entry["Id"]} for entry in entries if entry not in taken]
        return {"Successful": [{"Id": entry["Id"]} for entry in taken], "Failed": failed}

    def send(
        self,
        body: str,
        delay_s: int = 0,
        group: str | None = None,
        attributes: Json | None = None,
    ) -> None:
        if not 0 <= delay_s <= MAX_DELAY_S:
            raise client_error("SendMessageBatch", "InvalidParameterValue")
        for extra_ms in self.troubles.extra_delays_ms(self._random):
            number = next(self._numbers)
            self._delayed[number] = QueuedMessage(
                number, body, group or f"alone-{number}", attributes or {}
            )
            self._simulation.after(delay_s * 1000 + extra_ms, partial(self._show, number))

    def receive(self, limit: int = 10) -> list[QueuedMessage]:
        now = self._simulation.now
        received = []
        for message in self._ready.take(limit, self._shares if self.is_fair else None):
            message.receives += 1
            if self.redrive is not None and message.receives > self.redrive.after:
                self.redrive.to.send(message.body, attributes=message.attributes)
                continue
            message.received_at = now
            self._in_flight[message.number] = message
            self._shares.began(message.group)
            self._simulation.after(
                self._visibility_ms, partial(self._hand_out_again, message.number, now)
            )
            received.append(message)
        return received

    def delete(self, message: QueuedMessage, received_at: int) -> None:
        """Without effect if the message has been received again since."""
        if self._is_held(message.number, received_at):
            self._release(message.number)

    def purge(self) -> int:
        gone = len(self)
        self._ready.clear()
        self._delayed.clear()
        for number in list(self._in_flight):
            self._release(number)
        return gone

    def bodies(self) -> list[str]:
        """Of all messages that can be received now, which are gone then."""
        return [message.body for message in self._ready.take(1_000_000, None)]

    @property
    def has_ready(self) -> bool:
        return bool(self._ready)

    def __len__(self) -> int:
        """Messages that are there: visible, delayed or in flight."""
        return len(self._ready) + len(self._delayed) + len(self._in_flight)

    def _show(self, number: int) -> None:
        message = self._delayed.pop(number, None)
        if message is not None:
            self._make_ready(message)

    def _hand_out_again(self, number: int, received_at: int) -> None:
        if self._is_held(number, received_at):
            self._make_ready(self._release(number))

    def _make_ready(self, message: QueuedMessage) -> None:
        self._ready.add(message)
        self.on_ready()

    def _is_held(self, number: int, received_at: int) -> bool:
        message = self._in_flight.get(number)
        return message is not None and message.received_at == received_at

    def _release(self, number: int) -> QueuedMessage:
        message = self._in_flight.pop(number)
        now = self._simulation.now
        self._shares.ended(message.group, now, now - message.received_at)
        return message


class Queues:
    """The template's queues, by logical id and by URL."""

    def __init__(self, simulation: Simulation, random: Random) -> None:
        found = template().of_type("AWS::SQS::Queue")
        self._by_name = {
            name: SqsQueue(name, simulation, random, properties.get("VisibilityTimeout", 30))
            for name, properties in found.items()
        }
        for name, properties in found.items():
            if "RedrivePolicy" in properties:
                self._by_name[name].redrive = self._redrive(properties["RedrivePolicy"])

    def __getitem__(self, name: str) -> SqsQueue:
        return self._by_name[name]

    def __iter__(self) -> Iterator[SqsQueue]:
        return iter(self._by_name.values())

    def by_url(self, url: str) -> SqsQueue:
        return self._by_name[url.removeprefix(URL)]

    @property
    def dead_letters(self) -> list[SqsQueue]:
        return [queue for name, queue in self._by_name.items() if name.endswith("DeadLetters")]

    def _redrive(self, policy: Json) -> Redrive:
        target, _ = policy["deadLetterTargetArn"]["Fn::GetAtt"]
        return Redrive(policy["maxReceiveCount"], self._by_name[target])
