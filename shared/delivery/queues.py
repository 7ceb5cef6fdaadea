"""Pointer messages: ids and nothing else."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from shared.clock import MS_PER_S
from shared.model import Model

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

# SQS caps DelaySeconds at 900 and a batch at 10 messages.
MAX_DELAY_MS = 900 * MS_PER_S
BATCH = 10


class Pointer(Model):
    """The attempt of a delivery that is to be made."""

    workspace_id: str
    config_id: str
    request_id: UUID
    attempt: int


class NotQueuedError(Exception):
    """SQS took some of the messages, and not the others."""


class Queue:
    def __init__(self, sqs: "SQSClient", url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, pointers: Sequence[Pointer], delay_ms: int = 0) -> None:
        """Messages of a config share a group: its backlog waits behind the others' (fair queues).

        Raises NotQueuedError if any of them was not taken.
        """
        for start in range(0, len(pointers), BATCH):
            self._send_batch(pointers[start : start + BATCH], delay_ms)

    def _send_batch(self, pointers: Sequence[Pointer], delay_ms: int) -> None:
        entries = [_entry(number, pointer, delay_ms) for number, pointer in enumerate(pointers)]
        answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=entries)
        if answer.get("Failed"):
            raise NotQueuedError(f"{len(answer['Failed'])} of {len(entries)} messages")


def delay_s(delay_ms: int) -> int:
    """Whole seconds, rounded up, within what SQS takes: never early, at most a second late."""
    return -(-min(max(delay_ms, 0), MAX_DELAY_MS) // MS_PER_S)


def _entry(number: int, pointer: Pointer, delay_ms: int) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": str(number),
        "MessageBody": pointer.model_dump_json(),
        "DelaySeconds": delay_s(delay_ms),
        "MessageGroupId": f"{pointer.workspace_id}.{pointer.config_id}",
    }
