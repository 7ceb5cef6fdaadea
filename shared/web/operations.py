"""HTTPS operations, declared by the signatures of the functions that serve them.

    api = Api(bearer=keyring)

    @api.put("/v1/webhookconfig/archive", Scope.CONFIGS_WRITE, status=204, errors=(404,))
    def archive(caller: Caller, body: Entries) -> None: ...

`query` and `body` are read into the models that they are annotated with, `caller` is who calls,
`request` is the request without its body, every other parameter comes from the path, and what is
returned is written as its annotation says.
The same declarations make the OpenAPI document, which so costs nothing at run time
(docs/decisions/0009-openapi.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import TypeAdapter, ValidationError

from shared.errors import FunnelhooksError, UnsupportedMediaTypeError
from shared.input.json_body import parse_json
from shared.input.validation import invalid
from shared.model import Model
from shared.web import resolver
from shared.web.authentication import Authenticated, Authenticator
from shared.web.problems import Native, Problems
from shared.web.resolver import Answer, Headers
from shared.workspaces.models import Scope

JSON = "application/json"
MAX_BODY_BYTES = 256 * 1024

NATIVE = Native()

Serve = Callable[..., Any]
T = TypeVar("T")


class RawBody(Model):
    """For an operation that reads its body itself. Header names are in lower case.

    `is_text`: the API has decoded it, so that it is UTF-8 now, whatever its Content-Type says.
    """

    content: bytes
    headers: dict[str, str]
    is_text: bool = False


class Redirect(Model):
    """An answer that sends a browser elsewhere. `location` holds visible ASCII only."""

    location: str
    status: Literal[302, 308] = 302


@dataclass(frozen=True)
class Answered(Generic[T]):
    """What an operation returns that has more to say than a body: another status, headers."""

    body: T
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """What a client must know of a call.

    `security` names the gate that its caller must pass. `also` are other statuses of success, with
    the same body. `errors` are the statuses beside those that every operation of its kind may
    answer. `accepts` describes a body that is taken raw, in any of `media_types`; `reads` are
    headers of the request that it heeds.
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
        """A body of which everything may be left out may itself be left out."""
        fields = getattr(self.hints["body"], "model_fields", None)
        return not fields or any(field.is_required() for field in fields.values())

    @cached_property
    def reader(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.hints["body"])


class Api:
    """The operations of a function, and the resolver that routes to them.

    `problems` is how it tells what is wrong. Gates are made when the first caller comes, not at
    import.
    """

    def __init__(self, problems: Problems = NATIVE, **gates: Callable[[], Authenticator]) -> None:
        self._problems = problems
        self._gates = gates
        self._app = resolver.new_app(problems)
        self.operations: list[Operation] = []

    def handle(self, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
        return resolver.resolve(self._app, event, context)

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
            admission = self._admit(operation)
            headers: Headers = {} if admission is None else {**admission.headers}
            try:
                arguments = path | self._arguments(operation, admission)
                return _answer(operation, operation.serve(**arguments), headers)
            except FunnelhooksError as error:
                return _with(resolver.refused(error, self._problems), headers)

        return serve

    def _arguments(
        self, operation: Operation, admission: Authenticated[Any] | None
    ) -> dict[str, Any]:
        arguments: dict[str, Any] = {}
        if "request" in operation.hints:
            arguments["request"] = resolver.request_of(self._app)
        if "caller" in operation.hints and admission is not None:
            arguments["caller"] = admission.caller
        if "query" in operation.hints:
            arguments["query"] = self._query(operation.hints["query"])
        if "body" in operation.hints:
            arguments["body"] = self._body(operation)
        return arguments

    def _admit(self, operation: Operation) -> Authenticated[Any] | None:
        if operation.scope is None:
            return None
        gate = self._gates[operation.security]()
        return gate.admit(resolver.request_of(self._app), operation.scope)

    def _query(self, model: type[Model]) -> Model:
        try:
            return model.model_validate(dict(self._app.current_event.query_string_parameters))
        except ValidationError as error:
            raise invalid(error) from None

    def _body(self, operation: Operation) -> Any:
        headers, content = resolver.headers_of(self._app), resolver.body_of(self._app)
        if operation.hints["body"] is RawBody:
            is_text = resolver.is_text(self._app)
            return RawBody(content=content, headers=headers, is_text=is_text)
        if not content and not operation.needs_body:
            content = b"{}"
        require_json(headers.get("content-type", JSON))
        try:
            return operation.reader.validate_python(parse_json(content, MAX_BODY_BYTES))
        except ValidationError as error:
            raise invalid(error) from None


def require_json(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaTypeError("Send Content-Type: application/json.")


def _answer(operation: Operation, result: Any, headers: Headers) -> Answer:
    if isinstance(result, Response):
        return _with(result, headers)
    if isinstance(result, Redirect):
        return _with(_sent_to(result), headers)
    if result is None:
        return Response(status_code=HTTPStatus.NO_CONTENT, body="", headers=headers)
    said = result if isinstance(result, Answered) else Answered(result)
    text = operation.writer.dump_json(said.body, by_alias=True, exclude_none=operation.omit_none)
    return Response(
        status_code=said.status or operation.status,
        content_type=JSON,
        body=text.decode(),
        headers={**headers, **said.headers},
    )


def _sent_to(redirect: Redirect) -> Answer:
    """The address that redirects may hold what is nobody else's business."""
    headers: Headers = {"Location": redirect.location, "Referrer-Policy": "no-referrer"}
    return Response(status_code=redirect.status, body="", headers=headers)


def _with(answer: Answer, headers: Headers) -> Answer:
    """What an answer says for itself goes before what is said of every answer."""
    answer.headers = {**headers, **answer.headers}
    return answer
