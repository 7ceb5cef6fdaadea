"""Visitors: shown with their events, and erased."""

from functions.deliveries.wiring import api, history, visitor_erasure, visitors
from shared.clock import now_ms
from shared.errors import NotFoundError
from shared.input.paging import PageOf
from shared.privacy.visitor_erasure import ErasureReport
from shared.visitors import views
from shared.workspaces.models import Caller, Scope


@api.get("/v1/visitors/<visitor_id>", Scope.EVENTS_READ, errors=(404,))
def get_visitor(caller: Caller, visitor_id: str, query: PageOf) -> views.VisitorRead:
    """A visitor by any of their ids, with a page of their events, newest first."""
    visitor = visitors().find(caller.workspace_id, visitor_id, now_ms()).visitor
    ids = {visitor_id} if visitor is None else visitor.ids | {visitor_id}
    page = history().page(caller.workspace_id, ids, query.limit, query.cursor)
    newest = page if query.cursor is None else history().page(caller.workspace_id, ids, limit=1)
    if visitor is None and not newest.items:
        raise NotFoundError(f"No visitor {visitor_id} is known here.")
    return views.full(visitor_id, visitor, page, [item["created_at"] for item in newest.items])


@api.delete("/v1/visitors/<visitor_id>", Scope.DELIVERIES_WRITE, errors=(404,))
def erase_visitor(caller: Caller, visitor_id: str) -> ErasureReport:
    """Erase a visitor: identities, personal data of events, kept bodies, excerpts of answers.

    Deliveries that are not sent yet are cancelled. Ids, states, counts and money stay. Unless the
    answer is `complete`, call again: some data is left, or is just being sent.
    """
    return visitor_erasure().run(caller.workspace_id, visitor_id)
