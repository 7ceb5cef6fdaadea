"""Events that come without HTTPS. IAM has decided who may send; the event names its workspace."""

from functools import cache
from typing import Any

from functions.ingest import parts
from shared.api.body import parse_json
from shared.batch import Record
from shared.errors import InvalidError
from shared.events import intake


def accept_message(record: Record) -> None:
    """A message that comes twice is one event: its id stands in for one that the event lacks.

    Nobody reads the answer, so a batch of which a part is refused raises: what was refused is then
    found in the dead-letter queue.
    """
    values = parse_json(record["body"].encode(), intake.MAX_EVENT_BYTES)
    results = accept_invocation(values, record["messageId"]).get("results", [])
    refused = sum("error" in result for result in results)
    if refused:
        raise InvalidError(f"{refused} of {len(results)} events are refused.")


def accept_invocation(values: Any, event_id: str | None = None) -> dict[str, Any]:
    """An event, a batch of them, or an EventBridge envelope around one.

    A refusal is raised: a caller who waits sees it, and one who does not finds it in the
    dead-letter queue.
    """
    if not isinstance(values, dict):
        raise InvalidError("An event is a JSON object.")
    if "detail-type" in values:
        return accept_invocation(_unwrap(values), values.get("id", event_id))
    workspace_id = _workspace_of(values)
    rest = {name: value for name, value in values.items() if name != "workspace_id"}
    if "events" in rest:
        batch = parts.checked_batch(rest["events"])
        results = parts.accept_batch(batch, workspace_id, event_id)
        return {"results": [result.model_dump(exclude_none=True) for result in results]}
    return {"event_id": parts.accept(rest, workspace_id, event_id)}


def _unwrap(envelope: dict[str, Any]) -> dict[str, Any]:
    """EventBridge: `detail-type` is the event type, `detail` the event with its workspace_id."""
    detail = envelope.get("detail")
    if not isinstance(detail, dict):
        raise InvalidError.at("detail", "must be a JSON object")
    occurred_at = {"occurred_at": envelope["time"]} if "time" in envelope else {}
    return occurred_at | detail | {"event_type": envelope["detail-type"]}


def _workspace_of(values: dict[str, Any]) -> str:
    workspace_id = values.get("workspace_id")
    if not isinstance(workspace_id, str):
        raise InvalidError.at("workspace_id", "is required, a string")
    _check_exists(workspace_id)
    return workspace_id


@cache
def _check_exists(workspace_id: str) -> None:
    """Remembers those that exist; an error is not remembered."""
    if not parts.workspaces().exists(workspace_id):
        raise InvalidError.at("workspace_id", "is not known here")
