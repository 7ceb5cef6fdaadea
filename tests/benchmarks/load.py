"""Events at a steady rate through the deployed stack, and a ledger of what became of each."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.benchmarks import artefact, samples
from tests.local.receiver import Receiver
from tests.local.stack import Stack, down, up
from tests.stack.client import Client

STATE = artefact.STATE / "stack"
SENDERS = 16
# The workspace's own limits are not what is measured.
LIMITS = {"events_per_second": 1_000_000, "requests_per_minute": 1_000_000}


class Arrival(NamedTuple):
    """`claimed` is when the attempt was begun, by the worker's clock; both in seconds."""

    claimed: float
    came: float


class Ledger:
    """Each event by its hit: when it was sent and accepted, when its webhook was taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = set[str]()
        self.sent: dict[str, float] = {}
        self.accepted: dict[str, float] = {}
        self.taken: dict[str, Arrival] = {}
        self.refused = 0
        self.failed_on_purpose = 0
        self.repeated: list[str] = []

    def lost(self) -> int:
        with self._lock:
            return len(self.accepted.keys() - self.taken.keys())

    def take(self, headers: Mapping[str, str], body: bytes) -> int:
        """200 to every webhook, and a note of one that was taken before."""
        told, came = json.loads(body), time.time()
        hit_id = told["hit"]["hit_id"]
        with self._lock:
            if hit_id in self.taken:
                self.repeated.append(hit_id)
            self.taken.setdefault(hit_id, Arrival(told["timestamp"] / 1000, came))
        return 200

    def take_some_the_second_time(self, headers: Mapping[str, str], body: bytes) -> int:
        """Every third webhook is refused once: never so many in a row that a breaker would trip."""
        request_id = headers["webhook-id"]
        with self._lock:
            is_new = request_id not in self._seen
            self._seen.add(request_id)
            fails = is_new and len(self._seen) % 3 == 0
            self.failed_on_purpose += fails
        return 500 if fails else self.take(headers, body)

    def send(self, client: Client, event: dict[str, Any]) -> None:
        sent, hit_id = time.time(), event["hit"]["hit_id"]
        answer = client.call("POST", "/v1/events", json=event)
        with self._lock:
            self.refused += answer.status_code != 202
            if answer.status_code == 202:
                self.sent[hit_id], self.accepted[hit_id] = sent, time.time()


@contextmanager
def stack() -> Iterator[Stack]:
    """A stack of its own, on a port of its own."""
    STATE.mkdir(parents=True, exist_ok=True)
    try:
        yield up(STATE)
    finally:
        down(STATE)


def send(
    client: Client, ledger: Ledger, rate: float, duration_s: float, config_ids: Sequence[str]
) -> None:
    """An event is due every 1/rate seconds, whatever becomes of those before; configs in turn."""
    events = samples.events(1024, int(rate * duration_s), seed=time.time_ns())
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        for number, event in enumerate(events):
            time.sleep(max(0, began + number / rate - time.monotonic()))
            config_id = config_ids[number % len(config_ids)]
            pool.submit(ledger.send, client, event | {"webhook_config_ids": [config_id]})


def wait(ledger: Ledger, patience_s: float) -> None:
    """Until every accepted event was taken."""
    deadline = time.monotonic() + patience_s
    while ledger.lost() and time.monotonic() < deadline:
        time.sleep(0.5)


def client(of: Stack) -> Client:
    return Client(of, limits=LIMITS)


def receiver(ledger: Ledger) -> Receiver:
    made = Receiver()
    made.judge("/fine", ledger.take)
    made.judge("/flaky", ledger.take_some_the_second_time)
    return made
