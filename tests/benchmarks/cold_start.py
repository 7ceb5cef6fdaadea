"""Cold start of each function from the built artefact, in a fresh process, against the floor."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any

from shared.model import Model
from tests.benchmarks import artefact
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.scenes import is_done
from tests.local.emulator import PYTHON

RUNS = 15
AT_MOST = 1.15
# The services whose clients a function makes for its first event that goes well.
SERVICES = {
    "configs": ("dynamodb",),
    "ingest": ("dynamodb",),
    "imports": ("dynamodb", "s3"),
    "fanout": ("dynamodb", "sqs"),
    "dispatch": ("dynamodb",),
    "retry": ("dynamodb",),
    "repair": ("dynamodb", "sqs"),
    "deliveries": ("dynamodb",),
}
_PROCESS = Path(__file__).with_name("cold_process.py")
_ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "POWERTOOLS_SERVICE_NAME": "benchmark",
    "LANG": "C.UTF-8",
    "PATH": os.defpath,
}


class Start(Model):
    cpu_ms: float
    peak_mb: float
    modules: tuple[str, ...]
    reply: dict[str, Any]


def table() -> Table:
    """Floors and functions take turns, so that a busy moment of the machine meets them all."""
    figures: list[Figure] = []
    floors = sorted(set(SERVICES.values()))
    wanted = [*(("floor", one) for one in floors), *SERVICES.items()]
    starts: dict[tuple[str, tuple[str, ...]], list[Start]] = {one: [] for one in wanted}
    for _ in range(RUNS):
        for one in wanted:
            starts[one].append(start(*one))
    for name, services in SERVICES.items():
        own, floor = starts[name, services], starts["floor", services]
        figures += _figures(name, own, floor)
    return Table(
        title="Cold start",
        about=f"CPU time of a new process from its first instruction until all modules are "
        "imported and the first AWS clients are made, and its peak memory; median of "
        f"{RUNS} runs. The floor is a process that imports Powertools' Logger and pydantic's "
        "BaseModel, makes the same clients with boto3, and does nothing else.",
        figures=tuple(figures),
    )


def _figures(name: str, own: Sequence[Start], floor: Sequence[Start]) -> list[Figure]:
    return [
        Figure(
            what=name,
            value=median(one.cpu_ms for one in own),
            unit="ms CPU",
            floor=median(one.cpu_ms for one in floor),
            at_most=AT_MOST,
        ),
        Figure(
            what=f"{name}, peak memory",
            value=median(one.peak_mb for one in own),
            unit="MB",
            floor=median(one.peak_mb for one in floor),
        ),
    ]


def start(
    name: str,
    services: Sequence[str],
    tape: Path | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Start:
    """With a `tape`, its event is handled too."""
    built = (artefact.built(),) if name == "floor" else artefact.folders(name)
    folders = [str(folder) for folder in (*built, artefact.runtime())]
    ran = subprocess.run(
        [PYTHON, "-I", "-S", _PROCESS, name, ",".join(services), str(tape or ""), *folders],
        env=_ENVIRONMENT | dict(variables),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    started = Start.model_validate(json.loads(ran.stdout.splitlines()[-1]))
    assert is_done(started.reply), started.reply
    return started
