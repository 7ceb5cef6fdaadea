import socket
import threading
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import trustme

from shared.outbound import connection as wire
from shared.outbound.connection import Stage
from shared.outbound.response import Cause, Response
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.names import Names
from tests.local.raw_server import RawServer, deaf_port, drips, repeats, server_tls, take_request
from tests.local.receiver import Receiver, Reply
from tests.local.sender_clock import LEFT_S, SenderClock, SetClock

LOCAL = Policy(allow_private=True)
MIB = 1024 * 1024
TIMEOUT_S = 5

RunsOut = Callable[[Stage], None]


class TestTheDeadline:
    @pytest.fixture
    def runs_out_in(self, set_clock: SetClock) -> RunsOut:
        """Little time is left in this stage, and every call takes some of it."""
        return lambda stage: set_clock(SenderClock(stage, TIMEOUT_S - LEFT_S, LEFT_S / 15))

    def _post(self, sender: Sender, url: str) -> Response:
        return sender.post(url, {}, b"{}", TIMEOUT_S)

    def test_ends_a_silent_answer(
        self, sender: Sender, receiver: Receiver, runs_out_in: RunsOut
    ) -> None:
        runs_out_in(Stage.WAIT)
        receiver.script("/", [Reply(hang=True)])

        answer = self._post(sender, receiver.url())

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)
        assert answer.detail == "out of time while waiting for the first byte"
        assert answer.timings.total >= 1000 * (TIMEOUT_S - LEFT_S)
        assert answer.timings.first_byte is None

    def test_ends_dripping_headers(self, sender: Sender, runs_out_in: RunsOut) -> None:
        runs_out_in(Stage.READ)
        with repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause_s=0.01) as server:
            answer = self._post(sender, server.url())

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)

    def test_ends_a_dripping_body_and_keeps_its_status(
        self, sender: Sender, runs_out_in: RunsOut
    ) -> None:
        runs_out_in(Stage.READ)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nRetry-After: 7\r\n\r\n"
        with repeats(head, b"a", pause_s=0.01) as server:
            answer = self._post(sender, server.url())

        assert (answer.status_code, answer.cause) == (200, Cause.TIMEOUT)
        assert (answer.retry_after, answer.detail) == ("7", "out of time while reading the answer")

    def test_ends_a_request_that_is_not_read(self, sender: Sender, runs_out_in: RunsOut) -> None:
        runs_out_in(Stage.SEND)
        reading = threading.Event()
        with RawServer(lambda _: reading.wait(60)) as server:
            answer = sender.post(server.url(), {}, b"x" * 64 * MIB, TIMEOUT_S)
            reading.set()

        assert (answer.cause, answer.status_code) == (Cause.TIMEOUT, None)
        assert "sending the request" in answer.detail

    def test_ends_a_silent_tls_handshake(self, ca_file: str, runs_out_in: RunsOut) -> None:
        runs_out_in(Stage.TLS)
        silence = threading.Event()
        with (
            RawServer(lambda _: silence.wait(60)) as server,
            Sender(LOCAL, ca_file=ca_file) as sender,
        ):
            answer = self._post(sender, server.url().replace("http:", "https:"))
            silence.set()

        assert answer.cause is Cause.TIMEOUT
        assert "TLS handshake" in answer.detail

    def test_ends_a_dripping_body_over_tls(
        self, ca: trustme.CA, ca_file: str, runs_out_in: RunsOut
    ) -> None:
        runs_out_in(Stage.READ)
        context = server_tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            with context.wrap_socket(raw, server_side=True) as connection:
                take_request(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    connection.sendall(b"a")
                    time.sleep(0.01)

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = self._post(sender, server.url().replace("http:", "https:"))

        assert (answer.status_code, answer.cause) == (200, Cause.TIMEOUT)

    def test_ends_a_dripping_tls_handshake(
        self, ca: trustme.CA, ca_file: str, runs_out_in: RunsOut
    ) -> None:
        runs_out_in(Stage.TLS)
        dripping = threading.Event()
        dripping.set()
        with (
            Receiver(tls=server_tls(ca.issue_cert("127.0.0.1"))) as receiver,
            drips(receiver.port, dripping) as proxy,
            Sender(LOCAL, ca_file=ca_file) as sender,
        ):
            answer = self._post(sender, proxy.url().replace("http:", "https:"))

            assert receiver.requests() == []

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)
        assert answer.detail == "out of time while in the TLS handshake"

    def test_ends_a_record_of_tls_that_drips(
        self, ca: trustme.CA, ca_file: str, runs_out_in: RunsOut
    ) -> None:
        runs_out_in(Stage.WAIT)
        context, dripping = server_tls(ca.issue_cert("127.0.0.1")), threading.Event()

        def talk(raw: socket.socket) -> None:
            with context.wrap_socket(raw, server_side=True) as connection:
                take_request(connection)
                dripping.set()
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"a" * 9999)

        with (
            RawServer(talk) as server,
            drips(urlsplit(server.url()).port or 0, dripping) as proxy,
            Sender(LOCAL, ca_file=ca_file) as sender,
        ):
            answer = self._post(sender, proxy.url().replace("http:", "https:"))

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)

    @pytest.mark.parametrize(
        "head",
        [
            pytest.param(b"", id="status line"),
            pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", id="after an interim answer"),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", id="size of a chunk"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", id="chunk extension"
            ),
            pytest.param(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX:", id="trailer"
            ),
            pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", id="body without end"),
        ],
    )
    def test_ends_what_drips_digit_by_digit(
        self, sender: Sender, runs_out_in: RunsOut, head: bytes
    ) -> None:
        runs_out_in(Stage.WAIT)
        with repeats(head, b"0", pause_s=0.01) as server:
            answer = self._post(sender, server.url())

        assert answer.cause is Cause.TIMEOUT

    @pytest.mark.parametrize("interim", [b"100 Continue", b"103 Early Hints"])
    def test_ends_dripping_interim_answers(
        self, sender: Sender, runs_out_in: RunsOut, interim: bytes
    ) -> None:
        runs_out_in(Stage.WAIT)
        with repeats(b"", b"HTTP/1.1 " + interim + b"\r\n\r\n", pause_s=0.01) as server:
            answer = self._post(sender, server.url())

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)

    def test_ends_a_lookup_that_hangs(
        self, sender: Sender, runs_out_in: RunsOut, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runs_out_in(Stage.LOOKUP)
        released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(60) and [])

        answer = self._post(sender, "http://slow.example/")
        released.set()

        assert (answer.cause, answer.address) == (Cause.TIMEOUT, None)
        assert answer.detail == "out of time while looking up the host"

    def test_leaves_at_most_its_share_to_connecting(
        self, sender: Sender, set_clock: SetClock
    ) -> None:
        set_clock(SenderClock(Stage.CONNECT, wire.CONNECT_S - LEFT_S))
        with deaf_port() as url:
            answer = sender.post(url, {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.TIMEOUT, "127.0.0.1")
        assert answer.detail == "out of time while connecting"
        assert answer.timings.total <= 1000 * wire.CONNECT_S

    def test_leaves_nothing_to_a_second_address_when_the_first_took_it_all(
        self, sender: Sender, names: Names, set_clock: SetClock
    ) -> None:
        set_clock(SenderClock(Stage.CONNECT, wire.CONNECT_S - LEFT_S, step_s=2 * LEFT_S))
        names("deaf.example", ["127.0.0.1", "127.0.0.2"])
        with deaf_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "deaf.example"), {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.TIMEOUT, "127.0.0.1")

    @pytest.mark.parametrize("timeout_s", [0, -1])
    def test_may_be_past_before_anything_is_sent(
        self, sender: Sender, receiver: Receiver, timeout_s: float
    ) -> None:
        sender.post(receiver.url(), {}, b"first")

        for url in (receiver.url(), receiver.url(host="localhost")):
            assert sender.post(url, {}, b"late", timeout_s).cause is Cause.TIMEOUT

        assert [received.body for received in receiver.requests()] == [b"first"]

    def test_is_ten_seconds_at_most(self, sender: Sender, receiver: Receiver) -> None:
        seen: list[float] = []
        receiver.script("/", [200])
        original = wire.Connection.getresponse

        def spy(connection: wire.Connection) -> Any:
            seen.append(wire.current.get().remaining_s())
            return original(connection)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wire.Connection, "getresponse", spy)
            sender.post(receiver.url(), {}, b"{}", timeout_s=3600)

        assert seen[0] <= 10
