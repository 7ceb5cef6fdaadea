"""The only way to customers' servers: one POST, and what came of it as a value."""

import codecs
import logging
import zlib
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Self

import requests
from certifi import where
from urllib3 import HTTPResponse

from shared.delivery import guard, wire
from shared.delivery.exchange import EXCHANGE_S, Cause, Exchange, FailedError, Stage, ms_since
from shared.model import Model

__all__ = ["Answer", "Cause", "Sender", "Timings"]

READ_BYTES = 64 * 1024
KEPT_BYTES = 1024

# What a caller names itself goes first. No Accept-Encoding: answers are short.
_HEADERS = {"User-Agent": "Funnelhooks", "Accept": "*/*"}

# It writes URLs, with their queries, into its warnings about malformed headers.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Timings(Model):
    """Milliseconds; None for what did not happen, as `dns` to `tls` on a reused connection."""

    total: int
    dns: int | None = None
    connect: int | None = None
    tls: int | None = None
    first_byte: int | None = None  # after the request was sent


class Answer(Model):
    """What came of a request. It counts as answered only if `cause` is None: an answer that
    broke off, or dripped on past the deadline, has a status code and a cause.
    """

    status_code: int | None
    cause: Cause | None
    detail: str
    address: str | None
    retry_after: str | None
    excerpt: str
    timings: Timings


class Sender:
    """Sends from many threads at once; a failure is an answer, never an exception."""

    def __init__(
        self, policy: guard.Policy, pool_size: int = 10, ca_file: str | None = None
    ) -> None:
        self._policy = policy
        self._session = _Session()
        adapter = wire.Adapter(wire.tls_context(ca_file or where()), pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_s: float = EXCHANGE_S,
    ) -> Answer:
        """Send once; `timeout_s` bounds everything from the look-up to the last byte read."""
        exchange = Exchange(self._policy, min(timeout_s, EXCHANGE_S))
        token = wire.current.set(exchange)
        try:
            guard.check_url(url, self._policy)
            return self._exchanged(exchange, url, headers, body)
        except guard.RefusedUrlError as refusal:
            return _answer(exchange, cause=Cause.REFUSED_ADDRESS, detail=str(refusal))
        except requests.ConnectionError as error:  # of what no stage saw, as a lost race in ssl
            failure = exchange.failure(error)
            return _answer(exchange, cause=failure.cause, detail=failure.detail)
        except FailedError as failure:
            return _answer(exchange, cause=failure.cause, detail=failure.detail)
        finally:
            wire.current.reset(token)

    def _exchanged(
        self, exchange: Exchange, url: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        request = requests.Request("POST", url, headers={**_HEADERS, **headers}, data=body)
        with self._session.send(
            request.prepare(), timeout=EXCHANGE_S, allow_redirects=False, stream=True
        ) as response:
            return _read(exchange, response.raw)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Session(requests.Session):
    """Shared by all tenants, so it remembers nothing and takes nothing from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always: even unfollowed, a redirect would have its whole body read."""


def _read(exchange: Exchange, response: HTTPResponse) -> Answer:
    try:
        with exchange.during(Stage.READ):
            body = _body(response)
    except FailedError as failure:
        return _answer(exchange, response, cause=failure.cause, detail=failure.detail)
    encoding = response.headers.get("Content-Encoding", "")
    return _answer(exchange, response, excerpt=_excerpt(body, encoding))


def _body(response: HTTPResponse) -> bytes:
    """Read raw, so that a bomb stays small, and one byte too far, to reach the end of the rest."""
    body = b""
    while len(body) <= READ_BYTES:
        part = response.read(READ_BYTES + 1 - len(body), decode_content=False)
        if not part:
            break
        body += part
    return body[:READ_BYTES]


def _excerpt(body: bytes, encoding: str) -> str:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(_plain(body, encoding.strip().lower()))
    return _clean(text, KEPT_BYTES)


def _plain(body: bytes, encoding: str) -> bytes:
    """Undo the compression that nobody asked for, as far as the excerpt reaches."""
    if not body or encoding in ("", "identity"):
        return body[:KEPT_BYTES]
    if encoding in ("gzip", "x-gzip", "deflate"):
        try:
            # 32 added to the window size: zlib tells gzip and zlib headers apart by itself.
            return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, KEPT_BYTES)
        except zlib.error:
            pass
    return b"(a body in a content encoding that could not be read)"


# Kept as pictures: a log is read in terminals. Bidirectional controls reorder what is read.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421, ord("\r"): None}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys(
        (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD
    )
)


def _clean(text: str, limit: int) -> str:
    return text.translate(_VISIBLE).encode()[:limit].decode(errors="ignore")


def _answer(
    exchange: Exchange,
    response: HTTPResponse | None = None,
    cause: Cause | None = None,
    detail: str = "",
    excerpt: str = "",
) -> Answer:
    return Answer(
        status_code=response.status if response else None,
        cause=cause,
        detail=detail,
        address=exchange.address,
        retry_after=_retry_after(response) if response else None,
        excerpt=excerpt,
        timings=_timings(exchange),
    )


def _retry_after(response: HTTPResponse) -> str | None:
    value = response.headers.get("Retry-After")
    return None if value is None else _clean(value, 100)


def _timings(exchange: Exchange) -> Timings:
    spent = exchange.spent_ms
    return Timings(
        total=ms_since(exchange.started),
        dns=spent.get(Stage.LOOKUP),
        connect=spent.get(Stage.CONNECT),
        tls=spent.get(Stage.TLS),
        first_byte=exchange.first_byte_ms,
    )
