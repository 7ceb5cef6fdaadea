"""An empty platform for every test, and a receiver for what it sends."""

from collections.abc import Iterator
from threading import Thread

import pytest

from tests.integration.account import Account
from tests.integration.engine_account import account_in_memory
from tests.integration.world import World, new_world
from tests.local.receiver import Receiver


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with account_in_memory() as account:
        yield account


@pytest.fixture
def world(account: Account) -> Iterator[World]:
    with new_world(account) as world:
        yield world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    Thread(target=receiver.stop).start()  # it takes a while, for which nobody has to wait
