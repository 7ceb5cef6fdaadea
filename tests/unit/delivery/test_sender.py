import gc
import gzip
import logging
import socket
import ssl
import sys
import threading
import time
import tracemalloc
import weakref
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import requests
import trustme
from standardwebhooks import Webhook

from shared.delivery import guard, wire
from shared.delivery.guard import Policy
from shared.delivery.sender import Answer, Cause, Sender
from tests.local.receiver import Receiver, Reply, verify_standard_webhook

PUBLIC = Policy()
LOCAL = Policy(allow_private=True)
SECRET = "hunter2"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MIB = 1024 * 1024


class RawServer:
    """Runs one function per connection, for everything that a real HTTP server would not do."""

    def __init__(self, talk: Callable[[socket.socket], object], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._talk = talk
        self._host = f"[{host}]" if ":" in host else host
        self._open: list[socket.socket] = []
        self.connections = 0

    def url(self, path: str = "/") -> str:
        return f"http://{self._host}:{self._listener.getsockname()[1]}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            self._talk(connection)
        except OSError:
            pass
        finally:
            connection.close()


def _take_head(connection: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += connection.recv(65536)
    return seen


def _take_request(connection: socket.socket) -> bytes:
    """To its last byte: closing a socket with something unread would reset the connection."""
    head, _, body = _take_head(connection).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head


def _says(*parts: bytes) -> RawServer:
    """Answers each connection's first request with these bytes, and hangs up."""

    def talk(connection: socket.socket) -> None:
        _take_request(connection)
        for part in parts:
            connection.sendall(part)

    return RawServer(talk)


def _repeats(head: bytes, part: bytes, pause_s: float = 0.0) -> RawServer:
    """Never stops answering."""

    def talk(connection: socket.socket) -> None:
        _take_request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(part)
            time.sleep(pause_s)

    return RawServer(talk)


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


def _tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


Names = Callable[..., None]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Let a name resolve to other answers, one after the other; the last one stays."""
    real = socket.getaddrinfo
    answers: dict[bytes, list[list[str]]] = {}

    def lookup(host: bytes, port: int, **options: Any) -> list[Any]:
        queued = answers.get(host)
        if queued is None:
            return real(host, port, **options)
        texts = queued.pop(0) if len(queued) > 1 else queued[0]
        return [entry for text in texts for entry in real(text, port, **options)]

    def resolve(name: str, *replies: list[str]) -> None:
        answers[name.encode()] = list(replies)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    return resolve


_connected: list[Any] = []


def _note_connects(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        _connected.append(arguments[1])


sys.addaudithook(_note_connects)


@pytest.fixture
def connected() -> list[Any]:
    """Every address to which any socket of this process tries to connect."""
    _connected.clear()
    return _connected


class TestARequest:
    def test_arrives_with_its_exact_bytes_and_headers(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        body = b'{"amount": "19.90",  "name": "\xc3\xa9"}'

        sender.post(receiver.url("/in?x=1"), {"X-One": "a b", "webhook-id": "m1"}, body)

        (received,) = receiver.requests()
        assert (received.method, received.path) == ("POST", "/in?x=1")
        assert (received.headers["x-one"], received.headers["Webhook-Id"]) == ("a b", "m1")
        assert received.body == body

    def test_names_its_sender_and_asks_for_no_compression(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url(), {}, b"{}")

        (received,) = receiver.requests()
        assert received.headers["User-Agent"] == "Funnelhooks"
        assert received.headers["Accept-Encoding"] == "identity"

    def test_keeps_the_callers_own_names_in_any_case(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url(), {"user-agent": "Mine/1"}, b"{}")

        (received,) = receiver.requests()
        assert received.headers["User-Agent"] == "Mine/1"

    def test_may_be_empty(self, sender: Sender, receiver: Receiver) -> None:
        sender.post(receiver.url(), {}, b"")

        (received,) = receiver.requests()
        assert (received.headers["Content-Length"], received.body) == ("0", b"")

    def test_ignores_proxies_and_netrc_of_the_environment(
        self, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("default login me password hunter2\n")
        monkeypatch.setenv("NETRC", str(netrc))
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")

        with Sender(LOCAL) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")

        assert answer.status_code == 200
        assert "Authorization" not in receiver.requests()[0].headers

    def test_carries_no_cookie_that_an_earlier_answer_set(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        cookie = {"Set-Cookie": "tenant=other; Path=/"}
        receiver.script("/", [Reply(200, cookie), Reply(302, cookie | {"Location": "/x"})])

        for _ in range(3):
            sender.post(receiver.url(), {}, b"{}")

        assert not any("Cookie" in received.headers for received in receiver.wait_for(3))

    def test_with_an_impossible_header_is_our_fault_and_raises(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        with pytest.raises(requests.exceptions.InvalidHeader):
            sender.post(receiver.url(), {"X-Split": "a\r\nb"}, b"{}")

        assert receiver.requests() == []


class TestAnAnswer:
    def test_is_told_as_it_came(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(503, {"Retry-After": "120"}, "später\n".encode())])

        answer = sender.post(receiver.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.detail) == (503, None, "")
        assert (answer.retry_after, answer.excerpt) == ("120", "später\n")
        assert answer.timings.first_byte is not None
        assert answer.address == "127.0.0.1"

    def test_bounds_retry_after(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(429, {"Retry-After": "9" * 5000})])

        assert sender.post(receiver.url(), {}, b"{}").retry_after == "9" * 100

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_that_redirects_is_not_followed(
        self, sender: Sender, receiver: Receiver, status: int
    ) -> None:
        receiver.script("/here", [Reply(status, {"Location": receiver.url("/there")})])

        answer = sender.post(receiver.url("/here"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (status, None)
        assert [received.path for received in receiver.requests()] == ["/here"]

    @pytest.mark.parametrize("location", ["", "http://[", "//", "\x80", "http://a:b:c/"])
    def test_may_redirect_to_nonsense(
        self, sender: Sender, receiver: Receiver, location: str
    ) -> None:
        receiver.script("/", [Reply(302, {"Location": location})])

        assert sender.post(receiver.url(), {}, b"{}").status_code == 302

    def test_may_come_after_interim_answers(self, sender: Sender) -> None:
        interim = b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        with _says(b"HTTP/1.1 100 Continue\r\n\r\n", interim, OK) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (200, None, "ok")

    def test_may_come_before_the_request_was_read(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            _take_head(connection)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

        with RawServer(talk) as server:
            answer = sender.post(server.url(), {}, b"x" * 8 * MIB)

        assert answer.status_code == 413

    @pytest.mark.parametrize("status", [204, 304])
    def test_may_have_no_body(self, sender: Sender, receiver: Receiver, status: int) -> None:
        receiver.script("/", [Reply(status)])

        answer = sender.post(receiver.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (status, None, "")

    def test_may_end_with_the_connection(self, sender: Sender) -> None:
        with _says(b"HTTP/1.0 200 OK\r\n\r\nbye") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause, answer.excerpt) == (200, None, "bye")

    def test_may_come_in_chunks(self, sender: Sender) -> None:
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        with _says(head, b"3\r\nfoo\r\n", b"3;x=y\r\nbar\r\n0\r\nTrailer: x\r\n\r\n") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.cause, answer.excerpt) == (None, "foobar")


class TestAnExcerpt:
    def _of(self, sender: Sender, receiver: Receiver, body: bytes, **headers: str) -> str:
        receiver.script("/", [Reply(200, headers, body)])
        return sender.post(receiver.url(), {}, b"{}").excerpt

    def test_is_the_first_kibibyte(self, sender: Sender, receiver: Receiver) -> None:
        assert self._of(sender, receiver, b"a" * 5000) == "a" * 1024

    def test_does_not_end_within_a_character(self, sender: Sender, receiver: Receiver) -> None:
        assert self._of(sender, receiver, b"a" + "é".encode() * 1000) == "a" + "é" * 511

    def test_stays_a_kibibyte_when_made_readable(self, sender: Sender, receiver: Receiver) -> None:
        excerpt = self._of(sender, receiver, b"\xff" * 5000)

        assert set(excerpt) == {"\N{REPLACEMENT CHARACTER}"}
        assert len(excerpt.encode()) <= 1024

    def test_shows_control_characters_as_pictures(self, sender: Sender, receiver: Receiver) -> None:
        body = b"a\tb\r\n\x1b[31m\x00\x7f" + "\u0085\u202e".encode()

        assert self._of(sender, receiver, body) == "a\tb\n␛[31m␀␡\ufffd\ufffd"

    @pytest.mark.parametrize(
        ("encoding", "compress"),
        [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)],
    )
    def test_is_decompressed_even_if_nobody_asked_for_compression(
        self,
        sender: Sender,
        receiver: Receiver,
        encoding: str,
        compress: Callable[[bytes], bytes],
    ) -> None:
        body = compress(b"readable " * 10_000)

        excerpt = self._of(sender, receiver, body, **{"Content-Encoding": encoding})

        assert excerpt == ("readable " * 200)[:1024]

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "gzip, gzip", "nonsense"])
    def test_says_when_a_body_cannot_be_read(
        self, sender: Sender, receiver: Receiver, encoding: str
    ) -> None:
        excerpt = self._of(sender, receiver, b"\x0b\x02\x80", **{"Content-Encoding": encoding})

        assert "could not be read" in excerpt


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
        with _repeats(head, b"10000\r\n" + b"a" * 65536 + b"\r\n") as server:
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
        with _repeats(head, part) as server:
            answer, peak = self._peak(sender, server.url())

        assert answer.cause is Cause.PROTOCOL
        assert peak < 3 * MIB


class TestTheDeadline:
    def _post(self, sender: Sender, url: str) -> Answer:
        began = time.monotonic()
        answer = sender.post(url, {}, b"{}", timeout_s=0.5)
        assert time.monotonic() - began < 5
        return answer

    def test_ends_a_silent_answer(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(hang=True)])

        answer = self._post(sender, receiver.url())

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)
        assert answer.detail == "out of time while waiting for the first byte"
        assert answer.timings.total >= 450
        assert answer.timings.first_byte is None

    def test_ends_dripping_headers(self, sender: Sender) -> None:
        with _repeats(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", pause_s=0.05) as server:
            answer = self._post(sender, server.url())

        assert (answer.status_code, answer.cause) == (None, Cause.TIMEOUT)

    def test_ends_a_dripping_body_and_keeps_its_status(self, sender: Sender) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nRetry-After: 7\r\n\r\n"
        with _repeats(head, b"a", pause_s=0.05) as server:
            answer = self._post(sender, server.url())

        assert (answer.status_code, answer.cause) == (200, Cause.TIMEOUT)
        assert (answer.retry_after, answer.detail) == ("7", "out of time while reading the answer")

    def test_ends_a_request_that_is_not_read(self, sender: Sender) -> None:
        reading = threading.Event()
        with RawServer(lambda _: reading.wait(5)) as server:
            answer = sender.post(server.url(), {}, b"x" * 64 * MIB, timeout_s=0.5)
            reading.set()

        assert (answer.cause, answer.status_code) == (Cause.TIMEOUT, None)
        assert "sending the request" in answer.detail

    def test_ends_a_silent_tls_handshake(self, ca_file: str) -> None:
        silence = threading.Event()
        with (
            RawServer(lambda _: silence.wait(5)) as server,
            Sender(LOCAL, ca_file=ca_file) as sender,
        ):
            answer = self._post(sender, server.url().replace("http:", "https:"))
            silence.set()

        assert answer.cause is Cause.TIMEOUT
        assert "TLS handshake" in answer.detail

    def test_ends_a_dripping_body_over_tls(self, ca: trustme.CA, ca_file: str) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            with context.wrap_socket(raw, server_side=True) as connection:
                _take_request(connection)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    connection.sendall(b"a")
                    time.sleep(0.05)

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = self._post(sender, server.url().replace("http:", "https:"))

        assert (answer.status_code, answer.cause) == (200, Cause.TIMEOUT)

    def test_ends_a_lookup_that_hangs(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        released = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: released.wait(10) and [])

        answer = self._post(sender, "http://slow.example/")
        released.set()

        assert (answer.cause, answer.address) == (Cause.TIMEOUT, None)
        assert answer.detail == "out of time while looking up the host"

    def test_leaves_at_most_its_share_to_connecting(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "CONNECT_S", 0.3)
        with _deaf_port() as url:
            answer = sender.post(url, {}, b"{}", timeout_s=10)

        assert (answer.cause, answer.address) == (Cause.TIMEOUT, "127.0.0.1")
        assert answer.detail == "out of time while connecting"
        assert answer.timings.total < 5000

    def test_leaves_nothing_to_a_second_address_when_the_first_took_it_all(
        self, sender: Sender, names: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "CONNECT_S", 0.2)
        names("deaf.example", ["127.0.0.1", "127.0.0.2"])
        with _deaf_port() as url:
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


@contextmanager
def _deaf_port() -> Iterator[str]:
    """A port whose queue of connections is full, so that it answers no further one."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        for one in (*waiting, listener):
            one.close()


class TestTls:
    def test_checks_the_name_and_connects_to_the_vetted_address(
        self, ca: trustme.CA, ca_file: str, names: Names, connected: list[Any]
    ) -> None:
        asked: list[str] = []
        context = _tls(ca.issue_cert("receiver.example"))
        context.sni_callback = lambda _, name, __: asked.append(name)
        names("receiver.example", ["127.0.0.1"])

        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(host="receiver.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")
        assert asked == ["receiver.example"]
        assert connected == [("127.0.0.1", receiver.port)]
        assert receiver.requests()[0].headers["Host"] == f"receiver.example:{receiver.port}"
        assert answer.timings.tls is not None

    def test_checks_an_address_too(self, ca: trustme.CA, ca_file: str) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            assert sender.post(receiver.url(), {}, b"{}").status_code == 200

    def test_takes_a_trailing_dot_of_the_name(
        self, ca: trustme.CA, ca_file: str, names: Names
    ) -> None:
        names("receiver.example.", ["127.0.0.1"])
        context = _tls(ca.issue_cert("receiver.example"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(host="receiver.example."), {}, b"{}")

        assert (answer.status_code, answer.detail) == (200, "")

    def _refused(self, context: ssl.SSLContext, ca_file: str | None) -> str:
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")
            assert receiver.requests() == []

        assert (answer.status_code, answer.cause) == (None, Cause.TLS)
        assert answer.address == "127.0.0.1"
        return answer.detail

    def test_refuses_a_certificate_for_another_name(self, ca: trustme.CA, ca_file: str) -> None:
        detail = self._refused(_tls(ca.issue_cert("other.example")), ca_file)

        assert detail.startswith("certificate refused: IP address mismatch")

    def test_refuses_an_expired_certificate(self, ca: trustme.CA, ca_file: str) -> None:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        old = ca.issue_cert(
            "127.0.0.1", not_before=datetime(2020, 1, 1, tzinfo=UTC), not_after=yesterday
        )

        assert self._refused(_tls(old), ca_file) == ("certificate refused: certificate has expired")

    def test_refuses_a_certificate_of_an_unknown_authority(self, ca: trustme.CA) -> None:
        detail = self._refused(_tls(ca.issue_cert("127.0.0.1")), ca_file=None)

        assert detail == "certificate refused: unable to get local issuer certificate"

    def test_refuses_a_self_signed_certificate(self, ca_file: str) -> None:
        alone = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with (
            alone.private_key_pem.tempfile() as key,
            alone.cert_pem.tempfile() as certificate,
        ):
            context.load_cert_chain(certificate, key)

        assert "self-signed certificate" in self._refused(context, ca_file)

    def test_refuses_old_protocols(self, ca: trustme.CA, ca_file: str) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))
        with pytest.deprecated_call():
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1

        assert "TLS failed" in self._refused(context, ca_file)

    def test_is_shared_by_threads(self, ca: trustme.CA, ca_file: str) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, 1, ca_file) as sender:
            with ThreadPoolExecutor(10) as threads:
                posts = [threads.submit(sender.post, receiver.url(), {}, b"") for _ in range(100)]

            assert {post.result().status_code for post in posts} == {200}

    def test_is_no_plain_http(self, ca_file: str, receiver: Receiver) -> None:
        with Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url().replace("http:", "https:"), {}, b"{}")

        assert answer.cause is Cause.TLS

    def test_that_is_asked_for_a_client_certificate_fails(
        self, ca: trustme.CA, ca_file: str
    ) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))
        context.verify_mode = ssl.CERT_REQUIRED
        ca.configure_trust(context)

        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answer = sender.post(receiver.url(), {}, b"{}")

        # TLS 1.3 refuses after the handshake: the reset may overtake the reason.
        assert answer.cause in (Cause.TLS, Cause.CONNECT)
        assert answer.status_code is None

    def test_loads_the_authorities_once(
        self, ca: trustme.CA, ca_file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loads: list[str] = []
        original = ssl.SSLContext.load_verify_locations

        def spy(context: ssl.SSLContext, *arguments: Any, **options: Any) -> None:
            loads.append("load")
            original(context, *arguments, **options)

        monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", spy)
        context = _tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            for _ in range(3):
                sender.post(receiver.url(), {}, b"{}")
                receiver.drop_connections()

        assert loads == ["load"]


class TestADestination:
    @pytest.mark.parametrize(
        "url",
        [
            "http://example.com/",
            "https://127.0.0.1/",
            "https://[::ffff:169.254.169.254]/",
            "https://0x7f.1/",
            "https://example.com:22/",
            "not a url",
        ],
    )
    def test_that_breaks_a_rule_is_not_called(self, url: str, connected: list[Any]) -> None:
        with Sender(PUBLIC) as sender:
            answer = sender.post(url, {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.REFUSED_ADDRESS)
        assert answer.detail
        assert connected == []

    @pytest.mark.parametrize(
        "addresses",
        [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["2606:4700:4700::1111", "::1"]],
    )
    def test_with_any_private_address_is_not_called(
        self, names: Names, connected: list[Any], addresses: list[str]
    ) -> None:
        names("hooks.example.com", addresses)

        with Sender(PUBLIC) as sender:
            answer = sender.post("https://hooks.example.com/", {}, b"{}")

        assert answer.cause is Cause.REFUSED_ADDRESS
        assert answer.address is None
        assert connected == []

    def test_that_turns_private_between_two_attempts_gains_nothing(
        self,
        ca: trustme.CA,
        ca_file: str,
        names: Names,
        connected: list[Any],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(guard, "_V4", {IPv4Network("127.0.0.2/32"): "the only private one"})
        monkeypatch.setattr(wire, "IDLE_S", 0)
        names("rebinding.example.com", ["127.0.0.1"], ["127.0.0.2"], ["127.0.0.1", "127.0.0.2"])

        with Receiver(tls=_tls(ca.issue_cert("rebinding.example.com"))) as receiver:
            policy = Policy(ports=frozenset({receiver.port}))
            with Sender(policy, ca_file=ca_file) as sender:
                url = receiver.url(host="rebinding.example.com")
                answers = [sender.post(url, {}, b"{}") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, None, None]
        assert [answer.cause for answer in answers[1:]] == [Cause.REFUSED_ADDRESS] * 2
        assert connected == [("127.0.0.1", receiver.port)]

    def test_is_looked_up_once_for_each_connection(
        self, sender: Sender, receiver: Receiver, names: Names, connected: list[Any]
    ) -> None:
        names("rebinding.example", ["127.0.0.1"], ["127.0.0.2"])

        answer = sender.post(receiver.url(host="rebinding.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")
        assert connected == [("127.0.0.1", receiver.port)]

    def test_that_does_not_resolve_has_a_dns_cause(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def unknown(*_: Any, **__: Any) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", unknown)

        answer = sender.post("https://nowhere.example/", {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.DNS, None)
        assert answer.detail == "Name or service not known while looking up the host"

    def test_without_addresses_cannot_be_connected_to(self, sender: Sender, names: Names) -> None:
        names("empty.example", [])

        assert sender.post("http://empty.example/", {}, b"{}").cause is Cause.CONNECT

    def test_that_nobody_listens_on_has_a_connect_cause(self, sender: Sender) -> None:
        with RawServer(lambda _: None) as server:
            url = server.url()

        answer = sender.post(url, {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.1")
        assert answer.detail == "Connection refused while connecting"

    def test_is_tried_at_its_next_address(
        self, sender: Sender, receiver: Receiver, names: Names
    ) -> None:
        names("two.example", ["127.0.0.2", "127.0.0.1"])

        answer = sender.post(receiver.url(host="two.example"), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "127.0.0.1")

    def test_has_time_for_its_next_address_when_one_is_deaf(
        self, sender: Sender, names: Names, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "CONNECT_S", 0.6)
        monkeypatch.setattr(wire, "CONNECT_SHARE_S", 0.2)
        names("half.example", ["127.0.0.1", "127.0.0.2"])
        with _deaf_port() as url:
            answer = sender.post(url.replace("127.0.0.1", "half.example"), {}, b"{}")

        assert (answer.cause, answer.address) == (Cause.CONNECT, "127.0.0.2")

    def test_may_be_reached_over_ipv6(self, sender: Sender) -> None:
        def talk(connection: socket.socket) -> None:
            _take_request(connection)
            connection.sendall(OK)

        try:
            server = RawServer(talk, host="::1")
        except OSError:
            pytest.skip("this machine has no IPv6")
        with server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.address) == (200, "::1")


class TestAConnection:
    def test_is_used_again(self, sender: Sender, receiver: Receiver) -> None:
        first = sender.post(receiver.url("/a"), {}, b"{}")
        second = sender.post(receiver.url("/b"), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 1
        assert (first.timings.dns is None, first.timings.connect is None) == (False, False)
        assert (second.timings.dns, second.timings.connect) == (None, None)
        assert second.address == "127.0.0.1"

    def test_is_used_again_over_tls(self, ca: trustme.CA, ca_file: str) -> None:
        context = _tls(ca.issue_cert("127.0.0.1"))
        with Receiver(tls=context) as receiver, Sender(LOCAL, ca_file=ca_file) as sender:
            answers = [sender.post(receiver.url(), {}, b"{}") for _ in range(3)]

            assert len({received.client_port for received in receiver.requests()}) == 1

        assert [answer.timings.tls is None for answer in answers] == [False, True, True]

    def test_is_not_used_again_after_a_pause(
        self, sender: Sender, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wire, "IDLE_S", 0)

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 2

    def test_that_the_server_closed_costs_no_attempt(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url(), {}, b"{}")
        receiver.drop_connections()
        time.sleep(0.1)

        assert sender.post(receiver.url(), {}, b"{}").status_code == 200

    def test_is_closed_after_an_answer_that_was_not_read_to_its_end(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(200, {}, b"a" * 70_000)])

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 2

    def test_is_kept_after_an_answer_of_64_kib(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/", [Reply(200, {}, b"a" * 65_536)])

        sender.post(receiver.url(), {}, b"{}")
        sender.post(receiver.url(), {}, b"{}")

        assert len({received.client_port for received in receiver.requests()}) == 1

    @pytest.mark.parametrize("secure", [False, True])
    def test_that_breaks_when_used_again_is_a_failure_and_not_sent_twice(
        self, ca: trustme.CA, ca_file: str, secure: bool
    ) -> None:
        requests_seen: list[bytes] = []
        context = _tls(ca.issue_cert("127.0.0.1"))

        def talk(raw: socket.socket) -> None:
            connection = context.wrap_socket(raw, server_side=True) if secure else raw
            with connection:
                requests_seen.append(_take_request(connection))
                connection.sendall(OK)
                requests_seen.append(_take_request(connection))

        with RawServer(talk) as server, Sender(LOCAL, ca_file=ca_file) as sender:
            url = server.url().replace("http:", "https:") if secure else server.url()
            first, second = sender.post(url, {}, b""), sender.post(url, {}, b"")

        assert first.status_code == 200
        assert (second.status_code, second.cause) == (None, Cause.CONNECT)
        assert second.detail.endswith("(on a connection used before)")
        assert len(requests_seen) == 2

    def test_pool_is_bounded_over_many_hosts(
        self, sender: Sender, receiver: Receiver, names: Names
    ) -> None:
        for number in range(wire.HOSTS + 20):
            names(f"h{number}.example", ["127.0.0.1"])
            sender.post(receiver.url(host=f"h{number}.example"), {}, b"{}")

        deadline = time.monotonic() + 5
        while receiver.connections > wire.HOSTS and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 1 < receiver.connections <= wire.HOSTS

    def test_carries_the_requests_of_one_thread_at_a_time(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        receiver.script("/", [Reply(200, {}, b"", delay_s=0.01)], repeat=True)

        def send(number: int) -> tuple[str, Answer]:
            path = f"/{number}"
            return path, sender.post(receiver.url(path), {}, path.encode())

        with ThreadPoolExecutor(10) as threads:
            sent = list(threads.map(send, range(200)))

        assert all(answer.status_code == 200 for _, answer in sent)
        received = receiver.requests()
        assert sorted(one.body.decode() for one in received) == sorted(path for path, _ in sent)
        assert all(one.path == one.body.decode() for one in received)
        assert len({one.client_port for one in received}) <= 10


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
        with _says(said) as server:
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
        with _says(b"HTTP/1.1 200 OK\r\n" + body) as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (200, Cause.PROTOCOL)

    def test_between_connecting_and_tls_is_a_lost_connection(
        self, sender: Sender, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def reset(*_: Any, **__: Any) -> None:
            raise ConnectionResetError

        monkeypatch.setattr(wire.TimedTlsSocket, "_create", reset)
        with _says(b"") as server:
            answer = sender.post(server.url().replace("http:", "https:"), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.CONNECT)
        assert answer.detail == "connection failed while connecting"

    def test_before_the_first_byte_is_a_lost_connection(self, sender: Sender) -> None:
        with _says(b"") as server:
            answer = sender.post(server.url(), {}, b"{}")

        assert (answer.status_code, answer.cause) == (None, Cause.CONNECT)
        assert answer.detail == "connection closed while waiting for the first byte"


class TestSecrets:
    def test_are_in_no_detail_and_no_log(
        self,
        sender: Sender,
        receiver: Receiver,
        names: Names,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.INFO)
        names("empty.example", [])
        path = f"/{SECRET}?token={SECRET}"
        told = SECRET.encode()
        raw = [
            _says(b""),
            _says(told),
            _says(b"HTTP/1.1 200 OK\r\n" + told + b"\r\nno header " + told + b"\r\n\r\n"),
            _says(b"HTTP/1.1 200 OK\r\nContent-Length: " + told + b", 1\r\n\r\n"),
            _says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + told + b"\r\n"),
        ]
        receiver.script("/", [Reply(302, {"Location": SECRET, "Set-Cookie": SECRET})])
        urls = [receiver.url(path), f"http://empty.example{path}", f"ftp://u:{SECRET}@h{path}"]

        details = []
        for server in raw:
            with server:
                details.append(self._post(sender, server.url(path)).detail)
        details += [self._post(sender, url).detail for url in urls]

        assert not [detail for detail in details if SECRET in detail]
        assert SECRET not in caplog.text

    def _post(self, sender: Sender, url: str) -> Answer:
        headers = {"Authorization": f"Bearer {SECRET}"}
        return sender.post(url, headers, SECRET.encode(), timeout_s=2)


class TestTheReceiver:
    def test_answers_by_script_and_then_200(self, sender: Sender, receiver: Receiver) -> None:
        receiver.script("/flaky", [500, 500])
        receiver.script("/dead", [503], repeat=True)

        def statuses(path: str) -> list[int | None]:
            return [sender.post(receiver.url(path), {}, b"").status_code for _ in range(4)]

        assert statuses("/flaky/deep") == [500, 500, 200, 200]
        assert statuses("/dead?x=/flaky") == [503, 503, 503, 503]
        assert statuses("/flakyless") == [200, 200, 200, 200]

    def test_tells_what_came_when_it_waits_in_vain(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        sender.post(receiver.url("/one"), {}, b"{}")

        assert len(receiver.wait_for(1, "/one")) == 1
        with pytest.raises(AssertionError, match=r"expected 2 .* came: POST /one \(2 bytes\)"):
            receiver.wait_for(2, "/one", timeout_s=0.01)

    def test_verifies_signatures_as_the_standard_does(
        self, sender: Sender, receiver: Receiver
    ) -> None:
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        body, now = b'{"test": 1}', datetime.now(UTC)
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret).sign("msg_1", now, body.decode()),
        }

        sender.post(receiver.url(), headers, body)

        assert verify_standard_webhook(receiver.requests()[0], secret) == {"test": 1}
