"""Deliveries: listed, shown, resent, cancelled; test events, which make no delivery."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from functions.deliveries.wiring import (
    api,
    configs,
    deliveries,
    events,
    logs,
    resender,
    shows_content_since,
)
from shared.apis.funnelflux.models import ConfigQuery
from shared.attempts import sent_request, test_event, wiring
from shared.attempts.test_event import EventTest
from shared.clock import now_ms
from shared.deliveries import views
from shared.deliveries.models import DeliveryState
from shared.errors import InvalidError
from shared.events import log
from shared.events.models import EventType
from shared.input.paging import FilterText, Window, foreign_cursor, read_cursor, write_cursor
from shared.model import Model
from shared.workspaces.models import Caller, Scope

DELIVERY = "/v1/deliveries/<request_id>"


class DeliveryQuery(Window):
    """Deliveries of one config or of one event."""

    config_id: FilterText | None = None
    event_id: Annotated[FilterText | None, Field(validate_default=True)] = None
    state: DeliveryState | None = None
    event_type: FilterText | None = None


class IncludeQuery(Model):
    """`request` is the request that was sent: URL, headers and body."""

    include: Literal["request"] | None = None


class ResendRequest(Model):
    """`retry` starts the schedule anew. Without it, a delivery that has ended is sent once."""

    retry: bool = False


class SampleRequest(Model):
    event_type: EventType


@api.get("/v1/deliveries", Scope.DELIVERIES_READ, errors=(404,))
def list_deliveries(caller: Caller, query: DeliveryQuery) -> views.DeliveryPage:
    """Deliveries of one config, newest first; or deliveries of one event, narrowed by `state`."""
    if query.event_id is not None and query.config_id is None:
        _refuse(query, "since", "until", "event_type")
        return _of_event(caller, query.event_id, query)
    if query.config_id is None or query.event_id is not None:
        raise InvalidError("Ask for the deliveries of one config_id or of one event_id.")
    wanted = log.deliveries_of(caller.workspace_id, query.config_id, query.state, query.event_type)
    page = logs().page(wanted, query)
    data = tuple(views.summary(item) for item in page.items)
    return views.DeliveryPage(data=data, next_cursor=page.cursor)


@api.get(DELIVERY, Scope.DELIVERIES_READ, errors=(404,))
def get_delivery(caller: Caller, request_id: str, query: IncludeQuery) -> views.DeliveryRead:
    """One delivery by the request id that its receiver saw, with its attempts."""
    found = deliveries().get(caller.workspace_id, request_id)
    since = shows_content_since(caller)
    (shown,) = views.deliveries_since([found], since)
    if query.include is None or found.created_at < since:
        return views.full(shown)
    (context,) = wiring.reader().whole([found.message(found.attempt)])
    return views.full(shown, sent_request.of(found, context))


@api.post(f"{DELIVERY}/resend", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def resend_delivery(caller: Caller, request_id: str, body: ResendRequest) -> views.DeliveryRead:
    """Send a delivery at once, whatever its state: the same bytes under the same request id.

    409 if it is just being sent, if its config does not receive, if its content is gone, or after
    100 attempts.
    """
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().resend(found, body.retry, shows_content_since(caller)))


@api.post(f"{DELIVERY}/cancel", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def cancel_delivery(caller: Caller, request_id: str) -> views.DeliveryRead:
    """Cancel a delivery that waits or is held: it is not sent any more, unless it is resent."""
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().cancel(found))


@api.post("/v1/webhookconfig/test", Scope.DELIVERIES_WRITE, errors=(404, 409))
def send_test_event(caller: Caller, query: ConfigQuery, body: SampleRequest) -> EventTest:
    """Send a sample event to a config, once, and answer with the request and its outcome.

    The request has the header `X-Funnelhooks-Test: true`. No log keeps it.
    """
    config = configs().find(caller.workspace_id, query.idWebhookConfig)
    return test_event.send(config, caller.workspace, body.event_type, wiring.sender(), now_ms)


def _of_event(caller: Caller, event_id: str, query: DeliveryQuery) -> views.DeliveryPage:
    event = events().get(caller.workspace_id, event_id)
    of = f"deliveries {event.workspace_id} {event.key}"
    found = deliveries().after(event, _request_id(of, query.cursor), query.limit)
    data = tuple(
        views.summary(delivery.model_dump(mode="json"))
        for delivery in found
        if query.state in (None, delivery.state)
    )
    more = len(found) == query.limit
    cursor = write_cursor(of, str(found[-1].request_id)) if more else None
    return views.DeliveryPage(data=data, next_cursor=cursor)


def _refuse(query: DeliveryQuery, *names: str) -> None:
    for name in names:
        if name in query.model_fields_set:
            raise InvalidError.at(name, "narrows the deliveries of a config, not those of an event")


def _request_id(of: str, cursor: str | None) -> UUID | None:
    try:
        return None if cursor is None else UUID(read_cursor(of, cursor))
    except ValueError:
        raise foreign_cursor() from None
