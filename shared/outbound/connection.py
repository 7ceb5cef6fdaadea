"""Connections of `requests` that lead to vetted addresses only and end at their deadline.

A name is looked up, vetted and connected to in one place, at connect time: an answer of the DNS
that changes afterwards changes nothing. TLS names and checks the host, not the address.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from shared.outbound import ssrf
from shared.outbound.exchange import CONNECT_S, Cause, Exchange, ExchangeFailedError, Stage

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

# Node and Apache close an idle connection after 5 s, gunicorn after 2 s: stay clear of that race.
IDLE_S = 1.5
# An address that swallows packets leaves time for the next one.
CONNECT_SHARE_S = 1.0
HOSTS = 32

# Pools hand a connection to a request but tell it nothing about the request.
current: ContextVar[Exchange] = ContextVar("exchange")


class TimedSocket(socket.socket):
    """Each call waits for what is left of the exchange: a slow drip cannot stretch it."""

    exchange: Exchange

    def send(self, data: "ReadableBuffer", flags: int = 0) -> int:
        self.settimeout(self.exchange.remaining_s())
        return super().send(data, flags)

    def sendall(self, data: "ReadableBuffer", flags: int = 0) -> None:
        self.settimeout(self.exchange.remaining_s())
        super().sendall(data, flags)

    def recv_into(
        self, buffer: "WriteableBuffer", nbytes: int | None = None, flags: int = 0
    ) -> int:
        self.settimeout(self.exchange.remaining_s())
        count = super().recv_into(buffer, nbytes or memoryview(buffer).nbytes, flags)
        self.exchange.received(count)
        return count


class TimedTlsSocket(TimedSocket, ssl.SSLSocket):
    def do_handshake(self, block: bool = False) -> None:
        exchange = current.get()
        with exchange.during(Stage.TLS):
            try:
                self.settimeout(exchange.remaining_s())
                super().do_handshake(block)
            except OSError:
                self.close()
                raise


class FinalResponse(http.client.HTTPResponse):
    def _read_status(self) -> tuple[str, int, str]:
        version, status, reason = super()._read_status()  # type: ignore[misc]
        # http.client skips 100 alone; before the answer may come any 1xx (RFC 9110, 15.2).
        return version, 100 if 101 < status < 200 else status, reason


class Connection(HTTPConnection):
    response_class = FinalResponse
    sock: TimedSocket

    _address: str | None = None
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        # By the wall clock, which goes on while a Lambda function is frozen.
        return 0 <= time.time() - self._last_used <= IDLE_S and super().is_connected

    def _new_conn(self) -> socket.socket:
        exchange = current.get()
        until = min(time.monotonic() + CONNECT_S, exchange.deadline)
        with exchange.during(Stage.LOOKUP):
            addresses = exchange.lookups.addresses(self._dns_host, self.port, until)
        with exchange.during(Stage.CONNECT):
            sock = _connect_any(exchange, addresses, until)
        self._address = exchange.address
        self._last_used = 0.0
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        exchange = current.get()
        if self.is_closed:
            self.connect()
        exchange.address, exchange.reused = self._address, bool(self._last_used)
        self.sock.exchange = exchange
        # Who answers early may stop listening: the answer is worth more than the error.
        lost = suppress(BrokenPipeError, ConnectionResetError)
        with exchange.during(Stage.SEND), lost:
            super().request(*args, **kwargs)
        exchange.sent()

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        with current.get().during(Stage.WAIT):
            response = super().getresponse()
        if response.status < 200:
            raise ExchangeFailedError(Cause.PROTOCOL, f"nobody asked for status {response.status}")
        self._last_used = time.time()
        return response


class TlsConnection(Connection, HTTPSConnection):
    pass


class ConnectionPool(HTTPConnectionPool):
    ConnectionCls = Connection


class TlsConnectionPool(HTTPSConnectionPool):
    ConnectionCls = TlsConnection


class Adapter(HTTPAdapter):
    """The transport of `requests` on our connections, at most HOSTS pools of `size` each."""

    def __init__(self, context: ssl.SSLContext, size: int) -> None:
        self._context = context
        super().__init__(pool_connections=HOSTS, pool_maxsize=size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = {
            "http": ConnectionPool,
            "https": TlsConnectionPool,
        }

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave it to the context: requests would load the CA file for every connection."""


class SharedContext(ssl.SSLContext):
    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Nothing: urllib3 sets them for each connection, while other threads use the context."""


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Verify certificate and name, alike on every Python (3.13 alone has a strict default)."""
    context = SharedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = TimedTlsSocket
    ssl.SSLContext.set_alpn_protocols(context, ["http/1.1"])
    context.load_verify_locations(ca_file)
    return context


def _connect_any(exchange: Exchange, addresses: list[ssrf.Address], until: float) -> TimedSocket:
    failure = OSError("the host has no address")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        remaining = until - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        exchange.address = str(address.sockaddr[0])
        try:
            return _connect(address, min(remaining, max(remaining / left, CONNECT_SHARE_S)))
        except OSError as error:
            failure = error
    raise failure


def _connect(address: ssrf.Address, wait_s: float) -> TimedSocket:
    sock = TimedSocket(address.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(wait_s)
        sock.connect(address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock
