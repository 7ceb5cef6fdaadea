"""Cold start with the first event: what a caller waits for who comes when no worker is warm."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.benchmarks import artefact, cold_start, scenes
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.scenes import Scene

FUNCTIONS = ("ingest", "fanout", "dispatch", "retry")


def table() -> Table:
    return Table(
        title="Cold start with the first event",
        about="As above, and then the process handles one event of 1 KB; AWS's answers come from "
        "within the process. So the figure includes models and clients that are made at their "
        "first use. The floor is the floor of the cold start and handles no event; median of "
        f"{cold_start.RUNS} runs.",
        figures=tuple(map(_figure, FUNCTIONS)),
    )


def _figure(function: str) -> Figure:
    services = cold_start.SERVICES[function]
    own, floor = [], []
    with scenes.of(function, events=1) as scene, written(scene) as tape:
        for _ in range(cold_start.RUNS):
            floor.append(cold_start.start("floor", services).cpu_ms)
            own.append(cold_start.start(function, services, tape, scene.variables).cpu_ms)
    return Figure(what=function, value=median(own), unit="ms CPU", floor=median(floor))


@contextmanager
def written(scene: Scene) -> Iterator[Path]:
    """The scene as a file that a process without any of this can read."""
    answers = {
        name: [(status, headers, base64.b64encode(body).decode()) for status, headers, body in some]
        for name, some in scene.tape.answers.items()
    }
    path = artefact.STATE.absolute() / "first_event.json"
    tape = {"event": scene.invocations[0], "now": scene.now, "answers": answers}
    path.write_text(json.dumps(tape))
    yield path
    path.unlink()
