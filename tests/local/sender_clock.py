"""A clock for the sender that no busy machine moves: time passes where a test says so."""

import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from shared.outbound import connection, dns
from shared.outbound.connection import Stage

_ORDER = list(Stage)
# What a socket waits for in real time, once all is as the test wants it.
LEFT_S = 0.3


class SenderClock:
    """Stands still until a request is in `stage`; there it shows `at_s` after the beginning.

    From then on each reading adds `step_s`, so that the time of a peer that drips runs out after
    some calls, however long they take.
    """

    def __init__(self, stage: Stage | None = None, at_s: float = 0, step_s: float = 0) -> None:
        self._stage = stage
        self._at_s = at_s
        self._step_s = step_s
        self._now = 0.0

    def __call__(self) -> float:
        exchange = connection.current.get(None)
        if exchange is None or self._stage is None or not self._has_come(exchange.stage):
            return self._now
        shown = self._now = max(self._now, exchange.started + self._at_s)
        self._now += self._step_s
        return shown

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def _has_come(self, stage: Stage) -> bool:
        assert self._stage is not None
        return _ORDER.index(stage) >= _ORDER.index(self._stage)


SetClock = Callable[[SenderClock], None]


def settable_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    def set_clock(clock: SenderClock) -> None:
        stand_in = SimpleNamespace(monotonic=clock, time=time.time)
        monkeypatch.setattr(connection, "time", stand_in)
        monkeypatch.setattr(dns, "time", stand_in)

    return set_clock
