"""CPU of a warm worker for each event, against the least that the same work takes."""

import gc
import time
from collections.abc import Callable
from statistics import median

from tests.benchmarks import floors, scenes
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.scenes import Scene

BLOCKS = 25
EVENTS_IN_A_BLOCK = 50
AT_MOST = {"ingest": 2.0, "fanout": 1.5, "dispatch": 1.5, "retry": 1.5}


def table() -> Table:
    return Table(
        title="Warm CPU",
        about=f"CPU time of the worker for each event of 1 KB, median of {BLOCKS} blocks. AWS's "
        "answers come from within the process, after botocore has signed the request; the receiver "
        "is a process of its own. The floors use boto3's clients unchanged. The floor of *ingest* "
        "parses, validates with the same models and makes the same PutItem. The floor of *fanout* "
        "reads the same records into the same models and makes the same queries and the same send "
        "for ten. The floors of *dispatch* and *retry* make the same two writes and a POST of the "
        "same body by one pooled session of requests.",
        figures=tuple(map(_figure, AT_MOST)),
    )


def _figure(function: str) -> Figure:
    with scenes.of(function) as scene, scene.playing(*floors.clients()) as invoke:
        own, floor = _alternating(invoke, lambda: floors.FLOORS[function](scene), scene)
    return Figure(what=function, value=own, unit="ms CPU", floor=floor, at_most=AT_MOST[function])


def _alternating(
    own: Callable[[], None], floor: Callable[[], None], scene: Scene
) -> tuple[float, float]:
    """Medians in ms for an event; both take turns, so that what slows one slows the other."""
    times: tuple[list[float], list[float]] = ([], [])
    rounds = EVENTS_IN_A_BLOCK // scene.events
    for work in (own, floor):
        _timed(work, 2)  # what is made at the first use
    gc.collect()
    gc.freeze()
    for _ in range(BLOCKS):
        for work, taken in zip((own, floor), times, strict=True):
            taken.append(_timed(work, rounds) / rounds / scene.events)
    gc.unfreeze()
    return median(times[0]), median(times[1])


def _timed(work: Callable[[], None], rounds: int) -> float:
    began = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - began) * 1000
