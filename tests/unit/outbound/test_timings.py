import socket
import threading
import time
from typing import Any

import pytest
import trustme

from shared.outbound import connection as wire
from shared.outbound.connection import Stage
from shared.outbound.response import Cause, Response, Timings
from shared.outbound.sender import Sender
from shared.outbound.ssrf import Policy
from tests.local.names import Names
from tests.local.raw_server import (
    OK,
    RawServer,
    deaf_port,
    refusing_port,
    server_tls,
    take_request,
)
from tests.local.receiver import Receiver, Reply
from tests.local.sender_clock import LEFT_S, SenderClock, SetClock

LOCAL = Policy(allow_private=True)
DELAY_S = 0.2
# Clocks are read in between, and milliseconds are rounded.
DELAY_MS = 195


def _parts(timings: Timings) -> tuple[int | None, ...]:
    return timings.dns, timings.connect, timings.tls, timings.first_byte


def _happened(timings: Timings) -> list[bool]:
    return [part is not None for part in _parts(timings)]


class TestATiming:
    """Each is at least what the other side took; how much more is the machine's affair."""

    def test_of_dns_is_the_look_up(
        self, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = socket.getaddrinfo

        def slowly(*asked: Any, **options: Any) -> Any:
            time.sleep(DELAY_S)
            return real(*asked, **options)

        monkeypatch.setattr(socket, "getaddrinfo", slowly)

        timings = sender.post(receiver.url(), {}, b"{}").timings

        assert (timings.dns or 0) >= DELAY_MS
        assert _happened(timings) == [True, True, False, True]

    def test_of_connecting_holds_every_address_that_was_tried(
        self, sender: Sender, names: Names, set_clock: SetClock
    ) -> None:
        """A second passes from each reading of the clock to the next."""
        set_clock(SenderClock(Stage.CONNECT, step_s=1))
        names("deaf.example", ["127.0.0.1", "127.0.0.2"])
        with deaf_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "deaf.example"), {}, b"{}")

        assert (answer.timings.connect or 0) >= 2000
        assert _happened(answer.timings) == [True, True, False, False]

    def test_of_tls_is_the_handshake(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            time.sleep(DELAY_S)
            with context.wrap_socket(raw, server_side=True) as connection:
                take_request(connection)
                connection.sendall(OK)

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            timings = sender.post(server.url().replace("http:", "https:"), {}, b"{}").timings

        assert (timings.tls or 0) >= DELAY_MS
        assert _happened(timings) == [True, True, True, True]

    def test_of_the_first_byte_is_the_work_of_the_server(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(delay_s=DELAY_S)])

        timings = sender.post(receiver.url(), {}, b"{}").timings

        assert (timings.first_byte or 0) >= DELAY_MS

    def test_of_the_whole_holds_the_body(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(OK[:-1])
            time.sleep(DELAY_S)
            connection.sendall(OK[-1:])

        with RawServer(talk) as server:
            timings = sender.post(server.url(), {}, b"{}").timings

        assert timings.total - (timings.first_byte or 0) >= DELAY_MS

    def test_is_part_of_the_whole(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            timings = sender.post(receiver.url(), {}, b"{}").timings

        rounding = len(_parts(timings))
        assert sum(part or 0 for part in _parts(timings)) <= timings.total + rounding


class TestTimingsOfAFailure:
    """They end where it failed, and that part is told too."""

    def test_in_a_look_up(self, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(*_: Any, **__: Any) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        self._is(sender.post("http://nowhere.example/", {}, b""), Cause.DNS, dns=True)

    def test_in_connecting(self, sender: Sender) -> None:
        with refusing_port() as url:
            self._is(sender.post(url, {}, b""), Cause.CONNECT, dns=True, connect=True)

    def test_in_the_handshake(self, ca: trustme.CA, ca_file: str) -> None:
        context = server_tls(ca.issue_cert("other.example"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(), {}, b"")

        self._is(answer, Cause.TLS, dns=True, connect=True, tls=True)

    def test_before_the_first_byte(self, sender: Sender, set_clock: SetClock) -> None:
        set_clock(SenderClock(Stage.WAIT, wire.EXCHANGE_S - LEFT_S))
        silence = threading.Event()
        with RawServer(lambda _: silence.wait(60)) as server:
            answer = sender.post(server.url(), {}, b"")
            silence.set()

        self._is(answer, Cause.TIMEOUT, dns=True, connect=True)
        assert answer.timings.total >= 1000 * (wire.EXCHANGE_S - LEFT_S)

    def test_after_the_first_byte(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            take_request(connection)
            connection.sendall(b"HTTP/1.1 nonsense\r\n\r\n")

        with RawServer(talk) as server:
            answer = sender.post(server.url(), {}, b"")

        self._is(answer, Cause.PROTOCOL, dns=True, connect=True, first_byte=True)

    def test_of_a_refusal_are_of_nothing(self) -> None:
        with Sender(Policy()) as sender:
            answer = sender.post("https://127.0.0.1/", {}, b"")

        self._is(answer, Cause.REFUSED_ADDRESS)

    def _is(self, answer: Response, cause: Cause, **happened: bool) -> None:
        assert answer.cause is cause
        names = ("dns", "connect", "tls", "first_byte")
        assert _happened(answer.timings) == [happened.get(name, False) for name in names]
