"""Events at a steady rate through the deployed stack, and a ledger of what became of each."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.benchmarks import artefact, samples
from tests.local.receiver import Receiver
from tests.local.stack import Stack, down, up
from tests.stack.client import Client

STATE = artefact.STATE / "stack"
SENDERS = 16
# The workspace's own limits are not what is measured.
LIMITS = {"events_per_second": 1_000_000, "requests_per_minute": 1_000_000}


@dataclass
class Ledger:
    """Moments in seconds: when each event was sent and answered, when its webhooks came."""

    sent: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    received: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    refused: int = 0

    def lost(self) -> list[str]:
        return [event_id for event_id in self.accepted if not self.received.get(event_id)]


@contextmanager
def stack() -> Iterator[Stack]:
    """A stack of its own, on a port of its own."""
    Path(STATE).mkdir(parents=True, exist_ok=True)
    try:
        yield up(STATE)
    finally:
        down(STATE)


def client(of: Stack) -> Client:
    return Client(of, limits=LIMITS)


def send(
    to: Client, ledger: Ledger, rate: float, duration_s: float, config_ids: Sequence[str]
) -> None:
    """One event after the other is due every 1/rate seconds, whatever becomes of those before."""
    count = int(rate * duration_s)
    events = samples.events(1024, count, seed=int(time.time()))
    began = time.monotonic()
    with ThreadPoolExecutor(SENDERS) as pool:
        for number, event in enumerate(events):
            time.sleep(max(0, began + number / rate - time.monotonic()))
            config_id = config_ids[number % len(config_ids)]
            pool.submit(_one, to, ledger, event | {"webhook_config_ids": [config_id]})


_lock = threading.Lock()


def _one(to: Client, ledger: Ledger, event: dict[str, Any]) -> None:
    sent = time.time()
    answer = to.call("POST", "/v1/events", json=event)
    answered = time.time()
    with _lock:
        if answer.status_code != 202:
            ledger.refused += 1
            return
        event_id = answer.json()["event_id"]
        ledger.sent[event_id], ledger.accepted[event_id] = sent, answered


def settle(ledger: Ledger, receiver: Receiver, patience_s: float) -> None:
    """Wait until every accepted event has come, or nothing new comes any more."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        note(ledger, receiver)
        if not ledger.lost():
            return
        time.sleep(0.5)


def note(ledger: Ledger, receiver: Receiver) -> None:
    """By the ids that the body tells: of hit and node an event's own id is made."""
