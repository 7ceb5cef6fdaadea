"""The Lambda runtime: batches of records, and when Python collects garbage."""

import gc
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from shared.observability import fault, logger

Record = dict[str, Any]
P = ParamSpec("P")
T = TypeVar("T")

# An event leaves fewer than 10 objects in cycles; a look at all objects of a batch takes 0.1 ms.
WARM_THRESHOLD = (2_000, 10, 10)


def each(
    records: Iterable[Record], id_of: Callable[[Record], str], work: Callable[[Record], None]
) -> list[str]:
    """Do the work for each record. Returns the ids of the records whose work raised an error."""
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


def failures(record_ids: Iterable[str]) -> dict[str, Any]:
    """The partial batch response: Lambda brings back these records and no others."""
    return {"batchItemFailures": [{"itemIdentifier": record_id} for record_id in record_ids]}


def collected_when_warm(handler: Callable[P, T]) -> Callable[P, T]:
    """After the first event, the collector runs often and ignores the objects of the cold start.

    Until then, `functions/__init__.py` keeps it from running (docs/decisions/0018-performance.md).
    """

    @wraps(handler)
    def handle(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return handler(*args, **kwargs)
        finally:
            # Only the first number: some collectors keep no other.
            if gc.get_threshold()[0] > WARM_THRESHOLD[0]:
                gc.freeze()
                gc.set_threshold(*WARM_THRESHOLD)

    return handle
