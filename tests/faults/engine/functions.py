"""The template's functions, invoked in virtual time, each in a process of its own."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from shared.standalone.engine.template import Json, resolved, template
from shared.standalone.functions import stage_of
from tests.faults.engine import simulation
from tests.faults.engine.simulation import Group, Simulation, Task

PARAMETERS = {"AllowPrivateTargets": "true"}


class Context:
    """What Lambda hands to a handler."""

    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-454f-963f-5f0f9a621d72"

    def __init__(self, simulation: Simulation, group: Group) -> None:
        self.function_name = group.name
        self._simulation = simulation
        self._group = group

    def get_remaining_time_in_millis(self) -> int:
        deadline = self._group.deadline
        assert deadline is not None
        return max(0, deadline - self._simulation.now)


class Invocation(NamedTuple):
    group: Group
    task: Task

    @property
    def answer(self) -> Any:
        """What the handler gave; None if it raised, ran out of time or crashed."""
        return None if self.task.failure else self.task.result

    @property
    def failed(self) -> bool:
        return self.task.failure is not None


class Function:
    def __init__(self, name: str, properties: Json, simulation: Simulation) -> None:
        module, _, handler = properties["Handler"].rpartition(".")
        self.name = name
        self.timeout_ms = 1000 * properties["Timeout"]
        self.handler: Callable[[Json, Any], Any] = getattr(importlib.import_module(module), handler)
        self._simulation = simulation

    def begin(self, event: Json, skew_ms: int = 0) -> Invocation:
        """Runs on its own from here; its clock is wrong by `skew_ms`."""
        group = Group(self.name)
        group.skew_ms = skew_ms
        return Invocation(group, self._simulation.spawn(lambda: self._run(event, group), group))

    def _run(self, event: Json, group: Group) -> Any:
        group.deadline = self._simulation.now + self.timeout_ms
        return self.handler(event, Context(self._simulation, group))


def all_functions(simulation: Simulation) -> dict[str, Function]:
    """By their stage: `ingest`, `fanout`, …"""
    return {
        (stage := stage_of(name)): Function(stage, properties, simulation)
        for name, properties in template().functions().items()
    }


class Environment(Mapping[str, str]):
    """The variables of the function that asks: in one process there is one for each."""

    def __init__(self, queue_url: str) -> None:
        self._of = {
            stage_of(name): {
                variable: str(resolved(value, lambda ref: _ref(ref, queue_url), {}))
                for variable, value in function["Environment"]["Variables"].items()
            }
            for name, function in template().functions().items()
        }

    def __getitem__(self, name: str) -> str:
        return self._mine()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._mine())

    def __len__(self) -> int:
        return len(self._mine())

    def _mine(self) -> Mapping[str, str]:
        task = simulation.current()
        return {} if task is None else self._of.get(task.group.name, {})


def _ref(name: str, queue_url: str) -> str:
    if name in template().parameters:
        return str(template().parameter(name, PARAMETERS))
    kind = template().resources[name]["Type"] if name in template().resources else ""
    return queue_url + name if kind == "AWS::SQS::Queue" else name


def cold_start() -> None:
    """Forget what the functions' modules remember between invocations."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("functions.", "shared.")):
            for value in list(vars(module).values()):
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()
