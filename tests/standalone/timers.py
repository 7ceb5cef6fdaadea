"""A timer that a test drives."""

import heapq
from itertools import count

from shared.standalone.timer import Work
from tests.fakes import NOW


class DrivenTimer:
    """The clock of a machine and what is due on it: time passes when the test says so."""

    def __init__(self) -> None:
        self.time_ms = float(NOW)
        self._due: list[tuple[float, int, Work]] = []
        self._numbers = count()

    def __call__(self) -> int:
        return int(self.time_ms)

    def now_ms(self) -> float:
        return self.time_ms

    def after(self, ms: float, work: Work) -> None:
        heapq.heappush(self._due, (self.time_ms + max(0.0, ms), next(self._numbers), work))

    def advance(self, ms: float) -> None:
        end = self.time_ms + ms
        while self._due and self._due[0][0] <= end:
            self.time_ms, _, work = heapq.heappop(self._due)
            work()
        self.time_ms = end

    def forget(self) -> None:
        """As when the program ends."""
        self._due.clear()

    def __len__(self) -> int:
        return len(self._due)
