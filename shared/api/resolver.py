"""What every HTTPS function shares: both spellings of a path, errors, JSON answers."""

import base64
import json
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError as NoRouteError
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import errors
from shared.observability import fault, logger

JSON = "application/json"

_STATUS: dict[type[errors.FunnelhooksError], HTTPStatus] = {
    errors.InvalidError: HTTPStatus.BAD_REQUEST,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
}

Answer = Response[Any]


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


def headers_of(app: APIGatewayHttpResolver) -> dict[str, str]:
    """Lower-case names, as an HTTP API hands them over."""
    return {name.lower(): value for name, value in app.current_event.headers.items()}


def answer(status: int, body: Any, headers: dict[str, str | list[str]] | None = None) -> Answer:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Response(status_code=status, content_type=JSON, body=text, headers=headers)


def no_content() -> Answer:
    return Response(status_code=HTTPStatus.NO_CONTENT, body="")


def error_body(error: errors.FunnelhooksError) -> dict[str, Any]:
    described: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.fields:
        described["fields"] = [field.model_dump() for field in error.fields]
    return {"error": described}


def refused(error: errors.FunnelhooksError) -> Answer:
    headers: dict[str, str | list[str]] | None = None
    if isinstance(error, errors.UnauthenticatedError):
        headers = {"WWW-Authenticate": "Bearer"}
    return answer(_STATUS[type(error)], error_body(error), headers)


def _failed(error: Exception) -> Answer:
    logger.error("request.failed", **fault(error))
    message = "This is a fault of ours and was logged. Repeating the request is safe."
    return answer(500, {"error": {"code": "internal", "message": message}})


def _no_route(_: NoRouteError) -> Answer:
    return answer(404, {"error": {"code": "not_found", "message": "There is no such address."}})
