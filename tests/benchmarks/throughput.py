"""Deliveries a second of one dispatch worker against endpoints that take their time."""

import time

from tests.benchmarks import scenes
from tests.benchmarks.figures import Figure, Table

ENDPOINTS_MS = (10, 50, 200)
BATCHES = 40
AT_LEAST = 0.8


def table() -> Table:
    return Table(
        title="Dispatch throughput",
        about=f"One worker process handles {BATCHES} batches of {scenes.BATCH}, one after the "
        "other; AWS's answers come from within the process. The floor is the rate if only the "
        "endpoint takes time: batch ÷ latency. If the CPU time of a batch is more than a fifth of "
        "the latency, the CPU limits the worker, and there is no target.",
        figures=tuple(map(_figure, ENDPOINTS_MS)),
    )


def _figure(endpoint_ms: int) -> Figure:
    allowed = scenes.BATCH / (endpoint_ms / 1000)
    with scenes.of("dispatch", f"/slow/{endpoint_ms}") as scene, scene.playing() as invoke:
        invoke()
        began, cpu = time.monotonic(), time.process_time()
        for _ in range(BATCHES):
            invoke()
        took = time.monotonic() - began
        batch_ms = (time.process_time() - cpu) / BATCHES * 1000
    return Figure(
        what=f"endpoints that take {endpoint_ms} ms",
        value=BATCHES * scenes.BATCH / took,
        unit="deliveries/s",
        floor=allowed,
        at_least=AT_LEAST if batch_ms <= (1 - AT_LEAST) * endpoint_ms else None,
        note=f"{batch_ms:.0f} ms CPU for a batch",
    )
