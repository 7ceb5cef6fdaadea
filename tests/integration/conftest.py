"""A fresh platform for every test, and a receiver for what it sends."""

from collections.abc import Iterator
from threading import RLock
from typing import Any
from unittest.mock import patch

import pytest
from moto.core.botocore_stubber import BotocoreStubber

from tests.integration.world import World, new_world
from tests.local.receiver import Receiver


@pytest.fixture(scope="session", autouse=True)
def _one_write_at_a_time() -> Iterator[None]:
    """DynamoDB checks a condition and writes in one step; moto, under threads, in two."""
    lock, answer = RLock(), BotocoreStubber.process_request

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return answer(stubber, request)

    with patch.object(BotocoreStubber, "process_request", one_at_a_time):
        yield


@pytest.fixture
def world() -> Iterator[World]:
    with new_world() as world:
        yield world


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver
