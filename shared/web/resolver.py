"""What every HTTPS function shares: both spellings of a path, errors, JSON answers."""

import base64
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import errors
from shared.model import Model
from shared.observability import logger, request_failed, request_refused
from shared.web.authentication import Request
from shared.web.problems import NO_ADDRESS, Problems

JSON = "application/json"

Answer = Response[Any]
Served = TypeVar("Served")
Headers = dict[str, str | list[str]]


def new_app(problems: Problems) -> APIGatewayHttpResolver:
    app = APIGatewayHttpResolver()
    app.exception_handler(errors.FunnelhooksError)(lambda error: refused(error, problems))
    app.exception_handler(Exception)(lambda error: _failed(error, problems))
    app.not_found(lambda _: refused(errors.NotFoundError(NO_ADDRESS), problems))
    return app


def is_http(event: dict[str, Any]) -> bool:
    return "rawPath" in event and "requestContext" in event


def api_for(event: dict[str, Any], apis: Mapping[str, Served]) -> Served:
    """The one whose prefix the path has, and of several the longest."""
    path = f"{event['rawPath']}/"
    return apis[max((p for p in apis if path.startswith(f"{p}/")), key=len)]


def resolve(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Every line that is logged on the way has the id that the answer has as `apigw-requestid`."""
    logger.set_correlation_id(event["requestContext"].get("requestId"))
    path = event["rawPath"]
    return app.resolve(event | {"rawPath": path.rstrip("/") or "/"}, context)


def body_of(app: APIGatewayHttpResolver) -> bytes:
    """The exact bytes that were sent."""
    event = app.current_event.raw_event
    body: str = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        raise errors.InvalidError("The body cannot be read.") from None


def is_text(app: APIGatewayHttpResolver) -> bool:
    """Whether the API took the body for text, and has decoded it as UTF-8."""
    return not app.current_event.raw_event.get("isBase64Encoded")


def request_of(app: APIGatewayHttpResolver) -> Request:
    event = app.current_event.raw_event
    return Request(
        path=event["rawPath"],
        query=event.get("rawQueryString", ""),
        headers=headers_of(app),
        source_ip=event["requestContext"]["http"].get("sourceIp", ""),
    )


def headers_of(app: APIGatewayHttpResolver) -> dict[str, str]:
    """Lower-case names, as an HTTP API hands them over."""
    headers: dict[str, str] = app.current_event.raw_event.get("headers") or {}
    return {name.lower(): value for name, value in headers.items()}


def answer(status: int, body: Model, headers: Headers | None = None) -> Answer:
    text = body.model_dump_json(exclude_none=True)
    return Response(status_code=status, content_type=JSON, body=text, headers=headers)


def refused(error: errors.FunnelhooksError, problems: Problems) -> Answer:
    request_refused(error)
    return answer(problems.status(error), problems.body(error), _headers(error))


def _headers(error: errors.FunnelhooksError) -> Headers:
    match error:
        case errors.UnauthenticatedError():
            return {"WWW-Authenticate": "Bearer"}
        case errors.RateLimitedError():
            return {
                "Retry-After": str(error.retry_after_s),
                "X-RateLimit-Limit": str(error.limit),
                "X-RateLimit-Remaining": "0",
            }
        case _:
            return {}


def _failed(error: Exception, problems: Problems) -> Answer:
    request_failed(error)
    return answer(HTTPStatus.INTERNAL_SERVER_ERROR, problems.fault())
