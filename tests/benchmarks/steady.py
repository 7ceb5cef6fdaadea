"""Events at a steady rate to a program on this machine, and when their webhooks came."""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

import requests

from tests.benchmarks import samples

SENDERS = 32
SIZE = 1024
PATIENCE_S = 60
_TICK = os.sysconf("SC_CLK_TCK")


class Stretch(NamedTuple):
    """The events of some seconds by their hits: when each was due, accepted, and came (Unix s)."""

    due: Mapping[str, float]
    accepted: Mapping[str, float]
    came: Mapping[str, float]
    cpu_s: float

    def waits_ms(self) -> list[float]:
        """From the 202 to the arrival. Negative if the webhook overtakes the 202."""
        return [(self.came[hit] - at) * 1000 for hit, at in self.accepted.items()]

    def ways_ms(self) -> list[float]:
        """From when it was due to the arrival, the sender's own lateness included."""
        return [(self.came[hit] - self.due[hit]) * 1000 for hit in self.accepted]


@dataclass
class ArrivalBook:
    """What the receiver at `url` has seen, of all stretches."""

    url: str
    came: dict[str, float] = field(default_factory=dict)
    accepted: dict[str, float] = field(default_factory=dict)
    doubled: int = 0
    refused: int = 0

    def collect(self) -> None:
        for hit, came in requests.get(self.url, timeout=PATIENCE_S).json():
            self.doubled += hit in self.came
            self.came.setdefault(hit, came)

    def lost(self) -> int:
        return len(self.accepted.keys() - self.came.keys())

    def wait_for(self, is_there: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        self.collect()
        while not is_there() and time.monotonic() < deadline:
            time.sleep(0.1)
            self.collect()


class SteadySender:
    """Sends to the API of the process `pid`, with at most SENDERS requests open."""

    def __init__(self, book: ArrivalBook, api_url: str, api_key: str, pid: int) -> None:
        self._book = book
        self._host = api_url.partition("//")[2]
        self._headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        self._pid = pid
        self._local = threading.local()

    def send(
        self, rate: float, seconds: float, config_ids: Sequence[str], dead: str = ""
    ) -> Stretch:
        """An event is due every 1/rate seconds, whatever becomes of those before; configs in turn.

        Returns once all have come. Events for the config `dead` are sent and not looked for.
        """
        due, accepted = dict[str, float](), dict[str, float]()

        def post(event: dict[str, Any]) -> None:
            if self._posted(event) != 202:
                self._book.refused += 1
            elif event["webhook_config_ids"] != [dead]:
                accepted[event["hit"]["hit_id"]] = time.time()

        cpu_s, began = cpu_of(self._pid), time.time()
        with ThreadPoolExecutor(SENDERS) as pool:
            for number, event in enumerate(
                samples.events(SIZE, round(rate * seconds), time.time_ns())
            ):
                at = due[event["hit"]["hit_id"]] = began + number / rate
                time.sleep(max(0, at - time.time()))
                config_id = config_ids[number % len(config_ids)]
                pool.submit(post, event | {"webhook_config_ids": [config_id]})
        self._book.accepted |= accepted
        self._book.wait_for(lambda: accepted.keys() <= self._book.came.keys())
        came = {hit: self._book.came[hit] for hit in accepted if hit in self._book.came}
        known = {hit: at for hit, at in accepted.items() if hit in came}
        return Stretch(due, known, came, cpu_of(self._pid) - cpu_s)

    def _posted(self, event: dict[str, Any]) -> int:
        try:
            connection = self._local.connection
        except AttributeError:
            connection = self._local.connection = http.client.HTTPConnection(self._host)
        connection.request("POST", "/v1/events", json.dumps(event), self._headers)
        answer = connection.getresponse()
        answer.read()
        return int(answer.status)


def percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


def cpu_of(pid: int) -> float:
    """Seconds that a process has used, of all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def memory_of(pid: int) -> float:
    """MB of a process: its proportional set size."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (pss,) = (line for line in lines if line.startswith("Pss:"))
    return int(pss.split()[1]) / 1024
