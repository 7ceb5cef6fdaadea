"""One deployed stack for all tests of this folder; a workspace and a receiver for each."""

from collections.abc import Iterator

import pytest

from tests.local.receiver import Receiver
from tests.local.stack import Stack, down, up
from tests.stack.client import Client

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
