"""Requests as events of payload format 2.0, and what functions answer as HTTP.

Source: Amazon API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs in
API Gateway".
"""

import asyncio
import base64
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.model import Model
from shared.standalone.engine.template import Template, template
from shared.standalone.http import (
    MAX_BODY_BYTES,
    MAX_HELD_BYTES,
    MAX_REQUESTS,
    HttpFront,
    http_answer,
    http_event,
)
from shared.standalone.routes import FoundRoute, Routes
from shared.web.operations import Api

ROUTE = FoundRoute("POST /v1/{proxy+}", "ingest", {"proxy": "events"})
# A patience that no machine needs.
LONG_S = 600.0

PATH = st.text(st.characters(codec="ascii", exclude_categories=["C", "Z"]), max_size=30).map(
    lambda text: "/" + text.replace("?", "").replace("#", "")
)
WORDS = st.text(st.characters(exclude_categories=["C"]), max_size=10)
PAIRS = st.lists(st.tuples(WORDS.filter(bool), WORDS), max_size=6)
HEADER_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() not in ("cookie", "content-type", "x-forwarded-proto", "host")
)
HEADER_VALUES = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12)


def scope(
    method: str = "POST",
    path: str = "/v1/events",
    query: str = "",
    headers: list[tuple[str, str]] | None = None,
) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "client": ("192.0.2.7", 4711),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (headers or [])],
    }


def event_of(body: bytes = b"", **request: Any) -> dict[str, Any]:
    given_scope = scope(**request)
    return http_event(given_scope, request.get("path", "/v1/events"), body, "r-1", ROUTE)


class TestTheEventOfARequest:
    def test_is_the_documented_one(self) -> None:
        headers = [("Host", "hooks.example.com:8443"), ("User-Agent", "test"), ("Cookie", "a=1; b")]

        event = event_of(b"{}", query="limit=2", headers=headers)

        context = event.pop("requestContext")
        assert isinstance(context.pop("timeEpoch"), int)
        assert context.pop("time").endswith(" +0000")
        assert event == {
            "version": "2.0",
            "routeKey": "POST /v1/{proxy+}",
            "rawPath": "/v1/events",
            "rawQueryString": "limit=2",
            "cookies": ["a=1", "b"],
            "headers": {
                "host": "hooks.example.com:8443",
                "user-agent": "test",
                "x-forwarded-proto": "https",
            },
            "queryStringParameters": {"limit": "2"},
            "pathParameters": {"proxy": "events"},
            "body": "{}",
            "isBase64Encoded": False,
        }
        assert context == {
            "accountId": "000000000000",
            "apiId": "standalone",
            "domainName": "hooks.example.com",
            "http": {
                "method": "POST",
                "path": "/v1/events",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "test",
            },
            "requestId": "r-1",
            "routeKey": "POST /v1/{proxy+}",
            "stage": "$default",
        }

    def test_has_only_what_the_request_has(self) -> None:
        event = event_of()

        assert not event.keys() & {"body", "cookies", "queryStringParameters"}
        assert event["isBase64Encoded"] is False

    def test_says_the_scheme_of_the_connection_whatever_the_sender_claims(self) -> None:
        event = event_of(headers=[("X-Forwarded-Proto", "gopher")])

        assert event["headers"]["x-forwarded-proto"] == "https"

    @given(path=PATH)
    def test_has_the_path_as_it_came(self, path: str) -> None:
        event = event_of(path=path)

        assert event["rawPath"] == event["requestContext"]["http"]["path"] == path

    @given(pairs=PAIRS)
    def test_has_every_parameter_decoded_and_those_of_one_name_joined(
        self, pairs: list[tuple[str, str]]
    ) -> None:
        query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)

        event = event_of(query=query)

        wanted: dict[str, list[str]] = {}
        for name, value in pairs:
            wanted.setdefault(name, []).append(value)
        assert event["rawQueryString"] == query
        assert event.get("queryStringParameters", {}) == {
            name: ",".join(values) for name, values in wanted.items()
        }

    @given(headers=st.lists(st.tuples(HEADER_NAMES, HEADER_VALUES), max_size=6))
    def test_has_every_header_in_lower_case_and_those_of_one_name_joined(
        self, headers: list[tuple[str, str]]
    ) -> None:
        event = event_of(headers=headers)

        wanted: dict[str, list[str]] = {}
        for name, value in headers:
            wanted.setdefault(name.lower(), []).append(value)
        told = dict(event["headers"])
        del told["x-forwarded-proto"]
        assert told == {name: ",".join(values) for name, values in wanted.items()}

    @given(body=st.binary(max_size=200), kind=st.sampled_from(["image/png", "application/zip"]))
    def test_has_a_binary_body_in_base64(self, body: bytes, kind: str) -> None:
        event = event_of(body, headers=[("content-type", kind)])

        assert base64.b64decode(event.get("body", "")) == body
        assert event["isBase64Encoded"] is True

    @given(
        text=st.text(st.characters(codec="utf-8"), min_size=1, max_size=200),
        kind=st.sampled_from(["application/json", "text/plain; charset=utf-8", "a/b+json", ""]),
    )
    def test_has_a_text_as_it_is(self, text: str, kind: str) -> None:
        event = event_of(text.encode(), headers=[("content-type", kind)])

        assert (event["body"], event["isBase64Encoded"]) == (text, False)

    def test_has_a_text_that_is_no_utf_8_in_base64(self) -> None:
        event = event_of(b"\xff\xfe", headers=[("content-type", "text/plain")])

        assert (event["body"], event["isBase64Encoded"]) == ("//4=", True)

    def test_has_a_form_in_base64_as_aws_does(self) -> None:
        kind = ("content-type", "application/x-www-form-urlencoded")

        event = event_of(b"a=1&b=2", headers=[kind])

        assert (base64.b64decode(event["body"]), event["isBase64Encoded"]) == (b"a=1&b=2", True)


def told(answer: Any) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    return tuple(http_answer(answer, "r-1"))  # type: ignore[return-value]


class TestAnAnswer:
    def test_has_the_status_the_headers_the_cookies_and_the_body(self) -> None:
        status, headers, body = told(
            {
                "statusCode": 201,
                "headers": {"Location": "/here", "Content-Length": "99"},
                "cookies": ["a=1", "b=2"],
                "body": "café",
            }
        )

        assert (status, body) == (201, "café".encode())
        assert sorted(headers) == [
            (b"apigw-requestid", b"r-1"),
            (b"content-length", b"5"),
            (b"location", b"/here"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
        ]

    @given(body=st.binary(max_size=200))
    def test_in_base64_is_decoded(self, body: bytes) -> None:
        encoded = base64.b64encode(body).decode()

        _, headers, sent = told({"statusCode": 200, "isBase64Encoded": True, "body": encoded})

        assert sent == body
        assert (b"content-length", str(len(body)).encode()) in headers

    @pytest.mark.parametrize("status", [204, 304])
    def test_without_a_body_has_neither_body_nor_length(self, status: int) -> None:
        _, headers, body = told({"statusCode": status, "body": "unwanted"})

        assert body == b""
        assert b"content-length" not in dict(headers)

    @pytest.mark.parametrize("answer", [{"ok": True}, [1], "text", None])
    def test_without_a_status_is_the_body_itself(self, answer: Any) -> None:
        status, headers, body = told(answer)

        assert (status, json.loads(body)) == (200, answer)
        assert (b"content-type", b"application/json") in headers

    def test_with_a_line_break_in_a_header_is_none(self) -> None:
        with pytest.raises(ValueError, match="more than one line"):
            told({"statusCode": 302, "headers": {"Location": "/\r\nSet-Cookie: a=1"}})


class Functions:
    """Answers for the functions of the template; counts what is stored and what is on disk."""

    def __init__(self, answer: Callable[[dict[str, Any]], Any]) -> None:
        self._answer = answer
        self.events: list[dict[str, Any]] = []
        self.synced = 0

    def invoke(self, stage: str, event: Any) -> Any:
        self.events.append({"stage": stage, **event})
        return self._answer(event)

    def settled(self) -> None:
        self.synced += 1


def answered(_: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 202, "body": "{}"}


@contextmanager
def front_of(
    functions: Functions, timeout_s: float = LONG_S, body_s: float = LONG_S
) -> Iterator[HttpFront]:
    with ThreadPoolExecutor(4) as executor:
        yield HttpFront(
            Routes(template()),
            functions,
            functions.settled,
            executor,
            timeout_s=timeout_s,
            body_s=body_s,
        )


class Exchange:
    """One request to a front, message by message."""

    def __init__(self, front: HttpFront, about: dict[str, Any], *messages: dict[str, Any]) -> None:
        self._front = front
        self._scope = about
        self._messages = list(messages)
        self.sent: list[dict[str, Any]] = []

    async def run(self) -> None:
        async def receive() -> dict[str, Any]:
            if not self._messages:
                await asyncio.Event().wait()
            return self._messages.pop(0)

        async def send(message: dict[str, Any]) -> None:
            self.sent.append(message)

        await self._front(self._scope, receive, send)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> Any:
        return json.loads(self.sent[1]["body"])


def part(body: bytes = b"", more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def ask(front: HttpFront, *messages: dict[str, Any], **request: Any) -> Exchange:
    exchange = Exchange(front, scope(**request), *(messages or (part(),)))
    asyncio.run(exchange.run())
    return exchange


class TestTheFront:
    def test_answers_once_what_was_stored_is_on_disk(self) -> None:
        functions = Functions(answered)

        with front_of(functions) as front:
            exchange = ask(front, part(b'{"a"', more=True), part(b": 1}"))

        (event,) = functions.events
        assert (exchange.status, functions.synced) == (202, 1)
        assert (event["stage"], event["body"]) == ("ingest", '{"a": 1}')
        assert exchange.headers[b"apigw-requestid"].decode() == event["requestContext"]["requestId"]

    def test_answers_500_if_the_function_raises_an_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(event: dict[str, Any]) -> Any:
            raise KeyError("visitor")

        functions = Functions(fail)
        with front_of(functions) as front:
            exchange = ask(front)

        assert (exchange.status, exchange.body) == (500, {"message": "Internal Server Error"})
        assert exchange.headers[b"apigw-requestid"]

    def test_answers_500_if_what_was_stored_did_not_reach_the_disk(self) -> None:
        functions = Functions(answered)

        def full() -> None:
            raise OSError("No space left on device")

        with ThreadPoolExecutor(1) as executor:
            exchange = ask(HttpFront(Routes(template()), functions, full, executor))

        assert exchange.status == 500

    def test_answers_500_if_the_answer_is_none_of_http(self) -> None:
        with front_of(Functions(lambda _: {"statusCode": "many"})) as front:
            assert ask(front).status == 500

    def test_answers_503_once_the_time_is_up(self) -> None:
        go_on = threading.Event()
        functions = Functions(lambda _: go_on.wait() and answered({}))

        with front_of(functions, timeout_s=0.01) as front:
            exchange = ask(front)
            go_on.set()

        assert (exchange.status, exchange.body) == (503, {"message": "Service Unavailable"})

    def test_refuses_a_body_that_is_too_large_and_invokes_nothing(self) -> None:
        functions = Functions(answered)
        half = b"x" * (MAX_BODY_BYTES // 2)

        with front_of(functions) as front:
            largest = ask(front, part(half, more=True), part(half))
            larger = ask(front, part(half, more=True), part(half, more=True), part(b"x"))

        assert (largest.status, larger.status) == (202, 413)
        assert larger.headers[b"connection"] == b"close"
        assert len(functions.events) == 1

    def test_answers_404_where_no_route_leads(self) -> None:
        functions = Functions(answered)
        nowhere = Template("Parameters: {}\nResources: {}\nOutputs: {}\n")

        with ThreadPoolExecutor(1) as executor:
            front = HttpFront(Routes(nowhere), functions, functions.settled, executor)
            exchange = ask(front)

        assert (exchange.status, exchange.body) == (404, {"message": "Not Found"})
        assert functions.events == []

    def test_a_request_that_its_sender_did_not_finish_is_none(self) -> None:
        functions = Functions(answered)

        with front_of(functions) as front:
            exchange = ask(front, part(b'{"a"', more=True), {"type": "http.disconnect"})

        assert (exchange.sent, functions.events) == ([], [])

    def test_does_not_wait_for_a_body_for_ever(self) -> None:
        functions = Functions(answered)

        with front_of(functions, body_s=0.01) as front:
            exchange = ask(front, part(b'{"a"', more=True))

        assert (exchange.status, functions.events) == (408, [])
        assert exchange.headers[b"connection"] == b"close"

    def test_says_whether_it_is_ready(self) -> None:
        with front_of(Functions(answered)) as front:
            before = ask(front, method="GET", path="/ready").status
            front.is_ready = True
            after = ask(front, method="GET", path="/ready").status

        assert (before, after) == (503, 200)

    def test_holds_so_many_requests_at_once_and_no_more(self) -> None:
        go_on = threading.Event()
        functions = Functions(lambda _: go_on.wait() and answered({}))

        async def run(front: HttpFront) -> list[int]:
            exchanges = [Exchange(front, scope(), part()) for _ in range(MAX_REQUESTS + 1)]
            tasks = [asyncio.ensure_future(exchange.run()) for exchange in exchanges]
            await tasks[-1]
            go_on.set()
            await asyncio.gather(*tasks)
            return [exchange.status for exchange in exchanges]

        with front_of(functions) as front:
            statuses = asyncio.run(run(front))
            again = ask(front).status

        assert statuses == [202] * MAX_REQUESTS + [503]
        assert again == 202

    def test_holds_so_many_bytes_of_bodies_and_no_more(self) -> None:
        go_on = threading.Event()
        functions = Functions(lambda _: go_on.wait() and answered({}))
        body = b"x" * MAX_BODY_BYTES
        room = MAX_HELD_BYTES // MAX_BODY_BYTES

        async def run(front: HttpFront) -> list[int]:
            exchanges = [Exchange(front, scope(), part(body)) for _ in range(room + 1)]
            tasks = [asyncio.ensure_future(exchange.run()) for exchange in exchanges]
            await tasks[-1]
            go_on.set()
            await asyncio.gather(*tasks)
            return [exchange.status for exchange in exchanges]

        with front_of(functions) as front:
            statuses = asyncio.run(run(front))
            again = ask(front, part(body)).status

        assert statuses == [202] * room + [503]
        assert again == 202

    def test_overlapping_requests_to_one_api_do_not_mix(self) -> None:
        together = threading.Barrier(2)
        api = Api()

        class Asked(Model):
            name: str

        @api.get("/v1/who/<number>")
        def who(number: str, query: Asked) -> Asked:
            together.wait()
            return Asked(name=f"{number} {query.name} {api._app.current_event.path}")

        functions = Functions(lambda event: api.handle(event, None))  # type: ignore[arg-type]

        async def run(front: HttpFront) -> list[Any]:
            exchanges = [
                Exchange(front, scope("GET", f"/v1/who/{one}", f"name={one}"), part())
                for one in ("first", "second")
            ]
            await asyncio.gather(*(exchange.run() for exchange in exchanges))
            return [exchange.body for exchange in exchanges]

        with front_of(functions) as front:
            bodies = asyncio.run(run(front))

        assert bodies == [
            {"name": "first first /v1/who/first"},
            {"name": "second second /v1/who/second"},
        ]


class TestRoutes:
    @pytest.mark.parametrize(
        ("method", "path", "key", "stage"),
        [
            ("POST", "/v1/events", "POST /v1/{proxy+}", "ingest"),
            ("GET", "/v1/events", "GET /v1/{proxy+}", "deliveries"),
            ("GET", "/v1/actions/a/b/1", "GET /v1/actions/{proxy+}", "ingest"),
            ("POST", "/v1/actions/links", "POST /v1/actions/links", "configs"),
            ("POST", "/v1/webhookconfig/test", "POST /v1/webhookconfig/test", "deliveries"),
            ("PATCH", "/v1/deliveries/d/x", "ANY /v1/deliveries/{proxy+}", "deliveries"),
            ("GET", "/anything", "$default", "configs"),
        ],
    )
    def test_the_most_specific_one_wins(self, method: str, path: str, key: str, stage: str) -> None:
        found = Routes(template()).find(method, path)

        assert found is not None
        assert (found.key, found.stage) == (key, stage)

    def test_a_route_tells_the_parts_that_it_names(self) -> None:
        path = "/api/v2/workspaces/w%201/webhooks/outgoing/events/e/x"

        found = Routes(template()).find("GET", path)

        assert found is not None
        assert found.parameters == {"workspace": "w%201", "proxy": "e/x"}
        event = http_event(scope("GET", path), path, b"", "r-1", found)
        assert event["pathParameters"] == {"workspace": "w 1", "proxy": "e/x"}
