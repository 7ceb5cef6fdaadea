"""The HTTPS addresses of `deliveries`: what came in, what went out."""

from functools import cache
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from shared import settings
from shared.attempts import sent_request, wiring
from shared.aws import clients
from shared.clock import now_ms
from shared.deliveries import views
from shared.deliveries.models import DeliveryState
from shared.deliveries.store import DeliveryStore
from shared.errors import InvalidError
from shared.events import log
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.input.paging import Window, foreign_cursor, read_cursor, write_cursor
from shared.model import Model
from shared.web.authentication import Keyring
from shared.web.operations import Api
from shared.workspaces.models import Caller, Scope
from shared.workspaces.store import WorkspaceStore

Text = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class EventQuery(Window):
    event_type: Text | None = None


class DeliveryQuery(Window):
    """Deliveries of one config or of one event."""

    config_id: Text | None = None
    event_id: Annotated[Text | None, Field(validate_default=True)] = None
    state: DeliveryState | None = None
    event_type: Text | None = None


class IncludeQuery(Model):
    """`request` is what was sent: URL, headers and body."""

    include: Literal["request"] | None = None


@cache
def keyring() -> Keyring:
    return Keyring(WorkspaceStore(clients.config_table()), now_ms)


api = Api(bearer=keyring)


@api.get("/v1/events", Scope.EVENTS_READ)
def list_events(caller: Caller, query: EventQuery) -> log.EventPage:
    """Events of the workspace, newest first."""
    page = logs().page(log.events_of(caller.workspace_id, query.event_type), query)
    data = tuple(log.summary(item) for item in page.items)
    return log.EventPage(data=data, next_cursor=page.cursor)


@api.get("/v1/events/<event_id>", Scope.EVENTS_READ, errors=(404,))
def get_event(caller: Caller, event_id: str) -> views.EventRead:
    """One event with its deliveries and their attempts."""
    event = events().get(caller.workspace_id, event_id)
    shown = views.event_since(event, shows_content_since(caller))
    return views.event_with(shown, deliveries().of_event(event, at_most=views.MAX_SHOWN + 1))


@api.get("/v1/deliveries", Scope.DELIVERIES_READ, errors=(404,))
def list_deliveries(caller: Caller, query: DeliveryQuery) -> views.DeliveryPage:
    """Deliveries of one config, newest first; or those of one event, narrowed by `state`."""
    if query.event_id is not None and query.config_id is None:
        _refuse(query, "since", "until", "event_type")
        return _of_event(caller, query.event_id, query)
    if query.config_id is None or query.event_id is not None:
        raise InvalidError("Ask for the deliveries of one config_id or of one event_id.")
    wanted = log.deliveries_of(caller.workspace_id, query.config_id, query.state, query.event_type)
    page = logs().page(wanted, query)
    data = tuple(views.summary(item) for item in page.items)
    return views.DeliveryPage(data=data, next_cursor=page.cursor)


@api.get("/v1/deliveries/<request_id>", Scope.DELIVERIES_READ, errors=(404,))
def get_delivery(caller: Caller, request_id: str, query: IncludeQuery) -> views.DeliveryRead:
    """One delivery by the request id that its receiver saw, with its attempts."""
    found = deliveries().get(caller.workspace_id, request_id)
    since = shows_content_since(caller)
    (shown,) = views.deliveries_since([found], since)
    if query.include is None or found.created_at < since:
        return views.full(shown)
    (material,) = wiring.reader().whole([found.message(found.attempt)])
    return views.full(shown, sent_request.of(found, material))


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


def shows_content_since(caller: Caller) -> int:
    """Contents of what came in before are hidden."""
    now = now_ms()
    return caller.workspace.retention(wiring.env().retention_days).shows_content_since(now)


@cache
def logs() -> LogReader:
    return LogReader(clients.event_table())


@cache
def deliveries() -> DeliveryStore:
    return DeliveryStore(clients.event_table())


@cache
def events() -> EventStore:
    env = settings.load()
    return EventStore(clients.event_table(), env.retention_days, env.repair_after_s)
