"""Records of a queue or a stream, one by one: a bad one comes back alone."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.observability import fault, logger

Record = dict[str, Any]


def failures(record_ids: Iterable[str]) -> dict[str, Any]:
    """The partial batch response that brings these records, and no others, back."""
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in record_ids]}


def each(
    records: Iterable[Record], id_of: Callable[[Record], str], work: Callable[[Record], None]
) -> list[str]:
    """The ids of the records at which `work` failed."""
    failed = []
    for record in records:
        try:
            work(record)
        except Exception as error:
            logger.error("record.failed", record=id_of(record), **fault(error))
            failed.append(id_of(record))
    return failed


def message_id(record: Record) -> str:
    return str(record["messageId"])
