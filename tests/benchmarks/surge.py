"""A surge against the dispatch queue, batch by batch: does the arithmetic of scale.py hold?"""

import heapq
from typing import NamedTuple

from tests.benchmarks import scale


class Surge(NamedTuple):
    """`waits_s` are those of the messages, in the order in which they came.

    `delivered_per_s` is of the second half of them, when all workers are there.
    """

    delivered_per_s: float
    waits_s: list[float]


def run(rate: float, seconds: float, endpoint_ms: float, workers: int) -> Surge:
    """Messages come evenly from one moment on; workers are added as Lambda adds them."""
    service, count = scale.dispatch_s(endpoint_ms), int(rate * seconds)
    free = [_starts(number) for number in range(workers)]
    heapq.heapify(free)
    waits: list[float] = []
    last = half = 0.0
    taken = 0
    while taken < count:
        at = max(heapq.heappop(free), taken / rate)
        arrived = min(count, int(at * rate) + 1)
        batch = min(scale.batch(), arrived - taken)
        waits += [at - number / rate for number in range(taken, taken + batch)]
        taken += batch
        last = at + service
        half = half or (last if 2 * taken >= count else 0.0)
        heapq.heappush(free, last)
    return Surge(count / 2 / (last - half), waits)


def _starts(worker: int) -> float:
    return max(0.0, (worker - scale.FIRST_BATCHES + 1) / scale.BATCHES_A_MINUTE * 60)
