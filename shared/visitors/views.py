"""Visitors as the API shows them."""

from collections.abc import Sequence
from typing import Any

from shared.clock import Timestamp
from shared.events.log import EventPage, summary
from shared.input.paging import Page
from shared.model import Model
from shared.visitors.models import IdentityKind, VisitorRecord


class IdentityRead(Model):
    """`seen_at` is exact to a day."""

    kind: IdentityKind
    value: str
    seen_at: Timestamp


class VisitorRead(Model):
    """A visitor who is known by events alone has no `first_seen_at`."""

    visitor_id: str
    identities: tuple[IdentityRead, ...]
    merged_ids: tuple[str, ...]
    first_seen_at: Timestamp | None
    last_seen_at: Timestamp | None
    events: EventPage


def full(
    visitor_id: str, visitor: VisitorRecord | None, page: Page, seen: Sequence[int]
) -> VisitorRead:
    """`page` holds events of the visitor; `seen` are the times (ms) of the newest events.

    Without a record the visitor is known by events alone, under `visitor_id`.
    """
    return VisitorRead(
        visitor_id=visitor_id if visitor is None else visitor.visitor_id,
        events=EventPage(data=tuple(map(summary, page.items)), next_cursor=page.cursor),
        **_profile(visitor, seen),
    )


def _profile(visitor: VisitorRecord | None, seen: Sequence[int]) -> dict[str, Any]:
    if visitor is None:
        unknown = {"identities": (), "merged_ids": (), "first_seen_at": None}
        return unknown | {"last_seen_at": max(seen)}
    identities = sorted(visitor.identities.values(), key=lambda one: (one.kind, one.value))
    return {
        "identities": tuple(IdentityRead(**one.model_dump()) for one in identities),
        "merged_ids": tuple(sorted(visitor.merged)),
        "first_seen_at": visitor.first_seen_at,
        "last_seen_at": max([visitor.last_seen_at, *seen]),
    }
