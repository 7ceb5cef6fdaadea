"""Events that come without HTTPS: messages of the intake queue, direct invocations, EventBridge.

IAM has decided who may send. An event, or a batch of events, names its workspace.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from shared.aws.dead_letters import DeadLetter, DeadLetters, dead_letter
from shared.aws.runtime import Record, message_id
from shared.errors import FunnelhooksError, InvalidError, NotFoundError, Problem
from shared.events.accept import MAX_EVENT_BYTES, Acceptor, checked_batch
from shared.input.json_body import check, parse_json
from shared.observability import request_refused
from shared.workspaces.models import Workspace

# Leaves room for the number of an event in a batch.
_ENVELOPE_ID = re.compile(r"[A-Za-z0-9._:~@+=-]{1,100}")


class Opened(NamedTuple):
    """An event or a batch without its envelope. `origin` is the message, invocation or envelope."""

    workspace_id: str
    values: dict[str, Any]
    origin: str


class Intake:
    """`workspace_of` raises NotFoundError for an unknown workspace.

    `dead_letters` is called when an event is refused, so that no other run makes a client of SQS.
    """

    def __init__(
        self,
        acceptor: Acceptor,
        workspace_of: Callable[[str], Workspace],
        dead_letters: Callable[[], DeadLetters],
    ) -> None:
        self._acceptor = acceptor
        self._workspace_of = workspace_of
        self._dead_letters = dead_letters

    def receive(self, record: Record) -> None:
        """A message that comes twice is one event. A refused message becomes a dead letter."""
        try:
            values = parse_json(record["body"].encode(), MAX_EVENT_BYTES)
            self._take(opened(values, message_id(record)))
        except FunnelhooksError as error:
            request_refused(error)
            self._dead_letters().put([dead_letter(record["body"], message_id(record), error)])

    def invoke(self, values: Any, request_id: str) -> dict[str, Any]:
        """Take an event, a batch, or an EventBridge envelope around either.

        A refusal is raised: the caller of a synchronous invocation sees it, and Lambda puts an
        asynchronous one into the dead-letter queue. When Lambda repeats an invocation, the request
        id stays the same.
        """
        try:
            check(values)
            return self._take(opened(values, request_id))
        except FunnelhooksError as error:
            request_refused(error)
            raise

    def _take(self, sent: Opened) -> dict[str, Any]:
        workspace = self._workspace(sent.workspace_id)
        if "events" in sent.values:
            return {"results": self._take_batch(sent, workspace)}
        return {"event_id": self._acceptor.accept(sent.values, workspace, sent.origin)}

    def _take_batch(self, sent: Opened, workspace: Workspace) -> list[dict[str, Any]]:
        """A refused event becomes a dead letter too: nobody may read the results."""
        batch = checked_batch(sent.values["events"])
        results = self._acceptor.accept_batch(batch, workspace, sent.origin)
        refused = [
            _dead_letter(sent, index, result.error)
            for index, result in enumerate(results)
            if result.error
        ]
        if refused:
            self._dead_letters().put(refused)
        return [result.model_dump(exclude_none=True) for result in results]

    def _workspace(self, workspace_id: str) -> Workspace:
        try:
            return self._workspace_of(workspace_id)
        except NotFoundError:
            raise InvalidError.at("workspace_id", "is not known here") from None


def opened(values: Any, origin: str) -> Opened:
    """Raises InvalidError that names the wrong place. `origin` is what brings the values."""
    if not isinstance(values, dict):
        raise InvalidError("An event is a JSON object.")
    if "detail-type" in values:
        values, origin = _detail(values), _envelope_id(values, origin)
    workspace_id = values.get("workspace_id")
    if not isinstance(workspace_id, str):
        raise InvalidError.at("workspace_id", "is required, a string")
    rest = {name: value for name, value in values.items() if name != "workspace_id"}
    return Opened(workspace_id, rest, origin)


def _detail(envelope: dict[str, Any]) -> dict[str, Any]:
    """EventBridge: `detail-type` is the event type, `detail` the event with its workspace_id."""
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise InvalidError.at("detail", "must be a JSON object")
    if "events" in detail:
        return detail
    occurred_at = {"occurred_at": envelope["time"]} if "time" in envelope else {}
    return occurred_at | detail | {"event_type": envelope["detail-type"]}


def _envelope_id(envelope: dict[str, Any], default: str) -> str:
    envelope_id = envelope.get("id", default)
    if not isinstance(envelope_id, str) or not _ENVELOPE_ID.fullmatch(envelope_id):
        raise InvalidError.at("id", "is not one that EventBridge gives")
    return envelope_id


def _dead_letter(sent: Opened, index: int, problem: Problem) -> DeadLetter:
    body = {"workspace_id": sent.workspace_id, "events": [sent.values["events"][index]]}
    return DeadLetter(
        body=json.dumps(body),
        source_id=sent.origin,
        error_code=problem.code,
        error_message=problem.message,
        error_fields=tuple(field.path for field in problem.fields or ()),
        batch_index=index,
    )
