"""Events that come without HTTPS. IAM has decided who may send; the event names its workspace."""

import json
import re
from typing import Any, NamedTuple

from functions.ingest import wiring
from shared import journal
from shared.aws.dead_letters import DeadLetter, dead_letter
from shared.aws.runtime import Record, message_id
from shared.errors import FunnelhooksError, InvalidError, NotFoundError
from shared.events import reading
from shared.input.json_body import check, parse_json
from shared.web.problems import Problem
from shared.workspaces.models import Workspace

# Room for the number of an event in a batch.
_ENVELOPE_ID = re.compile(r"[A-Za-z0-9._:~@+=-]{1,100}")


class Sent(NamedTuple):
    """An event or a batch without its envelope, and which message or invocation brought it."""

    workspace: Workspace
    values: dict[str, Any]
    origin: str


def accept_message(record: Record) -> None:
    """A message that comes twice is one event. One that is refused would be refused for ever."""
    try:
        values = parse_json(record["body"].encode(), reading.MAX_EVENT_BYTES)
        _accept(_opened(values, message_id(record)))
    except FunnelhooksError as error:
        journal.refused(error)
        wiring.dead_letters().put([dead_letter(record["body"], message_id(record), error)])


def accept_invocation(values: Any, request_id: str) -> dict[str, Any]:
    """An event, a batch of them, or an EventBridge envelope around either.

    A refusal is raised: a caller who waits sees it, and one who does not finds it in the
    dead-letter queue. Lambda's own repetitions of an invocation have the same request id.
    """
    try:
        check(values)
        return _accept(_opened(values, request_id))
    except FunnelhooksError as error:
        journal.refused(error)
        raise


def _accept(sent: Sent) -> dict[str, Any]:
    if "events" in sent.values:
        return {"results": _accept_batch(sent)}
    return {"event_id": wiring.accept(sent.values, sent.workspace, sent.origin)}


def _accept_batch(sent: Sent) -> list[dict[str, Any]]:
    """Nobody may be there to read the answer, so what is refused is put aside too."""
    batch = wiring.checked_batch(sent.values["events"])
    results = wiring.accept_batch(batch, sent.workspace, sent.origin)
    refused = [
        _letter(sent, index, result.error) for index, result in enumerate(results) if result.error
    ]
    wiring.dead_letters().put(refused)
    return [result.model_dump(exclude_none=True) for result in results]


def _letter(sent: Sent, index: int, found: Problem) -> DeadLetter:
    body = {"workspace_id": sent.workspace.workspace_id, "events": [sent.values["events"][index]]}
    return DeadLetter(
        body=json.dumps(body),
        source_id=sent.origin,
        error_code=found.code,
        error_message=found.message,
        error_fields=tuple(field.path for field in found.fields or ()),
        batch_index=index,
    )


def _opened(values: Any, origin: str) -> Sent:
    if not isinstance(values, dict):
        raise InvalidError("An event is a JSON object.")
    if "detail-type" in values:
        values, origin = _unwrapped(values), _envelope_id(values, origin)
    rest = {name: value for name, value in values.items() if name != "workspace_id"}
    return Sent(_workspace_of(values), rest, origin)


def _unwrapped(envelope: dict[str, Any]) -> dict[str, Any]:
    """EventBridge: `detail-type` is the event type, `detail` the event with its workspace_id."""
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise InvalidError.at("detail", "must be a JSON object")
    if "events" in detail:
        return detail
    occurred_at = {"occurred_at": envelope["time"]} if "time" in envelope else {}
    return occurred_at | detail | {"event_type": envelope["detail-type"]}


def _envelope_id(envelope: dict[str, Any], otherwise: str) -> str:
    envelope_id = envelope.get("id", otherwise)
    if not isinstance(envelope_id, str) or not _ENVELOPE_ID.fullmatch(envelope_id):
        raise InvalidError.at("id", "is not one that EventBridge gives")
    return envelope_id


def _workspace_of(values: dict[str, Any]) -> Workspace:
    workspace_id = values.get("workspace_id")
    if not isinstance(workspace_id, str):
        raise InvalidError.at("workspace_id", "is required, a string")
    try:
        return wiring.remembered_workspaces().find(workspace_id)
    except NotFoundError:
        raise InvalidError.at("workspace_id", "is not known here") from None
