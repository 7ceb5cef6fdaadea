import gc
import gzip
import json
import socket
import subprocess
import sys
import tracemalloc
import weakref
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from struct import pack
from typing import Any

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.outbound import connection as wire
from shared.outbound.response import Cause, Response
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.raw_server import OK, RawServer, repeats, says, server_tls, take_request
from tests.local.receiver import Receiver, Reply
from tests.local.sender_clock import SenderClock, SetClock

ROOT = Path(__file__).parents[3]
LOCAL = Policy(allow_private=True)
MIB = 1024 * 1024
PIECES = st.sampled_from(
    [b"HTTP/1.1 ", b"HTTP/1.0 ", b"200 OK", b"100 ", b"103 ", b"204 ", b"301 ", b"\r\n", b"\n",
     b"\r", b"\r\n\r\n", b"\x00", b": ", b"Content-Length: ", b"2", b"ok", b"0\r\n\r\n", b";",
     b"Transfer-Encoding: chunked\r\n", b"f" * 20, b" ", b"Content-Encoding: gzip\r\n", b"\xff",
     b"Connection: close\r\n", b"Set-Cookie: ", b"Location: //\r\n", b"-1\r\n", b"\x1f\x8b\x08",
     b"Retry-After: "]
)  # fmt: skip


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
            pytest.param(
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
                id="two lengths in two headers",
            ),
            pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", id="huge header"),
            pytest.param(b"HTTP/1.1 " + b"9" * 5000 + b" OK\r\n\r\n", id="huge status"),
            pytest.param(b"HTTP/1.1 -200 OK\r\n\r\n", id="negative status"),
            pytest.param(b"http/1.1 200 OK\r\n\r\n", id="small letters"),
            pytest.param(b"\r\n\r\n" + OK, id="empty lines first"),
            pytest.param(b"hello\n" * 20_000, id="HTTP/0.9 without end"),
            pytest.param(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00", id="HTTP/2"),
            pytest.param(b"\x15\x03\x03\x00\x02\x02\x28", id="TLS"),
            pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50, id="only interim answers"),
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
            pytest.param(
                b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\nab", id="64 bits"
            ),
            pytest.param(
                b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 60_000 + b"\r\nab", id="huge size"
            ),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\n-1\r\nab", id="negative size"),
            pytest.param(b"Transfer-Encoding: chunked\r\n\r\n\r\nab", id="empty size"),
            pytest.param(b"Content-Length: " + b"9" * 30 + b"\r\n\r\nab", id="huge length"),
        ],
    )
    def test_within_a_body_keeps_the_status(self, sender: Sender, body: bytes) -> None:
        with says(b"HTTP/1.1 200 OK\r\n" + body) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (200, Cause.PROTOCOL)

    @pytest.mark.parametrize(
        "said",
        [
            pytest.param(b"X: a\x00b\r\nContent-Length: 2\r\n\r\nok", id="null in a header"),
            pytest.param(b"X\x00: a\r\nContent-Length: 2\r\n\r\nok", id="null in a name"),
            pytest.param(b"X: \xe9\xff\r\nContent-Length: 2\r\n\r\nok", id="bytes in a header"),
            pytest.param(b"no colon\r\nContent-Length: 2\r\n\r\nok", id="no colon"),
            pytest.param(b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok", id="folded header"),
            pytest.param(b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok", id="length twice"),
            pytest.param(b"Content-Length: -5\r\n\r\nok", id="negative length"),
            pytest.param(b"Content-Length: two\r\n\r\nok", id="length in words"),
            pytest.param(b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nok", id="5000 digits"),
            pytest.param(b"Transfer-Encoding: odd\r\n\r\nok", id="unknown coding"),
            pytest.param(b"Content-Length: 2\r\n\r\nok, and more", id="more than its length"),
            pytest.param(b"Content-Length: 2\r\n\r\nok" + OK, id="two answers"),
        ],
    )
    def test_that_can_be_read_all_the_same_is_read(self, sender: Sender, said: bytes) -> None:
        with says(b"HTTP/1.1 200 OK\r\n" + said) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (200, None)
        assert answer.excerpt.startswith("ok")

    def test_of_one_answer_is_not_read_as_the_next(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(OK + b"HTTP/1.1 500 Stale\r\nContent-Length: 0\r\n\r\n")
            take_request(connection)
            connection.sendall(OK)

        with RawServer(talk) as server:
            answers = [sender.post(server.url(), {}, b"{}") for _ in range(4)]

        assert [answer.status_code for answer in answers] == [200] * 4

    @pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints", b"199 Odd"])
    def test_of_many_interim_answers_still_ends(self, sender: Sender, interim: bytes) -> None:
        with says((b"HTTP/1.1 " + interim + b"\r\nLink: </a>\r\n\r\n") * 500, OK) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (200, None, "ok")

    @pytest.mark.parametrize("abruptly", [False, True])
    @pytest.mark.parametrize(
        "whole",
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        ],
    )
    def test_off_at_any_byte_is_an_answer_or_a_failure(
        self, sender: Sender, whole: bytes, abruptly: bool
    ) -> None:
        ends = iter(range(len(whole) + 1))

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(whole[: next(ends)])
            if abruptly:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))

        with RawServer(talk) as server:
            answers = [sender.post(server.url(), {}, b"{}") for _ in range(len(whole) + 1)]

        assert answers[0].cause is Cause.CONNECT
        assert {answer.cause for answer in answers} <= {None, Cause.CONNECT, Cause.PROTOCOL}
        assert {answer.status_code for answer in answers} == {None, 200}
        if not abruptly:
            assert (answers[-1].cause, answers[-1].excerpt) == (None, "ok")

    def test_over_tls_without_a_goodbye_is_a_failure(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            connection = context.wrap_socket(raw, server_side=True)
            take_request(connection)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
            connection.close()

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(server.url().replace("http:", "https:"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (200, Cause.PROTOCOL)

    def test_of_any_bytes_raises_nothing(self, sender: Sender) -> None:
        said = [b""]

        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(said[0])

        @given(st.binary(max_size=200) | st.lists(PIECES, max_size=20).map(b"".join))
        @settings(max_examples=300)
        def post(answer: bytes) -> None:
            said[0] = answer
            told = sender.post(server.url(), {}, b"{}")
            assert told.status_code is not None or told.cause in (Cause.CONNECT, Cause.PROTOCOL)

        with RawServer(talk) as server:
            post()

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


@cache
def bomb(encoding: str) -> Reply:
    """100 MiB once it is unpacked."""
    body = bytes(100 * MIB)
    for coding in encoding.split(", "):
        match coding:
            case "gzip":
                body = gzip.compress(body)
            case "deflate":
                body = zlib.compress(body)
    return Reply(200, {"Content-Encoding": encoding}, body)


class TestMemory:
    """What an endpoint sends must not decide how much the worker holds."""

    @pytest.fixture(autouse=True)
    def _ends_by_size_alone(self, set_clock: SetClock) -> None:
        set_clock(SenderClock())

    def _peak(self, sender: Sender, url: str) -> tuple[Response, int]:
        sender.post(url, {}, b"{}")
        tracemalloc.start()
        try:
            answer = sender.post(url, {}, b"{}")
            return answer, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    @pytest.mark.parametrize("encoding", ["gzip", "deflate"])
    def test_does_not_grow_with_a_compressed_bomb(
        self,
        sender: Sender,
        receiver: Receiver,
        encoding: str,
    ) -> None:
        receiver.script("/", [bomb(encoding)], repeat=True)

        answer, peak = self._peak(sender, receiver.url())

        assert (answer.status_code, answer.cause) == (200, None)
        assert answer.excerpt == "␀" * 341
        assert peak < MIB

    def test_does_not_grow_with_a_bomb_in_a_bomb(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [bomb("gzip, gzip")], repeat=True)

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
            pytest.param(b"", b"HTTP/1.1 103 Hints\r\nX: y\r\n\r\n" * 99, id="early hints"),
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


@pytest.mark.skipif(sys.platform != "linux", reason="reads the figure where Linux has it")
class TestMemoryOfTheWorker:
    """Of a process that makes ten attempts at a time, by what the system counts."""

    LIMIT = 5 * MIB

    def _grown(self, url: str) -> tuple[int, list[Response]]:
        with Receiver() as receiver:
            command = [sys.executable, "-m", "tests.local.sender_process", receiver.url(), url]
            done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=900, check=True)
        told = json.loads(done.stdout)
        return told["grown_bytes"], [Response.model_validate(answer) for answer in told["answers"]]

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip, gzip", "br"])
    def test_grows_by_less_than_5_mb_with_a_bomb_of_100_mb(self, encoding: str) -> None:
        with Receiver() as receiver:
            receiver.script("/", [bomb(encoding)], repeat=True)

            grown, answers = self._grown(receiver.url())

        assert {(answer.status_code, answer.cause) for answer in answers} == {(200, None)}
        assert grown < self.LIMIT, f"grown by {grown} bytes"

    @pytest.mark.parametrize(
        ("head", "part"),
        [
            pytest.param(b"HTTP/1.1 ", b"2" * 9999, id="status line"),
            pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 99, id="headers"),
            pytest.param(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 99, id="interim answers"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"10000\r\n" + b"a" * 65536 + b"\r\n",
                id="body",
            ),
        ],
    )
    def test_grows_by_less_than_5_mb_with_what_never_ends(self, head: bytes, part: bytes) -> None:
        with repeats(head, part) as server:
            grown, answers = self._grown(server.url())

        assert all(answer.cause in (None, Cause.PROTOCOL) for answer in answers)
        assert grown < self.LIMIT, f"grown by {grown} bytes"
