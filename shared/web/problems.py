"""Errors in the answers of an API: a status, and a body in the shape that its clients expect."""

from http import HTTPStatus
from typing import Protocol

from shared import errors
from shared.model import Model

FAULT = (
    "This is a fault of ours and was logged. The request may be repeated; what it makes may then "
    "be there twice, unless it has an id of its own."
)
NO_ADDRESS = "There is no such address."

STATUS: dict[type[errors.FunnelhooksError], HTTPStatus] = {
    errors.InvalidError: HTTPStatus.BAD_REQUEST,
    errors.UnauthenticatedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    # 410 disables the config from which the delivery comes, which ends the loop.
    errors.LoopError: HTTPStatus.GONE,
    errors.TooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.UnsupportedMediaTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.RateLimitedError: HTTPStatus.TOO_MANY_REQUESTS,
}


class Problems(Protocol):
    """The error bodies of an API. `model` is their schema in the OpenAPI document."""

    model: type[Model]

    def status(self, error: errors.FunnelhooksError) -> HTTPStatus: ...

    def body(self, error: errors.FunnelhooksError) -> Model: ...

    def fault(self) -> Model: ...


class ErrorBody(Model):
    error: errors.Problem


class Native:
    """Our own bodies: a code for programs, a sentence for people, each wrong field by its path."""

    model: type[Model] = ErrorBody

    def status(self, error: errors.FunnelhooksError) -> HTTPStatus:
        return STATUS[type(error)]

    def body(self, error: errors.FunnelhooksError) -> Model:
        return ErrorBody(error=errors.Problem.of(error))

    def fault(self) -> Model:
        return ErrorBody(error=errors.Problem.fault(FAULT))
