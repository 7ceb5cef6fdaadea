"""A receiver, a sender to it, an authority for its certificates, and names that a test gives."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from shared.outbound import connection
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.names import Names, given_names
from tests.local.receiver import Receiver
from tests.local.sender_clock import SetClock, settable_clock
from tests.local.socket_layer import watched

LOCAL = Policy(allow_private=True)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender(LOCAL) as ready:
        yield ready


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(path)
    return str(path)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return given_names(monkeypatch)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    return settable_clock(monkeypatch)


@pytest.fixture(autouse=True)
def _connections_that_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long a busy machine takes from one request to the next."""
    monkeypatch.setattr(connection, "IDLE_S", 3600)


@pytest.fixture
def connected() -> Iterator[list[Any]]:
    """Every address to which any socket of this process tries to connect."""
    with watched() as addresses:
        yield addresses
