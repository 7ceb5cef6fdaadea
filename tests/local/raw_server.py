"""Servers that are no good HTTP servers, and what else tests of the sender listen with."""

import re
import socket
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self

import trustme

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawServer:
    """Runs one function per connection, for everything that a real HTTP server would not do."""

    def __init__(
        self, talk: Callable[[socket.socket], object], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
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


def take_head(connection: socket.socket) -> bytes:
    seen = b""
    while b"\r\n\r\n" not in seen:
        seen += connection.recv(65536)
    return seen


def take_request(connection: socket.socket) -> bytes:
    """To its last byte: closing a socket with something unread would reset the connection."""
    head, _, body = take_head(connection).partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split()[0])
    while len(body) < length:
        body += connection.recv(65536)
    return head


def says(*parts: bytes, host: str = "127.0.0.1", port: int = 0) -> RawServer:
    """Answers each connection's first request with these bytes, and hangs up."""

    def talk(connection: socket.socket) -> None:
        take_request(connection)
        for part in parts:
            connection.sendall(part)

    return RawServer(talk, host, port)


def repeats(head: bytes, part: bytes, pause_s: float = 0.0) -> RawServer:
    """Never stops answering."""

    def talk(connection: socket.socket) -> None:
        take_request(connection)
        connection.sendall(head)
        while True:
            connection.sendall(part)
            time.sleep(pause_s)

    return RawServer(talk)


def echoes(spelled: Callable[[str], str], status: bytes = b"500 Echo") -> RawServer:
    """Answers with the head of the request and its Basic credentials in clear, as `spelled`."""

    def talk(connection: socket.socket) -> None:
        head = take_request(connection).decode("latin-1")
        basic = re.search(r"basic (\S+)", head, re.IGNORECASE)
        said = spelled(head + (b64decode(basic[1]).decode() if basic else "")).encode()
        connection.sendall(
            b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(said)) + said
        )

    return RawServer(talk)


def drips(port: int, since: threading.Event, pause_s: float = 0.02) -> RawServer:
    """Passes on what a server on loopback says, one byte at a time once `since` is set."""

    def talk(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as server:
            threading.Thread(target=_pass_on, args=(client, server), daemon=True).start()
            while part := server.recv(65536):
                for drop in _drops(part) if since.is_set() else [part]:
                    client.sendall(drop)
                    time.sleep(pause_s if since.is_set() else 0)

    return RawServer(talk)


def _drops(part: bytes) -> list[bytes]:
    return [part[i : i + 1] for i in range(len(part))]


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while part := source.recv(65536):
            target.sendall(part)


@contextmanager
def deaf_port(host: str = "127.0.0.1") -> Iterator[str]:
    """A port whose queue of connections is full, so that it answers no further one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, 0), family=family, backlog=0)
    waiting = [socket.socket(family) for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(listener.getsockname())
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}/"
    finally:
        for one in (*waiting, listener):
            one.close()


@contextmanager
def refusing_port() -> Iterator[str]:
    """A port that nobody listens on, and that nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


def server_tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True
