"""One request on its way to a customer: how far it came, and how long it may still take."""

import http.client
import ssl
import time
from enum import StrEnum
from types import TracebackType

from urllib3.exceptions import HTTPError

from shared.outbound import ssrf
from shared.outbound.dns import Lookups

CONNECT_S = 3.0
EXCHANGE_S = 10.0
WIRE_BYTES = 256 * 1024  # of one answer in all: headers, framing and body


class Cause(StrEnum):
    """Why an attempt failed. Whatever the clock ended is a timeout, in whichever stage."""

    DNS = "dns"
    REFUSED_ADDRESS = "refused_address"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    HTTP_STATUS = "http_status"  # for whoever judges the status; the sender does not


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
    # Lost before the first byte: most often a connection that the server was just closing. It may
    # have acted on the request, so sending again is left to the schedule.
    Stage.SEND: Cause.CONNECT,
    Stage.WAIT: Cause.CONNECT,
    Stage.READ: Cause.PROTOCOL,
}


# OpenSSL's own words, which say little to whoever runs the server.
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
    """The clock and the notebook of one request."""

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
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        return remaining

    def during(self, stage: Stage) -> "During":
        """Time a stage, and give what goes wrong on the network in it a cause."""
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
        origin = error.__cause__ or error  # urllib3 wraps what goes wrong inside a body
        if isinstance(origin, TimeoutError):
            return ExchangeFailedError(Cause.TIMEOUT, f"out of time while {self.stage}")
        lost = isinstance(origin, ssl.SSLEOFError | ssl.SSLZeroReturnError)
        if isinstance(origin, ssl.SSLError) and not lost:
            return ExchangeFailedError(Cause.TLS, _told(origin))
        again = " (on a connection used before)" if self.reused else ""
        return ExchangeFailedError(
            _CAUSES[self.stage], f"{_told(origin)} while {self.stage}{again}"
        )


class During:
    """A class, since a generator would keep the frames of an error, and their sockets, alive."""

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


def _told(error: BaseException) -> str:
    """Say what happened without quoting what was sent or received."""
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
