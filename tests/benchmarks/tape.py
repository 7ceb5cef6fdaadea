"""AWS answered in process: what moto answered once is played again, below botocore's signing."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto.core.models import botocore_stubber

from shared.aws import clients as aws
from shared.standalone.engine.template import Json

# Both writes of an attempt are updates; the one that settles it appends to a list.
_SETTLES = b"list_append"


@dataclass
class Tape:
    """The parameters of the calls and the answers to them, by operation, in order."""

    requests: dict[str, list[Json]] = field(default_factory=dict)
    answers: dict[str, list[tuple[int, Json, bytes]]] = field(default_factory=dict)

    @contextmanager
    def recording(self) -> Iterator["Tape"]:
        with (
            listening("provide-client-params", self._request),
            listening("response-received", self._answer),
        ):
            yield self

    @contextmanager
    def playing(self, *others: Any) -> Iterator[None]:
        """To the handlers' clients, and to these others."""
        answers = {name: cycle(some) for name, some in self.answers.items()}

        def answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
            operation = event_name.rpartition(".")[2]
            status, headers, body = next(answers[_name(operation, request.body)])  # type: ignore[arg-type]
            return AWSResponse(request.url, status, headers, Raw(body))  # type: ignore[arg-type]

        with instead_of_moto(answer, others):
            yield

    def _request(self, params: Json, model: Any, context: Json, **_: Any) -> None:
        name = _name(model.name, params.get("UpdateExpression"))
        self.requests.setdefault(name, []).append(dict(params))
        context["name"] = name

    def _answer(self, response_dict: Json, context: Json, **_: Any) -> None:
        answer = response_dict["status_code"], dict(response_dict["headers"]), response_dict["body"]
        self.answers.setdefault(context["name"], []).append(answer)


def _name(operation: str, body: bytes | str | None) -> str:
    content = body.encode() if isinstance(body, str) else body or b""
    return f"{operation} settling" if _SETTLES in content else operation


@contextmanager
def listening(event: str, handler: Any, others: Iterable[Any] = ()) -> Iterator[None]:
    """Asked before botocore's own handlers."""
    clients = (aws.dynamodb(), aws.sqs(), aws.s3(), *others)
    for client in clients:
        client.meta.events.register_first(event, handler)
    try:
        yield
    finally:
        for client in clients:
            client.meta.events.unregister(event, handler)


@contextmanager
def instead_of_moto(answer: Any, others: Iterable[Any] = ()) -> Iterator[None]:
    """botocore asks everybody before it takes the first answer, so moto would do the work, too."""
    was_there, botocore_stubber.enabled = botocore_stubber.enabled, False
    try:
        with listening("before-send", answer, others):
            yield
    finally:
        botocore_stubber.enabled = was_there


class Raw:
    """What botocore reads a body from."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._body
