"""A real HTTP(S) server on loopback that answers by script and remembers what it was sent."""

import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from socket import SHUT_RDWR, socket
from socketserver import TCPServer
from types import TracebackType
from typing import Any, Self

from requests.structures import CaseInsensitiveDict
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Reply:
    """One answer, once `after` is set; `hang` keeps the sender waiting until the receiver stops."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    hang: bool = False
    after: threading.Event | None = None


@dataclass(frozen=True)
class Received:
    """One request as it came; header names are found in any case."""

    method: str
    path: str
    headers: CaseInsensitiveDict[str]
    body: bytes
    received_at: float
    monotonic: float
    client_port: int

    def __str__(self) -> str:
        return f"{self.method} {self.path} ({len(self.body)} bytes)"


# Headers and body in, a status out.
Judge = Callable[[Mapping[str, str], bytes], int]


class Receiver:
    """Answers 200 unless a script for the path, or for a folder above it, says otherwise."""

    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = _Server(self, host, port, tls)
        self._scheme = "https" if tls else "http"
        self._scripts: dict[str, Iterator[Reply]] = {}
        self._judges: dict[str, Judge] = {}
        self._requests: list[Received] = []
        self._changed = threading.Condition(threading.RLock())
        self._stopping = threading.Event()

    @property
    def port(self) -> int:
        return self._server.server_port

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}{path}"

    def start(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self.drop_connections()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def script(self, path: str, replies: Iterable[int | Reply], repeat: bool = False) -> None:
        """Answer with these in turn, then 200; or, with `repeat`, with these over and over."""
        listed = [Reply(reply) if isinstance(reply, int) else reply for reply in replies]
        with self._changed:
            self._scripts[path] = cycle(listed) if repeat else iter(listed)

    def judge(self, path: str, judge: "Judge") -> None:
        """Answer the status that it says, once the script of the path has nothing to say."""
        with self._changed:
            self._judges[path] = judge

    def requests(self, path: str | None = None) -> list[Received]:
        with self._changed:
            return [seen for seen in self._requests if path is None or _under(path, seen.path)]

    def wait_for(
        self, count: int, path: str | None = None, timeout_s: float = 300.0
    ) -> list[Received]:
        """Give the requests once there are `count` of them; AssertionError tells what came."""
        with self._changed:
            if self._changed.wait_for(lambda: len(self.requests(path)) >= count, timeout_s):
                return self.requests(path)
        came = ", ".join(map(str, self.requests())) or "nothing"
        raise AssertionError(
            f"expected {count} requests to {path or 'any path'} in {timeout_s:g} s; came: {came}"
        )

    @property
    def connections(self) -> int:
        return self._server.connections

    def drop_connections(self) -> None:
        """Close every open connection, as a server does with those that idle."""
        self._server.drop_connections()

    def take(self, request: Received) -> Reply:
        """Called by the server for each request: remember it, say what to answer."""
        with self._changed:
            self._requests.append(request)
            reply = self._next_reply(request)
            self._changed.notify_all()
        if reply.after is not None:
            reply.after.wait()
        self._stopping.wait(None if reply.hang else reply.delay_s)
        return reply

    def _next_reply(self, request: Received) -> Reply:
        path = request.path
        matching = [prefix for prefix in self._scripts if _under(prefix, path)]
        reply = next(self._scripts[max(matching, key=len)], None) if matching else None
        return reply or Reply(self._judged(request))

    def _judged(self, request: Received) -> int:
        judge = self._judges.get(request.path.partition("?")[0])
        return judge(request.headers, request.body) if judge else 200


def verify_standard_webhook(received: Received, secret: str) -> Any:
    """Check the signature with the standard's own library; give the body as JSON."""
    return Webhook(secret).verify(received.body, dict(received.headers))


def _under(prefix: str, path: str) -> bool:
    path = path.partition("?")[0]
    return path == prefix or path.startswith(prefix.rstrip("/") + "/")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, receiver: Receiver, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        self.receiver = receiver
        self._tls = tls
        self._open: set[socket] = set()
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Without the library's look-up of its own name, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[socket, Any]:
        connection, address = super().get_request()
        if self._tls:
            # The handshake happens in the handler's thread, so a silent client blocks nobody.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    @property
    def connections(self) -> int:
        return len(self._open)

    def drop_connections(self) -> None:
        for connection in self._open.copy():
            try:
                connection.shutdown(SHUT_RDWR)
            except OSError:
                self._open.discard(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Senders hang up and refuse certificates in tests; that is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet

    def do_POST(self) -> None:
        body = self.rfile.read(self._length)
        if len(body) < self._length:  # the sender is gone: this was no request
            self.close_connection = True
            return
        reply = self.server.receiver.take(self._received(body))
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "content-length" not in {name.lower() for name in reply.headers}:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_PUT = do_POST

    @property
    def _length(self) -> int:
        return int(self.headers.get("Content-Length", 0))

    def _received(self, body: bytes) -> Received:
        return Received(
            method=self.command,
            path=self.path,
            headers=CaseInsensitiveDict(self.headers.items()),
            body=body,
            received_at=time.time(),
            monotonic=time.monotonic(),
            client_port=self.client_address[1],
        )

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: what came is asked of the receiver."""
