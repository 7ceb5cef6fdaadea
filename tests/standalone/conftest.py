"""One running program for the tests that only ask it, and a short folder for those of their own."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.local import standalone
from tests.local.receiver import Receiver
from tests.local.standalone import Standalone
from tests.stack.client import Client


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short path, as a socket needs it."""
    return tmp_path_factory.mktemp("own")


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    program = standalone.start(tmp_path_factory.mktemp("shared"))
    yield program
    program.stop()


@pytest.fixture
def client(program: Standalone) -> Client:
    return Client(program)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver().start()
    yield receiver
    Thread(target=receiver.stop).start()  # it takes a while, for which nobody has to wait
