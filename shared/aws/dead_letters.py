"""Dead letters: messages that are refused for good, sent to their queue with the reason."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared.clock import Clock, rfc3339
from shared.errors import FaultError, FunnelhooksError
from shared.model import Model

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

# Messages that SQS takes in a batch.
BATCH = 10
# SQS counts attributes towards the size of a message, so they are bounded.
MAX_MESSAGE = 500
MAX_PATHS = 10
MAX_PATH = 100


class DeadLettersNotSentError(FaultError):
    """SQS refused some of the dead letters."""


class DeadLetter(Model):
    """A message, or one event of its batch, as it can be sent again.

    `source_id` is the id of the message, bus event or invocation that brought it.
    """

    body: str
    source_id: str
    error_code: str
    error_message: str
    error_fields: tuple[str, ...] = ()
    batch_index: int | None = None


def dead_letter(body: str, source_id: str, error: FunnelhooksError) -> DeadLetter:
    return DeadLetter(
        body=body,
        source_id=source_id,
        error_code=error.code,
        error_message=error.message,
        error_fields=tuple(field.path for field in error.fields),
    )


class DeadLetters:
    def __init__(self, sqs: "SQSClient", url: str, clock: Clock) -> None:
        self._sqs = sqs
        self._url = url
        self._clock = clock

    def put(self, letters: Sequence[DeadLetter]) -> None:
        """Raises DeadLettersNotSentError if SQS refuses any of them."""
        refused_at = rfc3339(self._clock())
        entries = [_entry(number, one, refused_at) for number, one in enumerate(letters)]
        for start in range(0, len(entries), BATCH):
            batch = entries[start : start + BATCH]
            answer = self._sqs.send_message_batch(QueueUrl=self._url, Entries=batch)
            if answer.get("Failed"):
                raise DeadLettersNotSentError(
                    f"{len(answer['Failed'])} of {len(batch)} dead letters"
                )


def sendable(text: str, limit: int) -> str:
    """The beginning of `text`. Characters that SQS refuses are replaced."""
    begun = text[:limit]
    return "".join(one if _is_sendable(ord(one)) else "\N{REPLACEMENT CHARACTER}" for one in begun)


def _is_sendable(code: int) -> bool:
    """Source: Amazon SQS API Reference, SendMessage."""
    return (
        code in (0x9, 0xA, 0xD)
        or 0x20 <= code <= 0xD7FF
        or 0xE000 <= code <= 0xFFFD
        or code >= 0x10000
    )


def _entry(number: int, one: DeadLetter, refused_at: str) -> Any:
    values = {
        "error_code": one.error_code,
        "error_message": sendable(one.error_message, MAX_MESSAGE),
        "error_fields": _paths(one.error_fields),
        "source_id": one.source_id,
        "refused_at": refused_at,
    }
    attributes = {name: _attribute("String", value) for name, value in values.items() if value}
    if one.batch_index is not None:
        attributes["batch_index"] = _attribute("Number", str(one.batch_index))
    return {"Id": str(number), "MessageBody": one.body, "MessageAttributes": attributes}


def _paths(paths: Sequence[str]) -> str:
    """A JSON array in ASCII; empty without paths."""
    return json.dumps([path[:MAX_PATH] for path in paths[:MAX_PATHS]]) if paths else ""


def _attribute(kind: str, value: str) -> dict[str, str]:
    return {"DataType": kind, "StringValue": value}
