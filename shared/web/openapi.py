"""The OpenAPI 3.1 document, made from the declared operations. Never imported by a function."""

import re
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from inspect import getdoc
from types import UnionType
from typing import Any, Union, get_args

from pydantic import TypeAdapter

from shared.version import VERSION
from shared.web.operations import JSON, Answer, Operation, RawBody, Redirect

REFERENCE = "#/components/schemas/{model}"
DESCRIPTION = (
    "Events of a marketing funnel come in, signed webhooks go out. Every path answers with and "
    "without a trailing slash."
)
# In reading order.
TAGS = {
    "/v1/events": "Events",
    "/v1/eventtypes": "Event types",
    "/v1/actions": "Actions",
    "/v1/deliveries": "Deliveries",
    "/v1/visitors": "Visitors",
    "/v1/webhookconfig": "Webhook configs",
    "/v1/category": "Categories",
    "/v1/integration": "API keys",
    "/v1/export": "Moving",
    "/v1/import": "Moving",
    "/api/v1/webhooks": "FlowEstate",
    "/api/v1/webhook": "Funnelytics",
    "/api/v2": "ClickFunnels",
    "/": "About",
}
# By the name of the authenticator; any one of the listed schemes is enough.
SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "bearer": [{"bearer": []}],
    "funnelytics": [{"funnelyticsProject": [], "funnelyticsKey": []}],
    "action": [{"bearer": []}, {"signedLink": []}],
}
SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "funnelyticsProject": {
        "type": "apiKey",
        "in": "header",
        "name": "X-PROJECT-ID",
        "description": "The id of the workspace.",
    },
    "funnelyticsKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-KEY",
        "description": "An API key, raw or as `Basic base64(project:key)`.",
    },
    "signedLink": {
        "type": "apiKey",
        "in": "query",
        "name": "flux_link",
        "description": "Part of an address that `POST /v1/actions/links` made.",
    },
}
_RATE_HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining")
_ERROR_HEADERS = {401: "WWW-Authenticate", 429: "Retry-After"}


def document(declared: Sequence[Operation]) -> dict[str, Any]:
    # An operation that only redirects is another spelling of an address.
    operations = [one for one in declared if one.hints["return"] is not Redirect]
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        path = re.sub(r"<(\w+)>", r"{\1}", operation.path)
        paths.setdefault(path, {})[operation.method.lower()] = _described(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Funnelhooks",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in TAGS.values()],
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": schemas.components, "securitySchemes": SCHEMES},
    }


class _Schemas:
    """The schemas of all bodies, answers and queries, with one component for each model."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        wanted: list[tuple[Any, Any, TypeAdapter[Any]]] = []
        for operation in operations:
            wanted += [
                ((operation.method, operation.path, part), mode, TypeAdapter(kind))
                for part, mode, kind in _parts(operation)
            ]
        found, definitions = TypeAdapter.json_schemas(wanted, ref_template=REFERENCE)
        self._found = {key: schema for (key, _), schema in found.items()}
        self.components: dict[str, Any] = dict(sorted(definitions.get("$defs", {}).items()))

    def of(self, operation: Operation, part: str) -> dict[str, Any] | None:
        return self._found.get((operation.method, operation.path, part))

    def resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        resolved: dict[str, Any] = self.components.get(name, schema)
        return resolved


def _parts(operation: Operation) -> Iterable[tuple[str, str, Any]]:
    body = operation.accepts or operation.hints.get("body")
    if body is not None and body is not RawBody:
        yield "body", "validation", body
    if "query" in operation.hints:
        yield "query", "validation", operation.hints["query"]
    bodies = [kind for kind in _answers(operation) if kind not in (Answer, Redirect)]
    if bodies not in ([], [type(None)]):
        yield "answer", "serialization", Union[tuple(bodies)]  # noqa: UP007 - known at run time only
    yield "error", "serialization", operation.problems.model


def _answers(operation: Operation) -> tuple[Any, ...]:
    """The types that an operation may return: the members of a union."""
    returns = operation.returns
    return get_args(returns) if isinstance(returns, UnionType) else (returns,)


def _described(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    summary, _, rest = (getdoc(operation.serve) or "").partition("\n\n")
    described: dict[str, Any] = {
        "operationId": operation.serve.__name__,
        "summary": " ".join(summary.split()),
        "tags": [_tag(operation.path)],
        "responses": _responses(operation, schemas),
    }
    if operation.scope is not None:
        scope = f"Needs the scope `{operation.scope}`."
        described["description"] = f"{rest}\n\n{scope}".strip()
        described["security"] = SECURITY[operation.security]
    parameters = [
        *_path_parameters(operation),
        *_query_parameters(operation, schemas),
        *_header_parameters(operation),
    ]
    if parameters:
        described["parameters"] = parameters
    if (body := schemas.of(operation, "body")) is not None:
        described["requestBody"] = {
            "required": operation.needs_body,
            "content": {media_type: {"schema": body} for media_type in operation.media_types},
        }
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    names = re.findall(r"<(\w+)>", operation.path)
    schema = {"type": "string", "minLength": 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(operation: Operation, schemas: _Schemas) -> list[dict[str, Any]]:
    query = schemas.of(operation, "query")
    if query is None:
        return []
    model = schemas.resolved(query)
    required = model.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _unnamed(schema)}
        for name, schema in model["properties"].items()
    ]


def _header_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "schema": {"type": "string"}} for name in operation.reads
    ]


def _unnamed(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: an optional parameter is left out."""
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    plain = {
        key: value for key, value in schema.items() if key not in ("anyOf", "default", "title")
    }
    if not options:
        return plain | ({"default": schema["default"]} if schema.get("default") is not None else {})
    return plain | (options[0] if len(options) == 1 else {"anyOf": options})


def _responses(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    successes = sorted((operation.status, *operation.also))
    responses = {str(status): _success(operation, schemas, status) for status in successes}
    if Redirect in _answers(operation):
        location = {"Location": {"schema": {"type": "string"}}}
        responses["302"] = {"description": HTTPStatus.FOUND.phrase, "headers": location}
    for status in sorted({*_usual_errors(operation), *operation.errors}):
        content = {JSON: {"schema": schemas.of(operation, "error")}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
        if status in _ERROR_HEADERS:
            header = {_ERROR_HEADERS[status]: {"schema": {"type": "string"}}}
            responses[str(status)]["headers"] = header
    return responses


def _success(operation: Operation, schemas: _Schemas, status: int) -> dict[str, Any]:
    success: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    schema = schemas.of(operation, "answer")
    if schema is not None:
        success["content"] = {JSON: {"schema": schema}}
    elif operation.hints["return"] is Answer and operation.scope is not None:
        text = {"schema": {"type": "string"}}
        success["content"] = dict.fromkeys(operation.media_types, text)
    if operation.scope is not None:
        success["headers"] = {name: {"schema": {"type": "string"}} for name in _RATE_HEADERS}
    return success


def _usual_errors(operation: Operation) -> set[int]:
    usual = set()
    if operation.scope is not None:
        usual |= {401, 403, 429}
    if "query" in operation.hints or "body" in operation.hints:
        usual.add(400)
    if "body" in operation.hints:
        usual |= {413, 415}
    if "<" in operation.path:
        usual.add(404)
    return usual


def _tag(path: str) -> str:
    return next(tag for prefix, tag in TAGS.items() if path.startswith(prefix))
