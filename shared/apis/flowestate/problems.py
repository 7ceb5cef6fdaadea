"""Errors in the format of FlowEstate.

Source: FlowEstate developer documentation, "Errors".
"""

from http import HTTPStatus

from shared.errors import FunnelhooksError
from shared.model import Model
from shared.web.problems import FAULT, STATUS

_CODES = {
    HTTPStatus.UNAUTHORIZED: "UNAUTHORIZED",
    HTTPStatus.FORBIDDEN: "FORBIDDEN",
    HTTPStatus.NOT_FOUND: "NOT_FOUND",
    HTTPStatus.CONFLICT: "CONFLICT",
}


class Refusal(Model):
    message: str
    code: str


class FlowEstateError(Model):
    error: Refusal


class FlowEstateProblems:
    """A message and a code of FlowEstate; a rate limit has the code BAD_REQUEST there."""

    model: type[Model] = FlowEstateError

    def status(self, error: FunnelhooksError) -> HTTPStatus:
        return STATUS[type(error)]

    def body(self, error: FunnelhooksError) -> Model:
        unlisted = "VALIDATION_ERROR" if error.fields else "BAD_REQUEST"
        code = _CODES.get(STATUS[type(error)], unlisted)
        return FlowEstateError(error=Refusal(message=error.message, code=code))

    def fault(self) -> Model:
        return FlowEstateError(error=Refusal(message=FAULT, code="INTERNAL_ERROR"))
