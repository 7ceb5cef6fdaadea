import gc
import gzip
import socket
import tracemalloc
import weakref
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.delivery import wire
from shared.delivery.sender import Answer, Cause, Sender
from tests.local.raw_server import (
    repeats,
    says,
)
from tests.local.receiver import Receiver, Reply

MIB = 1024 * 1024


class TestBrokenHttp:
    @pytest.fixture(autouse=True)
    def _leaves_no_socket_to_the_garbage_collector(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        opened: list[weakref.ref[socket.socket]] = []
        connect = wire._connect

        def spy(*arguments: Any) -> wire.TimedSocket:
            sock = connect(*arguments)
            opened.append(weakref.ref(sock))
            return sock

        monkeypatch.setattr(wire, "_connect", spy)
        gc.disable()
        yield
        left = [sock for ref in opened if (sock := ref()) and sock.fileno() >= 0]
        gc.enable()
        assert opened
        assert left == []

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(b"garbage\r\n\r\n", id="garbage"),
            pytest.param(b"<html>HTTP/0.9</html>", id="no status line"),
            pytest.param(b"\x00\x01\x02\xff" * 100, id="binary"),
            pytest.param(b"HTTP/1.1 abc OK\r\n\r\n", id="status in words"),
            pytest.param(b"HTTP/1.1 99 Low\r\n\r\n", id="status too low"),
            pytest.param(b"HTTP/1.1 1000 High\r\n\r\n", id="status too high"),
            pytest.param(b"HTTP/3.0 200 OK\r\n\r\n", id="unknown version"),
            pytest.param(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", id="unasked upgrade"),
            pytest.param(b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n", id="huge status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 101 + b"\r\n", id="101 headers"),
            pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nabcde", id="two lengths"),
        ],
    )
    def test_is_a_protocol_failure(self, sender: Sender, said: bytes) -> None:
        with says(said) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.PROTOCOL)
        assert answer.detail

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(b"Content-Length: 10\r\n\r\nabc", id="short body"),
            pytest.param(b"Content-Length: 10\r\n\r\n", id="no body"),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", id="short chunk"),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", id="bad chunk size"),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\n", id="no chunk"),
        ],
    )
    def test_within_a_body_keeps_the_status(self, sender: Sender, body: bytes) -> None:
        with says(b"HTTP/1.1 200 OK\r\n" + body) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (200, Cause.PROTOCOL)

    def test_between_connecting_and_tls_is_a_lost_connection(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def reset(*_: Any, **__: Any) -> None:
            raise ConnectionResetError

        monkeypatch.setattr(wire.TimedTlsSocket, "_create", reset)
        with says(b"") as server:
            answer = sender.post(server.url().replace("http:", "https:"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.CONNECT)
        assert answer.detail == "connection failed while connecting"

    def test_before_the_first_byte_is_a_lost_connection(self, sender: Sender) -> None:
        with says(b"") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.CONNECT)
        assert answer.detail == "connection closed while waiting for the first byte"


class TestMemory:
    """What an endpoint sends must not decide how much the worker holds."""

    def _peak(self, sender: Sender, url: str, timeout_s: float = 2.0) -> tuple[Answer, int]:
        sender.post(url, {}, b"{}", timeout_s)
        tracemalloc.start()
        try:
            answer = sender.post(url, {}, b"{}", timeout_s)
            return answer, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize(
        ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
    )
    def test_does_not_grow_with_a_compressed_bomb(
        self,
        sender: Sender,
        receiver: Receiver,
        encoding: str,
        compress: Callable[[bytes], bytes],
    ) -> None:
        bomb = Reply(200, {"Content-Encoding": encoding}, compress(bytes(100 * MIB)))
        receiver.script("/", [bomb], repeat=True)

        answer, peak = self._peak(sender, receiver.url())

        assert (answer.status_code, answer.cause) == (200, None)
        assert answer.excerpt == "␀" * 341
        assert peak < MIB

    def test_does_not_grow_with_a_bomb_in_a_bomb(self, sender: Sender, receiver: Receiver) -> None:
        bomb = gzip.compress(gzip.compress(bytes(100 * MIB)))
        receiver.script("/", [Reply(200, {"Content-Encoding": "gzip, gzip"}, bomb)], repeat=True)

        answer, peak = self._peak(sender, receiver.url())

        assert answer.status_code == 200
        assert peak < MIB

    @pytest.mark.parametrize("status", [b"200 OK", b"302 Found\r\nLocation: /"])
    def test_does_not_grow_with_an_endless_body(self, sender: Sender, status: bytes) -> None:
        head = b"HTTP/1.1 " + status + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
        with repeats(head, b"10000\r\n" + b"a" * 65536 + b"\r\n") as server:
            answer, peak = self._peak(sender, server.url())

            assert server.connections == 2

        assert (answer.cause, answer.excerpt) == (None, "a" * 1024)
        assert peak < MIB

    @pytest.mark.parametrize(
        ("head", "part"),
        [
            pytest.param(b"HTTP/1.1 ", b"2" * 9999, id="status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 9999, id="one header"),
            pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 99, id="many headers"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 60_000 + b"\r\n", id="large headers"
            ),
            pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 99, id="interim answers"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"1;" + b"x" * 5000 + b"\r\na\r\n",
                id="chunk extensions",
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
                b"X: y\r\n" * 999,
                id="trailers",
            ),
        ],
    )
    def test_does_not_grow_with_endless_framing(
        self, sender: Sender, head: bytes, part: bytes
    ) -> None:
        with repeats(head, part) as server:
            answer, peak = self._peak(sender, server.url())

        assert answer.cause is Cause.PROTOCOL
        assert peak < 3 * MIB
