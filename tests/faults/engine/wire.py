"""The way from a handler's client to the service and back, where calls fail, hang and repeat.

Requests are repeated as botocore's standard mode does: the same request, up to four times, after
what may have been applied or not.
"""

from collections.abc import Callable
from random import Random

from botocore.exceptions import ClientError, ReadTimeoutError

from shared.standalone.engine.errors import client_error
from shared.standalone.engine.template import Json
from tests.faults.engine import simulation
from tests.faults.engine.faults import Call, Faults, Kind, NoFaults, Struck
from tests.faults.engine.simulation import Task

TRIES = 4
READ_TIMEOUT_MS = 5_000
MAX_BACKOFF_MS = 20_000
FREEZE_MS = 60_000

Apply = Callable[[], Json]
Interrupted = Callable[[Task, str], None]


class Wire:
    """`latency_ms` is drawn for each try. `interrupted` hears what stopped a worker, and where."""

    def __init__(self, random: Random, latency_ms: tuple[int, int]) -> None:
        self.faults: Faults = NoFaults()
        self.struck = Struck()
        self.interrupted: Interrupted = lambda task, why: None
        self._random = random
        self._latency_ms = latency_ms

    def call(self, operation: str, apply: Apply, partial: Apply | None = None) -> Json:
        for number in range(TRIES):
            try:
                return self._try(operation, apply, partial)
            except (ReadTimeoutError, ClientError) as error:
                if number == TRIES - 1 or not _is_repeated(error):
                    self._give_up(operation, error)
                    raise
            backoff = min(1_000 * 2**number, MAX_BACKOFF_MS)
            simulation.sleep(round(self._random.random() * backoff))
        raise AssertionError("not reached")

    def _try(self, operation: str, apply: Apply, partial: Apply | None) -> Json:
        task = simulation.current()
        assert task is not None, f"{operation} outside of the simulation"
        kind = self._fault(task, operation)
        self.stop(task, kind, operation, before=True)
        simulation.sleep(self._random.randint(*self._latency_ms))
        _refuse(operation, kind)
        applied = partial if kind is Kind.PARTIAL and partial is not None else apply
        answer = applied()
        if kind is Kind.TIMEOUT_AFTER:
            simulation.sleep(READ_TIMEOUT_MS)
            raise ReadTimeoutError(endpoint_url=operation)
        self.stop(task, kind, operation, before=False)
        return answer

    def _fault(self, task: Task, operation: str) -> Kind | None:
        kind = self.faults.at(Call(task.group.name, operation))
        if kind is not None:
            self.struck.note(kind, operation)
        return kind

    def stop(self, task: Task, kind: Kind | None, operation: str, *, before: bool) -> None:
        """Crash or freeze the worker, if that is what strikes here."""
        crash = Kind.CRASH_BEFORE if before else Kind.CRASH_AFTER
        freeze = Kind.FREEZE_BEFORE if before else Kind.FREEZE_AFTER
        where = f"{'before' if before else 'after'} {operation}"
        if kind is crash:
            simulation.crash(task.group, f"crashed {where}")
        if kind is freeze:
            self.interrupted(task, f"froze {where}")
            if task.group.deadline is not None:
                task.group.deadline += FREEZE_MS  # its own time stands still too
            simulation.sleep(FREEZE_MS)

    def _give_up(self, operation: str, error: Exception) -> None:
        task = simulation.current()
        if task is not None and _is_repeated(error):
            self.interrupted(task, f"{operation} failed {TRIES} times")


def _refuse(operation: str, kind: Kind | None) -> None:
    if kind is Kind.THROTTLED:
        raise client_error(operation, _throttling(operation))
    if kind is Kind.TIMEOUT_BEFORE:
        simulation.sleep(READ_TIMEOUT_MS)
        raise ReadTimeoutError(endpoint_url=operation)
    if kind is Kind.CONFLICT:
        reasons = {"CancellationReasons": [{"Code": "TransactionConflict"}]}
        raise client_error(operation, "TransactionCanceledException", more=reasons)


def _throttling(operation: str) -> str:
    of_dynamodb = not operation.startswith("SendMessage")
    return "ProvisionedThroughputExceededException" if of_dynamodb else "ThrottlingException"


def _is_repeated(error: Exception) -> bool:
    """What botocore repeats by itself in standard mode."""
    if isinstance(error, ReadTimeoutError):
        return True
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in {
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
        "InternalServerError",
        "TransactionInProgressException",
    }
