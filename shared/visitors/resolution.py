"""The visitor to whom an e-mail address and a session lead (docs/decisions/0013)."""

from collections.abc import Sequence

from shared.clock import MS_PER_DAY
from shared.model import Model
from shared.visitors.models import Identity, IdentityKind, Known, Trace, VisitorRecord

# More than a person has. The limit bounds the writes of a merge and of an erasure.
MAX_IDENTITIES = 50
# An identity that was seen less than this time ago is not written again.
FRESH_MS = MS_PER_DAY


class Resolution(Model):
    """The visitor, and the changes to store.

    `tied` are identities that are new to the visitor or were not seen lately; `absorbed` is a
    younger visitor, to be merged into this one.
    """

    visitor: VisitorRecord
    is_new: bool = False
    tied: tuple[Trace, ...] = ()
    absorbed: VisitorRecord | None = None


def resolve(workspace_id: str, traces: Sequence[Trace], now: int, new_id: str) -> Resolution:
    """`traces` begin with the e-mail addresses, which win over sessions."""
    found = {trace.visitor.visitor_id: trace.visitor for trace in traces if trace.visitor}
    if not found:
        return _new_visitor(workspace_id, traces, now, new_id)
    older, *others = sorted(found.values(), key=lambda one: (one.first_seen_at, one.visitor_id))
    if not others:
        return Resolution(visitor=older, tied=_to_tie(older, traces, now))
    younger = others[0]
    if len(older.identities) + len(younger.identities) > MAX_IDENTITIES:
        return resolve(workspace_id, traces[:1], now, new_id)
    return Resolution(visitor=older, tied=_to_tie(older, traces, now), absorbed=younger)


def known(trace: Trace, now: int) -> Known:
    return Known(kind=trace.identity.kind, value=trace.identity.value, seen_at=now)


def _new_visitor(workspace_id: str, traces: Sequence[Trace], now: int, new_id: str) -> Resolution:
    """A new visitor with a session has the session as id: a tracker gave it to the visitor."""
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
    known_identity = visitor.identities.get(identity.key(visitor.workspace_id))
    return 0 if known_identity is None else known_identity.seen_at
