"""A deployed stack for all tests that a process runs; a workspace and a receiver for each test.

Most of these tests wait for a stack, so several processes share them, each with a stack of its own.
"""

import os
from collections.abc import Iterator

import pytest

from tests.local import standalone
from tests.local.receiver import Receiver
from tests.local.stack import Stack, down, up
from tests.local.standalone import Standalone
from tests.stack.client import Client

if "PYTEST_XDIST_WORKER" in os.environ:
    state = os.environ.get("FUNNELHOOKS_STATE", ".local/test")
    os.environ["FUNNELHOOKS_STATE"] = f"{state}-{os.environ['PYTEST_XDIST_WORKER']}"

# What they see is the same on AWS and on one machine; the other files look behind the API.
ON_BOTH = {
    "test_actions.py",
    "test_api.py",
    "test_clickfunnels.py",
    "test_delivery.py",
    "test_demo.py",
    "test_event_types.py",
    "test_flowestate.py",
    "test_funnelflux.py",
    "test_funnelytics.py",
    "test_health.py",
    "test_moving.py",
    "test_openapi.py",
    "test_payload_contract.py",
}

# Short, so that repair can be watched; a schedule's minute lasts two seconds.
PARAMETERS = {"RepairAfterSeconds": "3"}
MINUTE_S = 2


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "stack" in metafunc.fixturenames:
        looks_behind = metafunc.definition.get_closest_marker("deployed") is not None
        is_on_both = metafunc.definition.path.name in ON_BOTH and not looks_behind
        kinds = ("standalone", "deployed") if is_on_both else ("deployed",)
        metafunc.parametrize("stack", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def stack(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack | Standalone]:
    if request.param == "deployed":
        yield up(parameters=PARAMETERS, minute_s=MINUTE_S)
        down()
        return
    folder = tmp_path_factory.mktemp("standalone")
    program = standalone.start(folder, standalone.LOCAL_PARAMETERS | PARAMETERS)
    yield program
    assert program.stop() == 0


@pytest.fixture
def client(stack: Stack) -> Client:
    return Client(stack)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a deployed stack come first: they take longest, and mostly wait."""
    items.sort(key=lambda item: "[deployed" not in item.nodeid)
