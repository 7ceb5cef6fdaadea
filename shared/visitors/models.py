"""A visitor, and what a visitor is known by. Times are milliseconds UTC."""

from enum import StrEnum

from shared import ids
from shared.model import Model


class IdentityKind(StrEnum):
    EMAIL = "email"
    SESSION = "session"


class Identity(Model):
    """An e-mail address, or an id that a tracker gave: its session."""

    kind: IdentityKind
    value: str

    def key(self, workspace_id: str) -> str:
        """What stands for it in the table. Addresses that differ in case alone are one."""
        if self.kind is IdentityKind.EMAIL:
            return ids.email_key(workspace_id, self.value.strip().casefold())
        return ids.visitor_key(workspace_id, self.value)


class Known(Identity):
    """`value` is as it was last sent; `seen_at` is refreshed once a day."""

    seen_at: int


class VisitorRecord(Model):
    """`merged` are the ids of visitors who turned out to be this one."""

    workspace_id: str
    visitor_id: str
    first_seen_at: int
    last_seen_at: int
    identities: dict[str, Known]
    merged: frozenset[str] = frozenset()
    version: int = 1

    @property
    def ids(self) -> frozenset[str]:
        """Every id under which there may be events of this visitor."""
        sessions = {
            one.value for one in self.identities.values() if one.kind is IdentityKind.SESSION
        }
        return frozenset({self.visitor_id}) | self.merged | sessions


class VisitorEntry(Model):
    """What stands in a partition: a visitor, or the id of the one to whom it leads.

    Neither if nothing is known, or it has expired or was erased; `version` is 0 if there is no item
    at all. `erasing` are ids of an erased visitor, of whose events some may still be there.
    """

    pk: str
    version: int = 0
    visitor: VisitorRecord | None = None
    leads_to: str | None = None
    is_erased: bool = False
    erasing: frozenset[str] = frozenset()


class Trace(Model):
    """Where an identity leads: `entry` stands under its key, `visitor` at the end of the way."""

    identity: Identity
    entry: VisitorEntry
    visitor: VisitorRecord | None
