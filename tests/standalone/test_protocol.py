"""What bounds a connection, without a socket and without waiting."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from shared.standalone.protocol import HEAD_S, LINGER_S, MAX_HEAD_BYTES, BoundedHttpProtocol

HEAD = b"GET /ready HTTP/1.1\r\nHost: x\r\n"


class Line(asyncio.Transport):
    """Remembers what is sent over it."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_closed = self.is_aborted = False

    def write(self, data: Any) -> None:
        self.sent += bytes(data)

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed


class Call:
    def __init__(self, after_s: float, work: Callable[[], Any]) -> None:
        self.after_s = after_s
        self.work = work
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Later:
    """Stands for the loop: what is to be called, when a test says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.calls: list[Call] = []
        self.create_task = loop.create_task

    def call_later(self, after_s: float, work: Callable[[], Any]) -> Call:
        self.calls.append(Call(after_s, work))
        return self.calls[-1]

    def open(self, after_s: float) -> list[Call]:
        return [call for call in self.calls if call.after_s == after_s and not call.is_cancelled]


class Connection:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        async def answer(scope: Any, receive: Any, send: Any) -> None:
            headers = [(b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b""})

        config = uvicorn.Config(answer, http=BoundedHttpProtocol, lifespan="off", log_config=None)
        config.load()
        self._loop = loop
        self.later = Later(loop)
        self.line = Line()
        self.protocol = BoundedHttpProtocol(config, ServerState(), {}, loop)
        self.protocol.loop = self.later  # type: ignore[assignment]
        self.protocol.connection_made(self.line)

    def take(self, data: bytes) -> None:
        self.protocol.data_received(data)
        self._loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def connection() -> Iterator[Connection]:
    loop = asyncio.new_event_loop()
    yield Connection(loop)
    loop.close()


def test_a_head_in_small_pieces_is_read(connection: Connection) -> None:
    for byte in HEAD + b"\r\n":
        connection.take(bytes([byte]))

    assert connection.line.sent.startswith(b"HTTP/1.1 200 ")
    assert not connection.line.is_closed
    assert connection.later.open(HEAD_S) == []


def test_a_head_without_an_end_is_refused(connection: Connection) -> None:
    connection.take(HEAD + b"X: ")
    for _ in range(MAX_HEAD_BYTES // 1024):
        connection.take(b"y" * 1024)
    assert not connection.line.is_closed

    connection.take(b"y")

    assert connection.line.sent.startswith(b"HTTP/1.1 431 ")
    assert connection.line.is_closed


def test_each_head_of_a_connection_has_the_whole_room(connection: Connection) -> None:
    for _ in range(3):
        connection.take(HEAD + b"X: ")
        connection.take(b"y" * (MAX_HEAD_BYTES - 1024))
        connection.take(b"\r\n\r\n")

    assert connection.line.sent.count(b"HTTP/1.1 200 ") == 3


def test_a_head_that_is_not_there_in_time_is_not_waited_for(connection: Connection) -> None:
    connection.take(HEAD)

    (deadline,) = connection.later.open(HEAD_S)
    deadline.work()

    assert connection.line.is_closed


def test_a_connection_without_a_request_ends_with_the_program(connection: Connection) -> None:
    connection.take(HEAD + b"\r\n")

    connection.protocol.shutdown()

    (end,) = connection.later.open(LINGER_S)
    assert (connection.line.is_closed, connection.line.is_aborted) == (True, False)
    end.work()
    assert connection.line.is_aborted
