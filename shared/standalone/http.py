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
from urllib.parse import parse_qsl

from shared.observability import fault, logger
from shared.standalone.engine.template import Json
from shared.standalone.routes import Routes

MAX_BODY_BYTES = 10 * 1024 * 1024
TIMEOUT_S = 30
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
    ) -> None:
        self.is_ready = False
        self._routes = routes
        self._platform = platform
        self._settled = settled
        self._executor = executor
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = time.monotonic()
        answer = await self._answer(scope, receive)
        await send(
            {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        )
        await send({"type": "http.response.body", "body": answer.body})
        self._observe(answer.status, time.monotonic() - begun)

    async def _answer(self, scope: Scope, receive: Receive) -> HttpAnswer:
        path = _path(scope)
        if path == "/ready":
            return _message(HTTPStatus.OK if self.is_ready else HTTPStatus.SERVICE_UNAVAILABLE)
        stage = self._routes.stage_of(scope["method"], path)
        if stage is None:
            return _message(HTTPStatus.NOT_FOUND)
        body = await _body(receive)
        if body is None:
            return _message(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        event = http_event(scope, path, body)
        loop = asyncio.get_running_loop()
        invocation = loop.run_in_executor(self._executor, self._invoke, stage, event)
        try:
            return await asyncio.wait_for(asyncio.shield(invocation), TIMEOUT_S)
        except TimeoutError:
            return _message(HTTPStatus.SERVICE_UNAVAILABLE)

    def _invoke(self, stage: str, event: Json) -> HttpAnswer:
        try:
            answer = http_answer(
                self._platform.invoke(stage, event), event["requestContext"]["requestId"]
            )
            self._settled()
        except Exception as error:
            logger.error("http.failed", function=stage, **fault(error))
            return _message(HTTPStatus.INTERNAL_SERVER_ERROR)
        return answer


def http_event(scope: Scope, path: str, body: bytes) -> Json:
    """The event of the request, payload format 2.0."""
    headers, cookies = _headers(scope["headers"])
    query = scope["query_string"].decode("latin-1")
    is_base64, text = _body_text(body, headers.get("content-type", ""))
    now = datetime.now(UTC)
    host = headers.get("host", "")
    event: Json = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"x-forwarded-proto": scope["scheme"]} | headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "standalone",
            "domainName": host.partition(":")[0],
            "http": {
                "method": scope["method"],
                "path": path,
                "protocol": f"HTTP/{scope['http_version']}",
                "sourceIp": (scope.get("client") or ("",))[0],
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": round(now.timestamp() * 1000),
        },
        "isBase64Encoded": is_base64,
    }
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
    text = answer.get("body") or ""
    body = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
    headers = _of_answer(answer.get("headers") or {}, request_id, body)
    headers += [(b"set-cookie", one.encode("latin-1")) for one in answer.get("cookies") or ()]
    return HttpAnswer(int(answer["statusCode"]), headers, body)


def _of_answer(given: Json, request_id: str, body: bytes) -> Headers:
    told = given | {"apigw-requestid": request_id, "content-length": len(body)}
    return [(name.lower().encode(), str(value).encode("latin-1")) for name, value in told.items()]


def _message(status: HTTPStatus) -> HttpAnswer:
    """As the gateway answers by itself."""
    body = json.dumps({"message": status.phrase}).encode()
    about = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    return HttpAnswer(status, about, body)


def _path(scope: Scope) -> str:
    """As it came, so that no character of an id is taken for another one's."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


async def _body(receive: Receive) -> bytes | None:
    """None if it is too large."""
    parts = list[bytes]()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


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
    cookies = [part for name, value in pairs if name == "cookie" for part in value.split("; ")]
    return _joined((name, value) for name, value in pairs if name != "cookie"), cookies


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found
