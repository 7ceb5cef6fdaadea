"""The only way to customers' servers: one POST, and what came of it as a value."""

import logging
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Self

import requests
from certifi import where
from urllib3 import HTTPResponse

from shared.outbound import connection, excerpt, redaction, ssrf
from shared.outbound.dns import Lookups
from shared.outbound.exchange import (
    EXCHANGE_S,
    Cause,
    Exchange,
    ExchangeFailedError,
    Stage,
    ms_since,
)
from shared.outbound.response import Response, Timings

READ_BYTES = 64 * 1024

# What a caller names itself goes first. No Accept-Encoding: answers are short.
_HEADERS = {"User-Agent": "Funnelhooks", "Accept": "*/*"}

# It writes URLs, with their queries, into its warnings about malformed headers.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Sender:
    """Sends from many threads at once; a failure is an answer, never an exception."""

    def __init__(
        self, policy: ssrf.Policy, pool_size: int = 10, ca_file: str | None = None
    ) -> None:
        self._policy = policy
        self._lookups = Lookups(policy)
        self._session = _Session()
        adapter = connection.Adapter(connection.tls_context(ca_file or where()), pool_size)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_s: float = EXCHANGE_S,
    ) -> Response:
        """Send once; `timeout_s` bounds everything from the look-up to the last byte read."""
        exchange = Exchange(self._lookups, min(timeout_s, EXCHANGE_S))
        token = connection.current.set(exchange)
        try:
            ssrf.check_url(url, self._policy)
            return self._exchanged(exchange, url, headers, body)
        except ssrf.RefusedUrlError as refusal:
            return _answer(exchange, cause=Cause.REFUSED_ADDRESS, detail=str(refusal))
        except requests.ConnectionError as error:  # of what no stage saw, as a lost race in ssl
            failure = exchange.failure(error)
            return _answer(exchange, cause=failure.cause, detail=failure.detail)
        except ExchangeFailedError as failure:
            return _answer(exchange, cause=failure.cause, detail=failure.detail)
        finally:
            connection.current.reset(token)

    def _exchanged(
        self, exchange: Exchange, url: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        request = requests.Request("POST", url, headers={**_HEADERS, **headers}, data=body)
        with self._session.send(
            request.prepare(), timeout=EXCHANGE_S, allow_redirects=False, stream=True
        ) as response:
            return _read(exchange, response.raw, redaction.secrets_of(headers))

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


def _read(exchange: Exchange, response: HTTPResponse, secrets: Sequence[str]) -> Response:
    try:
        with exchange.during(Stage.READ):
            body = _body(response)
    except ExchangeFailedError as failure:
        return _answer(exchange, response, cause=failure.cause, detail=failure.detail)
    encoding = response.headers.get("Content-Encoding", "")
    return _answer(exchange, response, said=excerpt.of(body, encoding, secrets))


def _body(response: HTTPResponse) -> bytes:
    """Read raw, so that a bomb stays small, and one byte too far, to reach the end of the rest."""
    body = b""
    while len(body) <= READ_BYTES:
        part = response.read(READ_BYTES + 1 - len(body), decode_content=False)
        if not part:
            break
        body += part
    return body[:READ_BYTES]


def _answer(
    exchange: Exchange,
    response: HTTPResponse | None = None,
    cause: Cause | None = None,
    detail: str = "",
    said: str = "",
) -> Response:
    return Response(
        status_code=response.status if response else None,
        cause=cause,
        detail=detail,
        address=exchange.address,
        retry_after=_retry_after(response) if response else None,
        excerpt=said,
        timings=_timings(exchange),
    )


def _retry_after(response: HTTPResponse) -> str | None:
    value = response.headers.get("Retry-After")
    return None if value is None else excerpt.visible(value, 100)


def _timings(exchange: Exchange) -> Timings:
    spent = exchange.spent_ms
    return Timings(
        total=ms_since(exchange.started),
        dns=spent.get(Stage.LOOKUP),
        connect=spent.get(Stage.CONNECT),
        tls=spent.get(Stage.TLS),
        first_byte=exchange.first_byte_ms,
    )
