"""The only way to customers' servers: send one POST, return the response as a value."""

import logging
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Self

import requests
from certifi import where
from urllib3 import HTTPResponse

from shared.outbound import connection, redaction, ssrf
from shared.outbound.connection import EXCHANGE_S, Exchange, ExchangeFailedError, Stage, ms_since
from shared.outbound.dns import Lookups
from shared.outbound.response import Cause, Response, Timings

READ_BYTES = 64 * 1024

# Headers of the caller replace these. There is no Accept-Encoding, because responses are short.
_HEADERS = {"User-Agent": "Funnelhooks", "Accept": "*/*"}

# Its warnings about malformed headers contain URLs with their queries.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)


class Sender:
    """Safe in many threads at once. A failure is a Response with a cause, never an exception."""

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
        """Send once; `timeout_s` covers everything from the look-up to the last byte read."""
        exchange = Exchange(self._lookups, min(timeout_s, EXCHANGE_S))
        token = connection.current.set(exchange)
        try:
            ssrf.check_url(url, self._policy)
            return self._exchange(exchange, url, headers, body)
        except ssrf.RefusedUrlError as refusal:
            return _response(exchange, cause=Cause.REFUSED_ADDRESS, detail=str(refusal))
        except requests.ConnectionError as error:  # raised outside any stage, e.g. by a race in ssl
            failure = exchange.failure(error)
            return _response(exchange, cause=failure.cause, detail=failure.detail)
        except ExchangeFailedError as failure:
            return _response(exchange, cause=failure.cause, detail=failure.detail)
        finally:
            connection.current.reset(token)

    def _exchange(
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
    """Shared by all tenants: it keeps no cookies and reads nothing from the environment."""

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: requests reads the whole body of a redirect even if it does not follow it."""


def _read(exchange: Exchange, response: HTTPResponse, secrets: Sequence[str]) -> Response:
    try:
        with exchange.during(Stage.READ):
            body = _body(response)
    except ExchangeFailedError as failure:
        return _response(exchange, response, cause=failure.cause, detail=failure.detail)
    encoding = response.headers.get("Content-Encoding", "")
    return _response(exchange, response, excerpt=redaction.excerpt(body, encoding, secrets))


def _body(response: HTTPResponse) -> bytes:
    """At most READ_BYTES, still compressed, so that a decompression bomb stays small.

    One byte more is read, so that a body of exactly READ_BYTES reaches its end.
    """
    body = b""
    while len(body) <= READ_BYTES:
        part = response.read(READ_BYTES + 1 - len(body), decode_content=False)
        if not part:
            break
        body += part
    return body[:READ_BYTES]


def _response(
    exchange: Exchange,
    response: HTTPResponse | None = None,
    cause: Cause | None = None,
    detail: str = "",
    excerpt: str = "",
) -> Response:
    return Response(
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
    return None if value is None else redaction.visible(value, 100)


def _timings(exchange: Exchange) -> Timings:
    spent = exchange.spent_ms
    return Timings(
        total=ms_since(exchange.started),
        dns=spent.get(Stage.LOOKUP),
        connect=spent.get(Stage.CONNECT),
        tls=spent.get(Stage.TLS),
        first_byte=exchange.first_byte_ms,
    )
