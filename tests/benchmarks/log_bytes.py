"""How much the handlers log."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from shared.observability import logger

# What CloudWatch adds to each line when it counts.
OVERHEAD = 26
# As Lambda sets it where tracing is active; it becomes part of every line.
_TRACE = "Root=1-69265f3d-7ab9e1c24d5f8a0b6c3e9d12;Parent=53995c3f42cd8ad8;Sampled=0"


class LogBytes:
    """Stands in for stdout: counts, keeps nothing."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, text: str) -> None:
        self.count += len(text.encode()) + OVERHEAD * text.count("\n")

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> int:
        taken, self.count = self.count, 0
        return taken


@contextmanager
def counted() -> Iterator[LogBytes]:
    handler, count = logger.registered_handler, LogBytes()
    trace = patch.dict(os.environ, {"_X_AMZN_TRACE_ID": _TRACE})
    with trace, patch.object(handler, "stream", count):
        yield count
