"""Events and their deliveries in the API of ClickFunnels."""

from functions.deliveries.wiring import (
    deliveries,
    events,
    keyring,
    logs,
    resender,
    shows_content_since,
)
from shared.apis.clickfunnels import outgoing_events as wire
from shared.apis.clickfunnels.numbers import (
    PAGE,
    AfterQuery,
    accepted_at,
    check_workspace,
    event_number,
    missing,
    next_page,
)
from shared.apis.clickfunnels.problems import ClickFunnelsProblems
from shared.attempts.resend import MAX_AT_ONCE
from shared.clock import LAST_MS
from shared.deliveries import views
from shared.dialects import clickfunnels_ids
from shared.errors import ConflictError
from shared.events import log
from shared.events.models import Event
from shared.input.paging import Window
from shared.web.authentication import Request
from shared.web.operations import Answered, Api
from shared.workspaces.models import Caller, Scope

PREFIX = "/api/v2"
EVENT = f"{PREFIX}/webhooks/outgoing/events/<event>"

api = Api(ClickFunnelsProblems(), bearer=keyring)


@api.get(f"{PREFIX}/workspaces/<workspace>/webhooks/outgoing/events", Scope.EVENTS_READ)
def list_outgoing_events(
    caller: Caller, workspace: str, query: AfterQuery, request: Request
) -> Answered[list[wire.OutgoingEvent]]:
    """Events of the workspace, 20 a page, by id, which is by time.

    `Pagination-Next` and `Link` lead to the next page.
    """
    check_workspace(caller.workspace_id, workspace)
    window, ascending = _window(caller, query), query.sort_order == "asc"
    page = logs().page(log.events_of(caller.workspace_id, None), window, ascending)
    found = events().at_all([item["pk"] for item in page.items])
    since = shows_content_since(caller)
    shown = [wire.shown(views.event_since(event, since)) for event in found]
    if page.cursor is None or not shown:
        return Answered(shown)
    address = f"{request.origin}{request.path}"
    return Answered(shown, headers=next_page(address, query, shown[-1].id))


@api.get(EVENT, Scope.EVENTS_READ)
def get_outgoing_event(caller: Caller, event: str) -> wire.OutgoingEvent:
    """One event, by its `id` or its `public_id`."""
    return wire.shown(views.event_since(_find(caller, event), shows_content_since(caller)))


@api.get(f"{EVENT}/deliveries", Scope.DELIVERIES_READ)
def list_event_deliveries(caller: Caller, event: str) -> list[wire.OutgoingDelivery]:
    """Deliveries of the event, with every attempt. ClickFunnels shows them to its staff only."""
    found = _find(caller, event)
    sent = views.deliveries_since(deliveries().of_event(found), shows_content_since(caller))
    return wire.deliveries_of(found, sent)


@api.post(f"{EVENT}/replay", Scope.DELIVERIES_WRITE, status=202, errors=(409,))
def replay_outgoing_event(caller: Caller, event: str) -> list[wire.OutgoingDelivery]:
    """Send the event again, with retries, to every endpoint that it was sent to.

    Answers with the deliveries that are sent. A delivery that is just being sent is left out, and
    so is one whose endpoint does not receive.
    """
    found = _find(caller, event)
    known = deliveries().of_event(found)
    if len(known) > MAX_AT_ONCE:
        raise ConflictError(
            f"The event has more than {MAX_AT_ONCE} deliveries: resend them one by one."
        )
    since = shows_content_since(caller)
    sent = resender().resend_all(known, retry=True, since=since)
    return wire.deliveries_of(found, views.deliveries_since(sent, since))


def _find(caller: Caller, identifier: str) -> Event:
    number = clickfunnels_ids.number_from(identifier)
    pk = None if number is None else _partition(caller, number)
    found = None if pk is None else events().at(pk)
    if found is None:
        raise missing()
    return found


def _window(caller: Caller, query: AfterQuery) -> Window:
    """If the event is gone meanwhile, the page starts after the time in its number."""
    if query.after is None:
        return Window(limit=PAGE)
    moment, item = accepted_at(query.after), _item(caller, query.after)
    if item is not None:
        cursor = log.events_of(caller.workspace_id, None).cursor_after(item["log_sk"])
        return Window(limit=PAGE, cursor=cursor)
    if query.sort_order == "asc":
        return Window(since=min(moment + 1, LAST_MS), limit=PAGE)
    return Window(until=max(moment - 1, 0), limit=PAGE)


def _partition(caller: Caller, number: int) -> str | None:
    item = _item(caller, number)
    return None if item is None else item["pk"]


def _item(caller: Caller, number: int) -> dict[str, str] | None:
    """The log's entry of the event with this number, among the events of its millisecond."""
    moment = accepted_at(number)
    if moment > LAST_MS:
        return None
    at_once = Window(since=moment, until=moment, limit=100)
    page = logs().page(log.events_of(caller.workspace_id, None), at_once)
    return next((item for item in page.items if _number(item) == number), None)


def _number(item: dict[str, str]) -> int:
    return event_number(int(item["created_at"]), item["log_sk"].partition("#")[2])
