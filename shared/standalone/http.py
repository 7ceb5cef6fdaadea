"""An ASGI application in place of the HTTP API: a request becomes the event of a function.

Source: Amazon API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs in
API Gateway", payload format 2.0; "Quotas for configuring and running an HTTP API".
"""

import asyncio
import base64
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import Executor
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote

from shared.observability import fault, logger
from shared.standalone.engine.template import Json
from shared.standalone.functions import ACCOUNT
from shared.standalone.routes import FoundRoute, Routes

MAX_BODY_BYTES = 10 * 1024 * 1024
TIMEOUT_S = 30
# A body that is not there by then is not waited for.
BODY_S = 60
# Requests that are there at once, worked on or waiting, and the bytes of their bodies.
MAX_REQUESTS = 1_000
MAX_HELD_BYTES = 128 * 1024 * 1024
READY = "/ready"
_NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
# Types whose bodies are text in the event; any other body is in base64.
_TEXT = ("text/", "application/json", "application/xml", "application/javascript")

Scope = Json
Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class Invoker(Protocol):
    def invoke(self, stage: str, event: Any) -> Any: ...


class HttpAnswer(NamedTuple):
    status: int
    headers: Headers
    body: bytes


class _RefusedError(Exception):
    """`more`: the rest of the body is not read, so the connection ends with the answer."""

    def __init__(self, status: HTTPStatus, more: bool = False) -> None:
        self.status = status
        self.more = more


class _SenderGoneError(Exception):
    """The sender has left before its request was whole: there is nobody to answer."""


class HttpFront:
    """`settled` returns once everything that was stored by now is on disk: no answer leaves before.

    `observe` is told the status and the seconds of each answer.
    """

    def __init__(
        self,
        routes: Routes,
        platform: Invoker,
        settled: Callable[[], None],
        executor: Executor,
        observe: Callable[[int, float], None] = lambda _, __: None,
        timeout_s: float = TIMEOUT_S,
        body_s: float = BODY_S,
    ) -> None:
        self.is_ready = False
        self._routes = routes
        self._platform = platform
        self._settled = settled
        self._executor = executor
        self._observe = observe
        self._timeout_s = timeout_s
        self._body_s = body_s
        self._requests = 0
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        request_id = str(uuid.uuid4())
        self._requests += 1
        try:
            answer = await self._answer(scope, receive, request_id)
        except _RefusedError as refused:
            answer = _message(refused.status, request_id)
            if refused.more:
                answer.headers.append((b"connection", b"close"))
        except _SenderGoneError:
            return
        finally:
            self._requests -= 1
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.body})
        self._observe(answer.status, time.monotonic() - begun)

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> HttpAnswer:
        path = _path(scope)
        if path == READY:
            status = HTTPStatus.OK if self.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            return _message(status, request_id)
        route = self._routes.find(scope["method"], path)
        if route is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND)
        if self._requests > MAX_REQUESTS:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE)
        parts = list[bytes]()
        try:
            try:
                async with asyncio.timeout(self._body_s):
                    await self._read(receive, parts)
            except TimeoutError:
                raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, more=True) from None
            event = http_event(scope, path, b"".join(parts), request_id, route)
            return await self._answer_of(route.stage, event)
        finally:
            self._held_bytes -= sum(map(len, parts))

    async def _read(self, receive: Receive, parts: list[bytes]) -> None:
        """Read the body into `parts`, which count as held."""
        size, is_whole = 0, False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _SenderGoneError
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            self._held_bytes += len(part)
            if size > MAX_BODY_BYTES:
                raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, more=True)
            if self._held_bytes > MAX_HELD_BYTES:
                raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, more=True)
            is_whole = not message.get("more_body")

    async def _answer_of(self, stage: str, event: Json) -> HttpAnswer:
        loop = asyncio.get_running_loop()
        invocation = loop.run_in_executor(self._executor, self._invoke, stage, event)
        try:
            return await asyncio.wait_for(asyncio.shield(invocation), self._timeout_s)
        except TimeoutError:
            raise _RefusedError(HTTPStatus.SERVICE_UNAVAILABLE) from None

    def _invoke(self, stage: str, event: Json) -> HttpAnswer:
        request_id = event["requestContext"]["requestId"]
        try:
            answer = http_answer(self._platform.invoke(stage, event), request_id)
            self._settled()
        except Exception as error:
            logger.error("http.failed", function=stage, correlation_id=request_id, **fault(error))
            return _message(HTTPStatus.INTERNAL_SERVER_ERROR, request_id)
        return answer


def http_event(scope: Scope, path: str, body: bytes, request_id: str, route: FoundRoute) -> Json:
    """The event of the request, payload format 2.0."""
    headers, cookies = _headers(scope["headers"])
    query = scope["query_string"].decode("latin-1")
    is_base64, text = _body_text(body, headers.get("content-type", ""))
    now = datetime.now(UTC)
    host = headers.get("host", "")
    event: Json = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers | {"x-forwarded-proto": scope["scheme"]},
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "standalone",
            "domainName": host.partition(":")[0],
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": (scope.get("client") or ("",))[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route.key,
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": round(now.timestamp() * 1000),
        },
        "isBase64Encoded": is_base64,
    }
    if route.parameters:
        event["pathParameters"] = {name: unquote(v) for name, v in route.parameters.items()}
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = _joined(parse_qsl(query, keep_blank_values=True))
    if body:
        event["body"] = text
    return event


def http_answer(answer: Any, request_id: str) -> HttpAnswer:
    """What a function's answer says; without a status it is the body, in JSON."""
    if not isinstance(answer, dict) or "statusCode" not in answer:
        answer = {
            "statusCode": 200,
            "headers": {"content-type": "application/json"},
            "body": json.dumps(answer),
        }
    status = int(answer["statusCode"])
    text = "" if status in _NO_BODY else answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    told = {name.lower(): str(value) for name, value in (answer.get("headers") or {}).items()}
    told["apigw-requestid"] = request_id
    told.pop("content-length", None)
    headers = [(name.encode(), value.encode("latin-1")) for name, value in told.items()]
    headers += [(b"set-cookie", one.encode("latin-1")) for one in answer.get("cookies") or ()]
    if any(b"\r" in value or b"\n" in value for _, value in headers):
        raise ValueError("A header of the answer has more than one line.")
    if status not in _NO_BODY:
        headers.append((b"content-length", b"%d" % len(body)))
    return HttpAnswer(status, headers, body)


def _message(status: HTTPStatus, request_id: str) -> HttpAnswer:
    """As the gateway answers by itself."""
    body = {"message": status.phrase}
    headers = {"content-type": "application/json"}
    answer = {"statusCode": status, "headers": headers, "body": json.dumps(body)}
    return http_answer(answer, request_id)


def _path(scope: Scope) -> str:
    """As it came, so that no character of an id is taken for another one's."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _body_text(body: bytes, content_type: str) -> tuple[bool, str]:
    kind = content_type.partition(";")[0].strip().lower()
    if not kind or kind.startswith(_TEXT) or kind.endswith(("+json", "+xml")):
        try:
            return False, body.decode()
        except UnicodeDecodeError:
            pass
    return True, base64.b64encode(body).decode()


def _headers(given: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], list[str]]:
    """Header names in lower case, values of one name joined by commas; and the cookies."""
    pairs = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in given]
    sent = [value for name, value in pairs if name == "cookie"]
    cookies = [part.strip() for value in sent for part in value.split(";")]
    return _joined((name, value) for name, value in pairs if name != "cookie"), cookies


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
