"""What every answer says of the rate limit, whatever came of the call."""

from typing import Any, cast

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.errors import NotFoundError, RateLimitedError
from shared.web.authentication import Authenticated, Request
from shared.web.operations import Answer, Api
from shared.workspaces.models import Caller, Scope
from tests import factories
from tests.fakes import FakeContext

LEFT = {"X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "9"}


class OpenGate:
    def admit(self, request: Request, scope: Scope) -> Authenticated[Caller]:
        if "x-too-many" in request.headers:
            raise RateLimitedError(10, 7)
        return Authenticated(caller=factories.caller(), headers=LEFT)


api = Api(bearer=OpenGate)


@api.get("/found", Scope.CONFIGS_READ)
def found(caller: Caller) -> str:
    return caller.workspace_id


@api.get("/unknown", Scope.CONFIGS_READ)
def unknown() -> str:
    raise NotFoundError("There is none.")


@api.get("/own", Scope.CONFIGS_READ)
def own() -> Answer:
    return Response(202, "application/json", "{}", {"X-RateLimit-Remaining": "5"})


@api.delete("/gone", Scope.CONFIGS_READ, status=204)
def gone() -> None:
    return None


def call(path: str, method: str = "GET", **headers: str) -> dict[str, Any]:
    event = {
        "version": "2.0",
        "rawPath": path,
        "headers": headers,
        "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
    }
    return api.handle(event, cast(LambdaContext, FakeContext()))


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/found", 200), ("DELETE", "/gone", 204), ("GET", "/unknown", 404)],
)
def test_an_answer_says_how_many_calls_are_left(method: str, path: str, status: int) -> None:
    answered = call(path, method)

    assert answered["statusCode"] == status
    assert answered["headers"].items() >= LEFT.items()


def test_what_an_operation_says_itself_goes_first() -> None:
    assert call("/own")["headers"]["X-RateLimit-Remaining"] == "5"


def test_too_many_calls_are_told_when_to_come_back() -> None:
    answered = call("/found", **{"x-too-many": "1"})

    assert answered["statusCode"] == 429
    limits = {"Retry-After": "7", "X-RateLimit-Limit": "10", "X-RateLimit-Remaining": "0"}
    assert answered["headers"].items() >= limits.items()
