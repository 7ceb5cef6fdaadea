"""What every HTTPS function shares: both spellings of a path, errors, JSON answers."""

import base64
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import errors
from shared.api.admission import Request
from shared.model import Model
from shared.observability import fault, logger

JSON = "application/json"

_STATUS: dict[type[errors.FunnelhooksError], HTTPStatus] = {
    errors.InvalidError: HTTPStatus.BAD_REQUEST,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    # Disables the config that a delivery comes from, which is what a loop needs.
    errors.LoopError: HTTPStatus.GONE,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
}

Answer = Response[Any]
Headers = dict[str, str | list[str]]


class Problem(Model):
    code: str
    message: str
    fields: tuple[errors.Field, ...] | None = None


class ErrorBody(Model):
    error: Problem


def new_app() -> APIGatewayHttpResolver:
    app = APIGatewayHttpResolver()
    app.exception_handler(errors.FunnelhooksError)(refused)
    app.exception_handler(Exception)(_failed)
    app.not_found(_no_route)
    return app


def is_http(event: dict[str, Any]) -> bool:
    return "rawPath" in event and "requestContext" in event


def resolve(
    app: APIGatewayHttpResolver, event: dict[str, Any], context: LambdaContext
) -> dict[str, Any]:
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
    return {name.lower(): value for name, value in app.current_event.headers.items()}


def answer(status: int, body: Model, headers: Headers | None = None) -> Answer:
    text = body.model_dump_json(exclude_none=True)
    return Response(status_code=status, content_type=JSON, body=text, headers=headers)


def problem(error: errors.FunnelhooksError) -> Problem:
    return Problem(code=error.code, message=error.message, fields=error.fields or None)


def refused(error: errors.FunnelhooksError) -> Answer:
    return answer(_STATUS[type(error)], ErrorBody(error=problem(error)), _headers(error))


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


def _failed(error: Exception) -> Answer:
    logger.error("request.failed", **fault(error))
    message = "This is a fault of ours and was logged. Repeating the request is safe."
    return answer(500, ErrorBody(error=Problem(code="internal", message=message)))


def _no_route(_: NoRouteError) -> Answer:
    message = "There is no such address."
    return answer(404, ErrorBody(error=Problem(code="not_found", message=message)))
