"""Who it is: the visitor to whom an e-mail address and a session lead (docs/decisions/0013)."""

from collections.abc import Sequence

from shared.clock import MS_PER_DAY
from shared.model import Model
from shared.visitors.models import Identity, IdentityKind, Known, Trace, VisitorRecord

# More than one person has; it bounds what a merge and an erasure write at once.
MAX_IDENTITIES = 50
# An identity that was seen within this time is not written again.
FRESH_MS = MS_PER_DAY


class Resolution(Model):
    """The visitor, and what is to be written about them.

    `tied` are identities that are new to the visitor or were not seen for long; `absorbed` is a
    younger visitor who turned out to be the same.
    """

    visitor: VisitorRecord
    is_new: bool = False
    tied: tuple[Trace, ...] = ()
    absorbed: VisitorRecord | None = None


def resolve(workspace_id: str, traces: Sequence[Trace], now: int, new_id: str) -> Resolution:
    """E-mail addresses come before sessions in `traces`, and count for more."""
    found = {trace.visitor.visitor_id: trace.visitor for trace in traces if trace.visitor}
    if not found:
        return _newcomer(workspace_id, traces, now, new_id)
    older, *others = sorted(found.values(), key=lambda one: (one.first_seen_at, one.visitor_id))
    if not others:
        return Resolution(visitor=older, tied=_to_tie(older, traces, now))
    younger = others[0]
    if len(older.identities) + len(younger.identities) > MAX_IDENTITIES:
        return resolve(workspace_id, traces[:1], now, new_id)
    return Resolution(visitor=older, tied=_to_tie(older, traces, now), absorbed=younger)


def known(trace: Trace, now: int) -> Known:
    return Known(kind=trace.identity.kind, value=trace.identity.value, seen_at=now)


def _newcomer(workspace_id: str, traces: Sequence[Trace], now: int, new_id: str) -> Resolution:
    """A session is the id that a tracker gave the visitor, so a visitor made from one keeps it."""
    sessions = [t.identity.value for t in traces if t.identity.kind is IdentityKind.SESSION]
    visitor = VisitorRecord(
        workspace_id=workspace_id,
        visitor_id=sessions[0] if sessions else new_id,
        first_seen_at=now,
        last_seen_at=now,
        identities={trace.identity.key(workspace_id): known(trace, now) for trace in traces},
    )
    return Resolution(visitor=visitor, is_new=True, tied=tuple(traces))


def _to_tie(visitor: VisitorRecord, traces: Sequence[Trace], now: int) -> tuple[Trace, ...]:
    room = max(0, MAX_IDENTITIES - len(visitor.identities))
    stale = [trace for trace in traces if _seen_at(visitor, trace.identity) <= now - FRESH_MS]
    new = [t for t in stale if t.identity.key(visitor.workspace_id) not in visitor.identities]
    return tuple(trace for trace in stale if trace not in new[room:])


def _seen_at(visitor: VisitorRecord, identity: Identity) -> int:
    if identity.kind is IdentityKind.SESSION and identity.value == visitor.visitor_id:
        return visitor.last_seen_at
    one = visitor.identities.get(identity.key(visitor.workspace_id))
    return 0 if one is None else one.seen_at
