"""The whole program is killed under load, again and again: what it answered 202 to is delivered.

CRASHES in the environment is the number of rounds, 5 without it; `--log-cli-level=INFO` shows what
came of them.
"""

import json
import logging
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from shared.standalone import admin
from tests.local import standalone
from tests.local.receiver import Received, Receiver
from tests.local.standalone import LOCAL_PARAMETERS, Standalone

ROUNDS = int(os.environ.get("CRASHES", "5"))
CLIENTS = 8
# Requests of a life that the receiver has seen when it ends: another moment each time.
SEEN = (40, 1, 90, 15, 60, 5, 130)
# Short, so that what is repaired is soon repaired.
PARAMETERS = {**LOCAL_PARAMETERS, "RepairAfterSeconds": "3"}
PATH = "/in"
# Between two looks at what has come.
PAUSE_S = 0.5
# After so many that found nothing new, nothing comes any more: a lease holds for half a minute.
MAX_LOOKS = 1_200
log = logging.getLogger(__name__)


class LifeUnderLoad:
    """The program from its start to its death, and clients that send it events all the while."""

    def __init__(self, program: Standalone) -> None:
        self.accepted: list[str] = []
        self._program = program
        self._threads = [threading.Thread(target=self._send) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def end(self) -> list[str]:
        """The names of the events that were answered with 202."""
        self._program.kill()
        for thread in self._threads:
            thread.join()
        return self.accepted

    def _send(self) -> None:
        with requests.Session() as session:
            while True:
                name = uuid.uuid4().hex
                event = {"event_type": "node_execution", "event_id": name, "hit": {"hit_id": name}}
                try:
                    status = post(session, self._program, "/v1/events", event)
                except requests.RequestException:
                    return
                if status == 202:
                    self.accepted.append(name)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Standalone]]:
    """Start the program on the same data. One that still runs at the end of the test is killed."""
    started: list[Standalone] = []

    def start_once_more() -> Standalone:
        started.append(standalone.start(tmp_path, PARAMETERS))
        return started[-1]

    yield start_once_more
    for program in started:
        program.kill()


def test_what_was_accepted_is_delivered_and_repeated_only_across_a_death(
    start: Callable[[], Standalone],
    receiver: Receiver,
) -> None:
    accepted, lives = set[str](), list[list[Received]]()
    for number in range(ROUNDS):
        program, seen = start(), sum(map(len, lives))
        if not number:
            subscribe(program, receiver)
        life = LifeUnderLoad(program)
        receiver.wait_for(seen + SEEN[number % len(SEEN)])
        accepted.update(life.end())
        wait_until(lambda: not receiver.connections)
        lives.append(receiver.requests()[seen:])
    program, seen = start(), sum(map(len, lives))
    wait_for_all(accepted, receiver, program)
    assert program.stop() == 0
    lives.append(receiver.requests()[seen:])

    # A request that is repeated was sent, and not settled, when the program died.
    assert [repeated(life) for life in lives] == [{}] * len(lives)
    repeats = sum(repeated(receiver.requests()).values())
    log.info("%d deaths, %d events, %d requests repeated", ROUNDS, len(accepted), repeats)


def subscribe(program: Standalone, receiver: Receiver) -> None:
    config = {
        "idWebhookConfig": "crm",
        "webhookConfigName": "CRM",
        "url": receiver.url(PATH),
        "triggers": [{"eventType": "node_execution"}],
        "enabled": True,
    }
    with requests.Session() as session:
        assert post(session, program, "/v1/webhookconfig/save", config) == 201


def post(session: requests.Session, program: Standalone, path: str, body: object) -> int:
    authorization = {"Authorization": f"Bearer {program.api_key}"}
    return session.post(program.api_url + path, json=body, headers=authorization).status_code


def wait_for_all(names: set[str], receiver: Receiver, program: Standalone) -> None:
    """With sweeps for repair meanwhile: one a minute would take long."""
    missing, seen, looks = set(names), 0, 0
    while missing:
        new = receiver.requests()[seen:]
        missing -= set(map(name_of, new))
        seen += len(new)
        looks = 0 if new else looks + 1
        assert looks < MAX_LOOKS, f"{len(missing)} of {len(names)} events are lost"
        if not new:
            admin.invoke(program.data, "repair", {"operation": "sweep"})
            time.sleep(PAUSE_S)


def wait_until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        time.sleep(0.01)


def repeated(seen: list[Received]) -> dict[str, int]:
    """How often more than once, by webhook-id."""
    counts = Counter(request.headers["webhook-id"] for request in seen)
    return {webhook_id: count - 1 for webhook_id, count in counts.items() if count > 1}


def name_of(request: Received) -> str:
    name: str = json.loads(request.body)["hit"]["hit_id"]
    return name
