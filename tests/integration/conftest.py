"""An empty platform for every test, and a receiver for what it sends."""

import os
from collections.abc import Iterator
from threading import RLock, Thread
from typing import Any
from unittest.mock import patch

import pytest
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from tests.integration.account import Account
from tests.integration.world import World, new_world
from tests.local.receiver import Receiver


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """DynamoDB checks a condition and writes in one step; moto, under threads, in two."""
    lock, answer = RLock(), BotocoreStubber.process_request

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return answer(stubber, request)

    # A queue is emptied after every test, and not once a minute.
    often = patch.dict(os.environ, {"MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false"})
    with mock_aws(), often, patch.object(BotocoreStubber, "process_request", one_at_a_time):
        yield Account()


@pytest.fixture
def world(account: Account) -> Iterator[World]:
    with new_world(account) as world:
        yield world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    Thread(target=receiver.stop).start()  # it takes a while, for which nobody has to wait
