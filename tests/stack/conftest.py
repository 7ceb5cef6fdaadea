"""A deployed stack for all tests that a process runs; a workspace and a receiver for each test.

Most of these tests wait for a stack, so several processes share them, each with a stack of its own.
"""

import os
from collections.abc import Iterator

import pytest

from tests.local.receiver import Receiver
from tests.local.stack import Stack, down, up
from tests.stack.client import Client

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["FUNNELHOOKS_STATE"] += f"-{os.environ['PYTEST_XDIST_WORKER']}"

# They take longest: the other files fill the gaps after them.
LONGEST = (
    "test_openapi.py",
    "test_replays.py",
    "test_runbook.py",
    "test_health.py",
    "test_faults.py",
    "test_many_configs.py",
)

# Short, so that repair can be watched; a schedule's minute lasts two seconds.
PARAMETERS = {"RepairAfterSeconds": "3"}
MINUTE_S = 2


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    yield up(parameters=PARAMETERS, minute_s=MINUTE_S)
    down()


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client(stack)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: (item.path.name not in LONGEST, _place(item.path.name)))


def _place(name: str) -> int:
    return LONGEST.index(name) if name in LONGEST else 0
