"""One request on its way to a customer's server: its deadline, its stages, its connection.

The connections of `requests` lead to vetted addresses only. A name is looked up, vetted and
connected to in one place, at connect time, so a later change of its DNS records has no effect. TLS
names and verifies the host, not the address.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPResponse
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from shared.outbound import dns, ssrf
from shared.outbound.dns import Lookups
from shared.outbound.response import Cause

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

CONNECT_S = 3.0
EXCHANGE_S = 10.0
WIRE_BYTES = 256 * 1024  # of one response in all: headers, framing and body
# Node and Apache close an idle connection after 5 s, gunicorn after 2 s. A shorter time here keeps
# a request from being sent into a connection that the server is closing.
IDLE_S = 1.5
# The least time for one address, so that one that drops packets leaves time for the next one.
CONNECT_SHARE_S = 1.0
HOSTS = 32


class Stage(StrEnum):
    LOOKUP = "looking up the host"
    CONNECT = "connecting"
    TLS = "in the TLS handshake"
    SEND = "sending the request"
    WAIT = "waiting for the first byte"
    READ = "reading the answer"


_CAUSES = {
    Stage.LOOKUP: Cause.DNS,
    Stage.CONNECT: Cause.CONNECT,
    Stage.TLS: Cause.TLS,
    # The connection was lost before the first byte, most often because the server was closing it.
    # The server may have processed the request, so only the schedule sends it again.
    Stage.SEND: Cause.CONNECT,
    Stage.WAIT: Cause.CONNECT,
    Stage.READ: Cause.PROTOCOL,
}


# What the error names of OpenSSL mean for the operator of the server.
_TLS_HINTS = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "no TLS version from 1.2 on, or no cipher, in common",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the server wants a TLS version older than 1.2",
    "UNSUPPORTED_PROTOCOL": "the server wants a TLS version older than 1.2",
    "TLSV1_UNRECOGNIZED_NAME": "the server does not know this host name",
    "WRONG_VERSION_NUMBER": "the port does not speak TLS",
}


class ExchangeFailedError(Exception):
    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.detail = detail


class Exchange:
    """The deadline of one request, and what is measured on the way."""

    def __init__(self, lookups: Lookups, timeout_s: float) -> None:
        self.lookups = lookups
        self.timeout_s = timeout_s
        self.started = time.monotonic()
        self.deadline = self.started + timeout_s
        self.stage = Stage.LOOKUP
        self.spent_ms: dict[Stage, int] = {}
        self.first_byte_ms: int | None = None
        self.address: str | None = None
        self.reused = False
        self._sent_at = self.started
        self._wire_bytes = 0

    def remaining_s(self) -> float:
        """Seconds until the deadline. Raises TimeoutError if there are none left."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def during(self, stage: Stage) -> "During":
        """Measure a stage, and raise its network errors as ExchangeFailedError."""
        return During(self, stage)

    def sent(self) -> None:
        self._sent_at = time.monotonic()

    def received(self, count: int) -> None:
        if count and self.stage is Stage.WAIT:
            self.stage = Stage.READ
            self.first_byte_ms = ms_since(self._sent_at)
        self._wire_bytes += count
        if self._wire_bytes > WIRE_BYTES:
            raise ExchangeFailedError(
                Cause.PROTOCOL, f"the answer is longer than {WIRE_BYTES} bytes"
            )

    def failure(self, error: Exception) -> ExchangeFailedError:
        origin = error.__cause__ or error  # urllib3 wraps errors inside a body
        if isinstance(origin, TimeoutError):
            return ExchangeFailedError(Cause.TIMEOUT, f"out of time while {self.stage}")
        lost = isinstance(origin, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(origin, ssl.SSLError) and not lost:
            return ExchangeFailedError(Cause.TLS, _description(origin))
        again = " (on a connection used before)" if self.reused else ""
        return ExchangeFailedError(
            _CAUSES[self.stage], f"{_description(origin)} while {self.stage}{again}"
        )


class During:
    """A class, because a generator keeps the frames of an error, and their sockets, alive."""

    def __init__(self, exchange: Exchange, stage: Stage) -> None:
        self._exchange = exchange
        self._stage = stage
        self._began = time.monotonic()

    def __enter__(self) -> None:
        self._exchange.stage = self._stage

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._exchange.spent_ms.setdefault(self._stage, ms_since(self._began))
        if isinstance(error, ssrf.RefusedAddressError):
            raise ExchangeFailedError(Cause.REFUSED_ADDRESS, str(error)) from None
        if isinstance(error, OSError | http.client.HTTPException | HTTPError):
            raise self._exchange.failure(error) from None


def ms_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


# The exchange of the running request. A pool gives its connections no other way to find it.
current: ContextVar[Exchange] = ContextVar("exchange")


class TimedSocket(socket.socket):
    """Each call waits until the deadline at most, so that slow bytes cannot move the deadline."""

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
        # http.client skips 100 only; any 1xx may come before the response (RFC 9110, 15.2).
        return version, 100 if 101 < status < 200 else status, reason


class Connection(HTTPConnection):
    response_class = FinalResponse
    sock: TimedSocket

    _address: str | None = None
    _last_used = 0.0

    @property
    def is_connected(self) -> bool:
        # The wall clock, because it also runs while a Lambda function is frozen.
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
        # A server that responds early may stop reading; its response says more than the error.
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
        """Nothing: the context verifies. requests would load the CA file for each connection."""


class SharedContext(ssl.SSLContext):
    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Nothing: urllib3 sets them for each connection, while other threads use the context."""


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificate and name, alike on every version of Python.

    Python 3.13 has stricter defaults than the versions before it.
    """
    context = SharedContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.sslsocket_class = TimedTlsSocket
    ssl.SSLContext.set_alpn_protocols(context, ["http/1.1"])
    context.load_verify_locations(ca_file)
    return context


def _connect_any(exchange: Exchange, addresses: list[dns.Address], until: float) -> TimedSocket:
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


def _connect(address: dns.Address, wait_s: float) -> TimedSocket:
    sock = TimedSocket(address.family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(wait_s)
        sock.connect(address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


def _description(error: BaseException) -> str:
    """What happened, without any text that was sent or received."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"certificate refused: {error.verify_message}"
        case ssl.SSLError():
            hint = _TLS_HINTS.get(error.reason)
            return f"TLS failed: {error.reason}" + (f" ({hint})" if hint else "")
        case http.client.RemoteDisconnected():
            return "connection closed"
        case http.client.BadStatusLine():
            return "not an HTTP answer"
        case http.client.IncompleteRead():
            return "answer cut off"
        case OSError(strerror=text):
            return text or "connection failed"
    return f"invalid HTTP ({type(error).__name__})"
