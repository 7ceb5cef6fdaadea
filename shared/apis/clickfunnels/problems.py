"""Errors in the format of ClickFunnels.

Source: ClickFunnels, "Requests and Responses": 400 for a malformed request, 422 for a well-formed
request that cannot be carried out.
"""

from http import HTTPStatus

from shared.errors import FunnelhooksError
from shared.model import Model
from shared.web.problems import FAULT, STATUS

ENVELOPE = "webhooks_outgoing_endpoint."


class ClickFunnelsError(Model):
    """`errors` holds the wrong fields of the resource in the request."""

    error: str
    errors: dict[str, tuple[str, ...]] | None = None


class ClickFunnelsProblems:
    model: type[Model] = ClickFunnelsError

    def status(self, error: FunnelhooksError) -> HTTPStatus:
        return HTTPStatus.UNPROCESSABLE_ENTITY if _fields(error) else STATUS[type(error)]

    def body(self, error: FunnelhooksError) -> Model:
        return ClickFunnelsError(error=error.message, errors=_fields(error) or None)

    def fault(self) -> Model:
        return ClickFunnelsError(error=FAULT)


def _fields(error: FunnelhooksError) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for field in error.fields:
        if field.path.startswith(ENVELOPE):
            name = field.path.removeprefix(ENVELOPE)
            found[name] = (*found.get(name, ()), field.message)
    return found
