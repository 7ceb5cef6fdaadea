"""The way of one event through the code, on the platform in one process.

Workers are warm: events have gone the same way before. The receiver has closed its connections
since, so an attempt looks up the host and connects.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

from shared.standalone.engine.template import Json
from tests.faults.engine.functions import cold_start
from tests.integration.moto_account import account_on_moto
from tests.integration.world import World, new_world
from tests.local.receiver import Receiver
from tests.local.trace import Called, Trace
from tests.sources import ROOT

# A second attempt is due after one second.
_WAIT_S = 2

# What the invocations of each function called, in the order of the first invocations.
Stages = dict[str, Called]


class Ways(NamedTuple):
    """`delivered` is answered 200 at once; `retried` is answered 500, then 200."""

    delivered: Stages
    retried: Stages


def ways() -> Ways:
    cold_start()  # threads that other tests have left behind would not be traced
    with account_on_moto() as account, new_world(account) as world, Receiver() as receiver:
        world.make_config(receiver.url("/in"))
        trace = Trace(_deployed())
        with trace.attached():
            _deliver(world, receiver)
            _retry(world, receiver)
            delivered = _stages(world, trace, lambda: _deliver(world, receiver))
            retried = _stages(world, trace, lambda: _retry(world, receiver))
    return Ways(delivered, retried)


def _deployed() -> list[Path]:
    """What a function ships; what stands for AWS on this machine is no part of the way."""
    shared = ROOT / "shared"
    return [ROOT / "functions", *(at for at in shared.iterdir() if at.name != "standalone")]


def _deliver(world: World, receiver: Receiver) -> None:
    receiver.drop_connections()
    before = len(receiver.requests())
    world.deliver()
    assert len(receiver.requests()) == before + 1


def _retry(world: World, receiver: Receiver) -> None:
    receiver.script("/in", [500])
    _deliver(world, receiver)
    receiver.drop_connections()
    before = len(receiver.requests())
    world.wait(_WAIT_S)
    assert len(receiver.requests()) == before + 1


def _stages(world: World, trace: Trace, work: Callable[[], None]) -> Stages:
    stages, invoke = Stages(), world.invoke

    def traced(function: str, event: Json) -> Any:
        with trace.taken() as called:
            answer = invoke(function, event)
        stages[function] = Called(stages.get(function, Called()), called)
        return answer

    with patch.object(world, "invoke", traced):
        work()
    return stages
