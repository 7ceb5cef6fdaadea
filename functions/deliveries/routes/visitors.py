"""Visitors over HTTPS: what is known of one, and its erasure."""

from functools import cache
from typing import Any

from functions.deliveries.routes.log import api
from shared import settings
from shared.aws import clients
from shared.clock import Timestamp, now_ms
from shared.errors import NotFoundError
from shared.events.log import EventPage, summary
from shared.events.store import EventStore
from shared.input.paging import PageOf
from shared.model import Model
from shared.privacy.delivery_erasure import DeliveryErasure
from shared.privacy.visitor_entries import VisitorEntries
from shared.privacy.visitor_erasure import ErasureReport, VisitorErasure
from shared.visitors.history import History
from shared.visitors.models import IdentityKind, VisitorRecord
from shared.visitors.store import VisitorStore
from shared.workspaces.models import Caller, Scope


class IdentityRead(Model):
    """`seen_at` is exact to a day."""

    kind: IdentityKind
    value: str
    seen_at: Timestamp


class VisitorRead(Model):
    """A visitor who was never seen but in events has no `first_seen_at`."""

    visitor_id: str
    identities: tuple[IdentityRead, ...]
    merged_ids: tuple[str, ...]
    first_seen_at: Timestamp | None
    last_seen_at: Timestamp | None
    events: EventPage


@api.get("/v1/visitors/<visitor_id>", Scope.EVENTS_READ, errors=(404,))
def get_visitor(caller: Caller, visitor_id: str, query: PageOf) -> VisitorRead:
    """A visitor by any of their ids, with a page of their events, newest first."""
    visitor = _visitors().find(caller.workspace_id, visitor_id, now_ms()).visitor
    ids = {visitor_id} if visitor is None else visitor.ids | {visitor_id}
    page = _history().page(caller.workspace_id, ids, query.limit, query.cursor)
    newest = page if query.cursor is None else _history().page(caller.workspace_id, ids, limit=1)
    if visitor is None and not newest.items:
        raise NotFoundError(f"No visitor {visitor_id} is known here.")
    seen = [item["created_at"] for item in newest.items]
    return VisitorRead(
        visitor_id=visitor_id if visitor is None else visitor.visitor_id,
        events=EventPage(data=tuple(map(summary, page.items)), next_cursor=page.cursor),
        **_profile(visitor, seen),
    )


@api.delete("/v1/visitors/<visitor_id>", Scope.DELIVERIES_WRITE, errors=(404,))
def erase_visitor(caller: Caller, visitor_id: str) -> ErasureReport:
    """Erase a visitor: identities, personal data of events, kept bodies, excerpts of answers.

    What was still to be sent is cancelled. Ids, states, counts and money stay. Unless the answer is
    `complete`, call again: some is left, or is just being sent.
    """
    return _erasure().run(caller.workspace_id, visitor_id)


def _profile(visitor: VisitorRecord | None, seen: list[int]) -> dict[str, Any]:
    """`seen` are the moments of the newest events."""
    if visitor is None:
        nobody = {"identities": (), "merged_ids": (), "first_seen_at": None}
        return nobody | {"last_seen_at": max(seen)}
    identities = sorted(visitor.identities.values(), key=lambda one: (one.kind, one.value))
    return {
        "identities": tuple(IdentityRead(**one.model_dump()) for one in identities),
        "merged_ids": tuple(sorted(visitor.merged)),
        "first_seen_at": visitor.first_seen_at,
        "last_seen_at": max([visitor.last_seen_at, *seen]),
    }


@cache
def _visitors() -> VisitorStore:
    env = settings.load()
    return VisitorStore(clients.event_table(), env.retention_days)


@cache
def _history() -> History:
    return History(clients.event_table())


@cache
def _erasure() -> VisitorErasure:
    env = settings.load()
    return VisitorErasure(
        visitors=_visitors(),
        entries=VisitorEntries(clients.event_table(), _visitors()),
        history=_history(),
        events=EventStore(clients.event_table(), env.retention_days, env.repair_after_s),
        deliveries=DeliveryErasure(clients.event_table()),
        clock=now_ms,
    )
