"""Messages hold ids and nothing else: an attempt message asks for an attempt of a delivery."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from shared.clock import MS_PER_S
from shared.errors import FaultError
from shared.model import Model

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# SQS caps DelaySeconds at 900 and a batch at 10 messages.
MAX_DELAY_MS = 900 * MS_PER_S
BATCH = 10
# About how long a message takes to a worker. A claim accepts an attempt that comes this early.
TRANSIT_MS = 200
# boto3's pool has 25 connections.
PARALLEL = 20


class Message(Protocol):
    @property
    def group(self) -> str: ...

    def model_dump_json(self, *, exclude_defaults: bool = ...) -> str: ...


class AttemptMessage(Model):
    """The attempt of a delivery that is to be made.

    `in_turn` says that it comes at the moment that the rate limiter reserved for it.
    """

    workspace_id: str
    config_id: str
    request_id: UUID
    attempt: int
    in_turn: bool = False

    @property
    def group(self) -> str:
        return f"{self.workspace_id}.{self.config_id}"


class MessagesNotSentError(FaultError):
    """SQS took some of the messages and refused the others."""


class Queue:
    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, messages: Sequence[Message], delay_ms: int = 0) -> None:
        """The messages of a config share a group: its backlog waits behind others (fair queues).

        Raises MessagesNotSentError if SQS refused any of them.
        """
        batches = [messages[start : start + BATCH] for start in range(0, len(messages), BATCH)]
        if len(batches) == 1:
            self._send_batch(batches[0], delay_ms)
        elif batches:
            with ThreadPoolExecutor(min(PARALLEL, len(batches))) as pool:
                list(pool.map(lambda batch: self._send_batch(batch, delay_ms), batches))

    def send_at(self, messages: Sequence[tuple[Message, int]], now: int) -> None:
        """Each message for a moment of its own (ms); the moments are in order."""
        for delay, some in groupby(messages, lambda pair: delay_s(pair[1] - now)):
            self.send([message for message, _ in some], delay * MS_PER_S)

    def _send_batch(self, messages: Sequence[Message], delay_ms: int) -> None:
        entries = [_entry(number, message, delay_ms) for number, message in enumerate(messages)]
        answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            raise MessagesNotSentError(f"{len(answer['Failed'])} of {len(entries)} messages")


def delay_s(delay_ms: int) -> int:
    """Whole seconds, rounded up, at most what SQS takes. The time that a message takes to a worker
    is subtracted, so that no attempt begins a second late."""
    return -(-min(max(delay_ms - TRANSIT_MS, 0), MAX_DELAY_MS) // MS_PER_S)


def _entry(number: int, message: Message, delay_ms: int) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": str(number),
        "MessageBody": message.model_dump_json(exclude_defaults=True),
        "DelaySeconds": delay_s(delay_ms),
        "MessageGroupId": message.group,
    }
