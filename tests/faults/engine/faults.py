"""What can go wrong at a call, and who decides that it does."""

from collections import Counter
from collections.abc import Callable, Mapping
from enum import StrEnum
from random import Random
from typing import NamedTuple, Protocol


class Kind(StrEnum):
    THROTTLED = "throttled"
    TIMEOUT_BEFORE = "timed out, not applied"
    TIMEOUT_AFTER = "applied, answer lost"
    CRASH_BEFORE = "crashed before"
    CRASH_AFTER = "crashed after"
    FREEZE_BEFORE = "froze before"
    FREEZE_AFTER = "froze after"
    PARTIAL = "done in part"
    CONFLICT = "transaction conflict"


class Call(NamedTuple):
    """One try of an operation, or the sending of a request, by a function."""

    function: str
    operation: str


SEND = "Send"

# What makes no sense elsewhere.
_ONLY_AT = {
    Kind.PARTIAL: ("SendMessageBatch", "BatchGetItem"),
    Kind.CONFLICT: ("TransactWriteItems",),
}
# What a receiver does wrong is in its plan; here it is our side.
_AT_SEND = frozenset({Kind.CRASH_BEFORE, Kind.CRASH_AFTER, Kind.FREEZE_AFTER})


def applies(kind: Kind, call: Call) -> bool:
    if call.operation == SEND:
        return kind in _AT_SEND
    return call.operation in _ONLY_AT.get(kind, (call.operation,))


class Faults(Protocol):
    def at(self, call: Call) -> Kind | None: ...


class NoFaults:
    def at(self, call: Call) -> Kind | None:
        return None


class RandomFaults:
    """Each kind strikes with its rate at every call; `outages` are operations that fail all."""

    def __init__(self, random: Random, rates: Mapping[Kind, float]) -> None:
        self._random = random
        self._rates = dict(rates)
        self._any = sum(rates.values())

    def at(self, call: Call) -> Kind | None:
        drawn = self._random.random()
        if drawn >= self._any:
            return None
        for kind, rate in self._rates.items():
            if drawn < rate:
                return kind if applies(kind, call) else None
            drawn -= rate
        return None


class ScriptedFaults:
    """Strikes at calls that were chosen before: the n-th from now on of an operation."""

    def __init__(self) -> None:
        self._armed: list[tuple[str, int, Kind]] = []

    def arm(self, operation: str, skip: int, kind: Kind) -> None:
        self._armed.append((operation, skip, kind))

    def disarm(self) -> None:
        self._armed.clear()

    def at(self, call: Call) -> Kind | None:
        struck: Kind | None = None
        left = []
        for operation, skip, kind in self._armed:
            if operation != call.operation:
                left.append((operation, skip, kind))
            elif skip:
                left.append((operation, skip - 1, kind))
            elif struck is None and applies(kind, call):
                struck = kind
        self._armed = left
        return struck


class Outage:
    """For a while one service answers nobody; otherwise as `inner` decides."""

    def __init__(self, inner: Faults, is_out: Callable[[Call], bool]) -> None:
        self._inner = inner
        self._is_out = is_out

    def at(self, call: Call) -> Kind | None:
        return Kind.TIMEOUT_BEFORE if self._is_out(call) else self._inner.at(call)


class Struck:
    """How often each fault has struck, by kind and by operation."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()

    def note(self, kind: str, operation: str) -> None:
        self.kinds[kind] += 1
        self.calls[f"{operation}: {kind}"] += 1
