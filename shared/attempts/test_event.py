"""A test event: a sample of an event type, sent to a config once. Nothing of it is stored.

It is sent as a delivery is, with a header that says that it is a test. Its payload has the form of
a real event's payload, so the test shows whether the endpoint can read one.
"""

import json
from enum import StrEnum
from typing import TYPE_CHECKING

from shared import ids
from shared.attempts import outcome, request, sent_request
from shared.clock import Clock
from shared.configs.models import Status, WebhookConfig
from shared.deliveries.views import RequestRead
from shared.dialects import DIALECTS
from shared.errors import ConflictError, InvalidError
from shared.events import samples
from shared.events.models import Event
from shared.model import Model
from shared.outbound.response import Cause, Response, Timings
from shared.workspaces.models import Workspace

if TYPE_CHECKING:
    from shared.outbound.sender import Sender

TEST_HEADER = "X-Funnelhooks-Test"


class EventTestState(StrEnum):
    DELIVERED = "delivered"
    FAILED = "failed"


class EventTest(Model):
    """An attempt with its request. `request_id` is the id of no delivery."""

    request_id: str
    state: EventTestState
    status_code: int | None
    cause: Cause | None
    detail: str | None
    address: str | None
    timings_ms: Timings
    request: RequestRead
    response_excerpt: str | None


def send(
    config: WebhookConfig, workspace: Workspace, event_type: str, sender: "Sender", clock: Clock
) -> EventTest:
    """A config that is disabled or archived can be tested.

    Raises InvalidError if the config's dialect cannot express the type, ConflictError if the config
    is deleted.
    """
    dialect, now = DIALECTS[config.dialect], clock()
    if config.status is Status.DELETED:
        raise ConflictError("The webhook config is deleted.")
    if not dialect.can_express(event_type):
        raise InvalidError.at("event_type", f"is none that a {config.dialect} config can be sent")
    event = _sample(workspace, event_type, now)
    request_id = ids.request_id(event.key, config.id)
    rendered = dialect.render(event, workspace, request_id, now)
    prepared = request.prepare(config, request_id, rendered, now)
    marked = prepared._replace(headers=prepared.headers | {TEST_HEADER: "true"})
    response = sender.post(marked.url, marked.headers, rendered.body, config.timeout_s)
    return _result(str(request_id), config, sent_request.shown(marked, rendered.body), response)


def _sample(workspace: Workspace, event_type: str, now: int) -> Event:
    event_id = ids.new_event_id()
    return Event(
        workspace_id=workspace.workspace_id,
        key=ids.event_key(workspace.workspace_id, event_id),
        event_id=event_id,
        event_type=event_type,
        accepted_at=now,
        occurred_at=now,
        payload=json.dumps(samples.payload_of(event_type, now), separators=(",", ":")),
        fingerprint="",
    )


def _result(
    request_id: str, config: WebhookConfig, sent: RequestRead, response: Response
) -> EventTest:
    succeeded = outcome.is_success(response, config)
    return EventTest(
        request_id=request_id,
        state=EventTestState.DELIVERED if succeeded else EventTestState.FAILED,
        status_code=response.status_code,
        cause=outcome.cause(response, config),
        detail=outcome.detail(response) or None,
        address=response.address,
        timings_ms=response.timings,
        request=sent,
        response_excerpt=response.excerpt or None,
    )
