"""Events: listed, and shown with their deliveries."""

from functions.deliveries.wiring import api, deliveries, events, logs, shows_content_since
from shared.deliveries import views
from shared.events import log
from shared.events.log import EventPage
from shared.input.paging import FilterText, Window
from shared.workspaces.models import Caller, Scope


class EventQuery(Window):
    event_type: FilterText | None = None


@api.get("/v1/events", Scope.EVENTS_READ)
def list_events(caller: Caller, query: EventQuery) -> EventPage:
    """Events of the workspace, newest first."""
    page = logs().page(log.events_of(caller.workspace_id, query.event_type), query)
    return EventPage(data=tuple(map(log.summary, page.items)), next_cursor=page.cursor)


@api.get("/v1/events/<event_id>", Scope.EVENTS_READ, errors=(404,))
def get_event(caller: Caller, event_id: str) -> views.EventRead:
    """One event with its deliveries and their attempts."""
    event = events().get(caller.workspace_id, event_id)
    shown = views.event_since(event, shows_content_since(caller))
    return views.event_with(shown, deliveries().of_event(event, at_most=views.MAX_SHOWN + 1))
