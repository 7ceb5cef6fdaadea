"""Work that is called later, by one thread."""

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

from shared.observability import fault, logger

Work = Callable[[], None]


class Timer(Protocol):
    """Its time only moves forward, whatever happens to the clock of the machine."""

    def now_ms(self) -> float: ...

    def after(self, ms: float, work: Work) -> None: ...


class ThreadTimer:
    """Calls are short, and on the timer's own thread. One that raises is logged."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._due: list[tuple[float, int, Work]] = []
        self._numbers = count()
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, name="timer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """What is not called by now never is."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def now_ms(self) -> float:
        return time.monotonic() * 1000

    def after(self, ms: float, work: Work) -> None:
        entry = (time.monotonic() + ms / 1000, next(self._numbers), work)
        with self._changed:
            heapq.heappush(self._due, entry)
            if self._due[0] is entry:
                self._changed.notify()

    def _run(self) -> None:
        while (work := self._next()) is not None:
            try:
                work()
            except Exception as error:
                logger.error("timer.failed", **fault(error))

    def _next(self) -> Work | None:
        """Waits for the next call; None once the timer is stopped."""
        with self._changed:
            while not self._is_stopped:
                wait_s = self._due[0][0] - time.monotonic() if self._due else None
                if wait_s is not None and wait_s <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait_s)
            return None
