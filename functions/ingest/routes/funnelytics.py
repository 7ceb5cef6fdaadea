"""The inbound webhook of Funnelytics: actions and purchases."""

from functools import cache
from typing import Any

from functions.ingest import wiring
from functions.ingest.routes.events import api
from shared.apis.funnelytics import rules
from shared.apis.funnelytics.acceptance import Acceptance
from shared.aws import clients
from shared.clock import now_ms
from shared.events.accept import MAX_EVENT_BYTES
from shared.input.json_body import parse_json
from shared.model import Model
from shared.observability import event_accepted
from shared.visitors.store import VisitorStore
from shared.web.operations import RawBody, require_json
from shared.workspaces.models import Caller, Scope


class ActionAccepted(Model):
    """`events` is 1, or the number of purchases."""

    accepted: bool
    events: int


@api.post(
    "/api/v1/webhook/<action>",
    Scope.EVENTS_WRITE,
    security="funnelytics",
    status=202,
    errors=(409, 410),
    accepts=dict[str, Any],
)
def accept_action(caller: Caller, action: str, body: RawBody) -> ActionAccepted:
    """Funnelytics' inbound webhook: a flat action, or purchases for `__commerce_action__`.

    `session` and `email` identify the visitor; without either the action makes a new visitor. The
    same action with the same body is refused for 24 hours, unless its `dateTime` is another.
    """
    require_json(body.headers.get("content-type", ""))
    values = parse_json(body.content, MAX_EVENT_BYTES)
    read = rules.read(action, values)
    # The authenticator has counted one.
    wiring.rate().take(caller.workspace, max(0, len(read.purchases) - 1))
    digest = rules.digest(caller.workspace_id, action, values)
    accepted = _acceptance().accept(caller.workspace, read, digest)
    for event in accepted:
        event_accepted(caller.workspace_id, event.event_id, is_new=True)
    return ActionAccepted(accepted=True, events=len(accepted))


@cache
def _acceptance() -> Acceptance:
    env = wiring.env()
    visitors = VisitorStore(clients.event_table(), env.retention_days)
    return Acceptance(clients.event_table(), wiring.store(), visitors, now_ms, env.retention_days)
