"""A visitor and the visitor's identities. Times are milliseconds UTC."""

from enum import StrEnum
from typing import Annotated

from pydantic import StringConstraints

from shared import ids
from shared.model import Model

# Only blanks around it are removed: the address stays as it was sent, to write to.
EmailAddress = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=320)
]


class IdentityKind(StrEnum):
    EMAIL = "email"
    SESSION = "session"


class Identity(Model):
    """An e-mail address, or a session: an id that a tracker gave."""

    kind: IdentityKind
    value: str

    def key(self, workspace_id: str) -> str:
        """A hash, its key in the table. Addresses that differ only in case are the same."""
        if self.kind is IdentityKind.EMAIL:
            return ids.email_key(workspace_id, self.value.strip().casefold())
        return ids.visitor_key(workspace_id, self.value)


class Known(Identity):
    """`value` is as it was last sent; `seen_at` is updated once a day."""

    seen_at: int


class VisitorRecord(Model):
    """`merged` are the ids of visitors that were merged into this one."""

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
    """The content of a partition: a visitor, or the id of the visitor to whom it leads.

    It has neither if the item does not exist, has expired or was erased; without an item, `version`
    is 0. `erasing` are the ids of an erased visitor, some of whose events may still be there.
    """

    pk: str
    version: int = 0
    visitor: VisitorRecord | None = None
    leads_to: str | None = None
    is_erased: bool = False
    erasing: frozenset[str] = frozenset()


class Trace(Model):
    """Where an identity leads: `entry` is under its key, `visitor` at the end of the chain."""

    identity: Identity
    entry: VisitorEntry
    visitor: VisitorRecord | None
