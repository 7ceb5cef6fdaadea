"""moto, with an account in it that has the template's tables and queues."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any
from unittest.mock import patch

from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from tests.integration.account import Account


@contextmanager
def mocked_account() -> Iterator[Account]:
    """DynamoDB checks a condition and writes in one step; moto, under threads, in two."""
    lock, answer = RLock(), BotocoreStubber.process_request

    def one_at_a_time(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return answer(stubber, request)

    # A queue is emptied after every test, and not once a minute.
    often = patch.dict(os.environ, {"MOTO_SQS_ENFORCE_STRICT_QUEUE_PURGE_BEHAVIOUR": "false"})
    with mock_aws(), often, patch.object(BotocoreStubber, "process_request", one_at_a_time):
        yield Account()
