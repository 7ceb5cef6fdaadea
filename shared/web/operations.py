"""HTTPS operations, declared by the signatures of the functions that serve them.

    api = Api(bearer=keyring)

    @api.put("/v1/webhookconfig/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
    def archive(caller: Caller, body: Entries) -> None: ...

`query` and `body` are read into the models that they are annotated with. `caller` is the caller,
`request` is the request without its body, every other parameter comes from the path. The returned
value is written as its annotation says. The OpenAPI document is made from the same declarations,
before run time (docs/decisions/0009-openapi.md).
"""

import base64
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter, ValidationError

from shared.errors import (
    FunnelhooksError,
    InvalidError,
    NotFoundError,
    RateLimitedError,
    UnauthenticatedError,
    UnsupportedMediaTypeError,
)
from shared.input.json_body import parse_json
from shared.input.validation import invalid
from shared.model import Model
from shared.observability import logger, request_failed, request_refused
from shared.web.authentication import Authenticated, Authenticator, Request
from shared.web.problems import NO_ADDRESS, Native, Problems
from shared.workspaces.models import Scope

JSON = "application/json"
MAX_BODY_BYTES = 256 * 1024

NATIVE = Native()

Answer = Response[Any]
Headers = dict[str, str | list[str]]
Serve = Callable[..., Any]
T = TypeVar("T")


class RawBody(Model):
    """The body of an operation that parses it itself. Header names are in lower case.

    `is_text`: the gateway has decoded the body, so it is UTF-8, whatever its Content-Type says.
    """

    content: bytes
    headers: dict[str, str]
    is_text: bool = False


class Redirect(Model):
    """An answer that redirects a browser. `location` holds visible ASCII only."""

    location: str
    status: Literal[302, 308] = 302


@dataclass(frozen=True)
class Answered(Generic[T]):
    """A body with a status or headers of its own, for an operation to return."""

    body: T
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """An operation as a client sees it.

    `security` names the authenticator. `also` are other statuses of success, with the same body.
    `errors` are statuses beside those that every operation of its kind may answer. `accepts`
    describes a raw body, in any of `media_types`. `reads` are the request headers that it uses.
    """

    method: str
    path: str
    scope: Scope | None
    security: str
    status: int
    also: tuple[int, ...]
    errors: tuple[int, ...]
    omit_none: bool
    accepts: Any
    media_types: tuple[str, ...]
    reads: tuple[str, ...]
    problems: Problems
    serve: Serve

    @cached_property
    def hints(self) -> dict[str, Any]:
        return get_type_hints(self.serve, include_extras=True)

    @cached_property
    def returns(self) -> Any:
        hint = self.hints["return"]
        return get_args(hint)[0] if get_origin(hint) is Answered else hint

    @cached_property
    def writer(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.returns)

    @cached_property
    def needs_body(self) -> bool:
        """Whether the body may not be left out: it may if none of its fields is required."""
        fields = getattr(self.hints["body"], "model_fields", None)
        return not fields or any(field.is_required() for field in fields.values())

    @cached_property
    def reader(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.hints["body"])


_current: ContextVar[Any] = ContextVar("current_event")


class _Resolver(APIGatewayHttpResolver):
    """Powertools keeps the request that it answers in a class, so that a process answers one at a
    time; here each thread has its own."""

    @property
    def current_event(self) -> Any:
        return _current.get()

    @current_event.setter
    def current_event(self, event: Any) -> None:
        _current.set(event)

    def _to_proxy_event(self, event: dict[str, Any]) -> APIGatewayProxyEventV2:
        read = APIGatewayProxyEventV2(event)
        self.current_event = read
        return read


class Api:
    """The operations of a function, and the resolver that routes to them.

    `problems` gives errors their shape. An authenticator is made when the first caller comes.
    """

    def __init__(
        self, problems: Problems = NATIVE, **authenticators: Callable[[], Authenticator]
    ) -> None:
        self._problems = problems
        self._authenticators = authenticators
        self._app = _Resolver()
        self._app.exception_handler(FunnelhooksError)(self._refused)
        self._app.exception_handler(Exception)(self._failed)
        self._app.not_found(lambda _: self._refused(NotFoundError(NO_ADDRESS)))
        self.operations: list[Operation] = []

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer a request, with or without a slash at the end of its path.

        Every line that is logged meanwhile has the id that the answer has as `apigw-requestid`.
        """
        logger.set_correlation_id(event["requestContext"].get("requestId"))
        path = event["rawPath"].rstrip("/") or "/"
        return self._app.resolve(event | {"rawPath": path}, context)

    def get(self, path: str, scope: Scope | None = None, **about: Any) -> Callable[[Serve], Serve]:
        return self._route("GET", path, scope, **about)

    def post(self, path: str, scope: Scope | None = None, **about: Any) -> Callable[[Serve], Serve]:
        return self._route("POST", path, scope, **about)

    def put(self, path: str, scope: Scope | None = None, **about: Any) -> Callable[[Serve], Serve]:
        return self._route("PUT", path, scope, **about)

    def delete(
        self, path: str, scope: Scope | None = None, **about: Any
    ) -> Callable[[Serve], Serve]:
        return self._route("DELETE", path, scope, **about)

    def _route(
        self,
        method: str,
        path: str,
        scope: Scope | None,
        security: str = "bearer",
        status: int = 200,
        also: tuple[int, ...] = (),
        errors: tuple[int, ...] = (),
        omit_none: bool = False,
        accepts: Any = None,
        media_types: tuple[str, ...] = (JSON,),
        reads: tuple[str, ...] = (),
    ) -> Callable[[Serve], Serve]:
        def declare(serve: Serve) -> Serve:
            operation = Operation(
                method=method,
                path=path,
                scope=scope,
                security=security,
                status=status,
                also=also,
                errors=errors,
                omit_none=omit_none,
                accepts=accepts,
                media_types=media_types,
                reads=reads,
                problems=self._problems,
                serve=serve,
            )
            self.operations.append(operation)
            self._app.route(path, method)(self._served(operation))
            return serve

        return declare

    def _served(self, operation: Operation) -> Callable[..., Answer]:
        def serve(**parts: str) -> Answer:
            path = {name: unquote(part) for name, part in parts.items()}
            admitted = self._admit(operation)
            headers: Headers = {} if admitted is None else {**admitted.headers}
            try:
                arguments = path | self._arguments(operation, admitted)
                return _answer(operation, operation.serve(**arguments), headers)
            except FunnelhooksError as error:
                return _with(self._refused(error), headers)

        return serve

    def _admit(self, operation: Operation) -> Authenticated[Any] | None:
        if operation.scope is None:
            return None
        authenticator = self._authenticators[operation.security]()
        return authenticator.admit(self._request(), operation.scope)

    def _arguments(
        self, operation: Operation, admitted: Authenticated[Any] | None
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if "request" in operation.hints:
            arguments["request"] = self._request()
        if "caller" in operation.hints and admitted is not None:
            arguments["caller"] = admitted.caller
        if "query" in operation.hints:
            arguments["query"] = self._query(operation.hints["query"])
        if "body" in operation.hints:
            arguments["body"] = self._body(operation)
        return arguments

    def _request(self) -> Request:
        event = self._app.current_event.raw_event
        return Request(
            path=event["rawPath"],
            query=event.get("rawQueryString", ""),
            headers=_headers_of(event),
            source_ip=event["requestContext"]["http"].get("sourceIp", ""),
        )

    def _query(self, model: type[Model]) -> Model:
        try:
            return model.model_validate(dict(self._app.current_event.query_string_parameters))
        except ValidationError as error:
            raise invalid(error) from None

    def _body(self, operation: Operation) -> Any:
        event = self._app.current_event.raw_event
        headers, content = _headers_of(event), _bytes_of(event)
        if operation.hints["body"] is RawBody:
            is_text = not event.get("isBase64Encoded")
            return RawBody(content=content, headers=headers, is_text=is_text)
        if not content and not operation.needs_body:
            content = b"{}"
        require_json(headers.get("content-type", JSON))
        try:
            return operation.reader.validate_python(parse_json(content, MAX_BODY_BYTES))
        except ValidationError as error:
            raise invalid(error) from None

    def _refused(self, error: FunnelhooksError) -> Answer:
        request_refused(error)
        body = self._problems.body(error)
        return _written(self._problems.status(error), body, _headers_about(error))

    def _failed(self, error: Exception) -> Answer:
        request_failed(error)
        return _written(HTTPStatus.INTERNAL_SERVER_ERROR, self._problems.fault(), {})


def is_http(event: dict[str, Any]) -> bool:
    """Whether a function was invoked by the HTTP API."""
    return "rawPath" in event and "requestContext" in event


def api_for(event: dict[str, Any], apis: Mapping[str, Api]) -> Api:
    """The API whose prefix the path has; of several, the one with the longest prefix."""
    path = f"{event['rawPath']}/"
    return apis[max((prefix for prefix in apis if path.startswith(f"{prefix}/")), key=len)]


def require_json(content_type: str) -> None:
    """Raises UnsupportedMediaTypeError."""
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaTypeError("Send Content-Type: application/json.")


def _answer(operation: Operation, result: Any, headers: Headers) -> Answer:
    if isinstance(result, Response):
        return _with(result, headers)
    if isinstance(result, Redirect):
        return _with(_redirected(result), headers)
    if result is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, body="", headers=headers)
    answered = result if isinstance(result, Answered) else Answered(result)
    text = operation.writer.dump_json(
        answered.body, by_alias=True, exclude_none=operation.omit_none
    )
    return Response(
        status_code=answered.status or operation.status,
        content_type=JSON,
        body=text.decode(),
        headers={**headers, **answered.headers},
    )


def _redirected(redirect: Redirect) -> Answer:
    # Personal data in the address that redirects must not reach the other site.
    headers: Headers = {"Location": redirect.location, "Referrer-Policy": "no-referrer"}
    return Response(status_code=redirect.status, body="", headers=headers)


def _with(answer: Answer, headers: Headers) -> Answer:
    """The answer's own headers win."""
    answer.headers = {**headers, **answer.headers}
    return answer


def _written(status: int, body: Model, headers: Headers) -> Answer:
    text = body.model_dump_json(exclude_none=True)
    return Response(status_code=status, content_type=JSON, body=text, headers=headers)


def _headers_about(error: FunnelhooksError) -> Headers:
    match error:
        case UnauthenticatedError():
            return {"WWW-Authenticate": "Bearer"}
        case RateLimitedError():
            return {
                "Retry-After": str(error.retry_after_s),
                "X-RateLimit-Limit": str(error.limit),
                "X-RateLimit-Remaining": "0",
            }
        case _:
            return {}


def _headers_of(event: Mapping[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = event.get("headers") or {}
    return {name.lower(): value for name, value in headers.items()}


def _bytes_of(event: Mapping[str, Any]) -> bytes:
    """The exact bytes of the body."""
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise InvalidError("The body cannot be read.") from None
