"""The entries of a visitor during an erasure.

From the begin of the erasure they lead nowhere, and hold the ids whose events are still to be
erased. From its end they hold only the time of the erasure.
"""

from collections.abc import Iterable, Mapping

from shared.aws.table import Table
from shared.visitors.models import Identity, IdentityKind, VisitorEntry, VisitorRecord
from shared.visitors.store import Change, VisitorStore, is_version, key_of, visitor_key


class VisitorEntries:
    def __init__(self, table: Table, visitors: VisitorStore) -> None:
        self._table = table
        self._visitors = visitors

    def begin(self, entry: VisitorEntry, visitor: VisitorRecord, now: int) -> bool:
        """False if another request has changed the visitor in the meantime."""
        key = visitor_key(visitor.workspace_id, visitor.visitor_id)
        values = {"erased_at": now, "erasing": visitor.ids | entry.erasing}
        erased = self._visitors.put(key, entry.version, values, now)
        return self._try([erased, *self._without_emails(visitor, now)])

    def end(self, workspace_id: str, visitor_ids: Iterable[str], now: int) -> None:
        """An id that belongs to a new visitor by now stays."""
        sessions = [Identity(kind=IdentityKind.SESSION, value=one) for one in visitor_ids]
        for trace in self._visitors.trace(workspace_id, sessions, now):
            if trace.visitor is None:
                key = key_of(workspace_id, trace.identity)
                self._try([self._visitors.put(key, trace.entry.version, {"erased_at": now}, now)])

    def _without_emails(self, visitor: VisitorRecord, now: int) -> list[Change]:
        ways = [
            key_of(visitor.workspace_id, one)
            for one in visitor.identities.values()
            if one.kind is IdentityKind.EMAIL
        ]
        entries = self._visitors.entries(ways, now)
        return [
            self._deleted(key, entries[key["pk"]].version)
            for key in ways
            if _is_own(entries[key["pk"]], visitor)
        ]

    def _deleted(self, key: Mapping[str, str], version: int) -> Change:
        return self._table.deleting(key, is_version(version))

    def _try(self, changes: list[Change]) -> bool:
        return not self._table.transact(changes)


def _is_own(entry: VisitorEntry, visitor: VisitorRecord) -> bool:
    """An address whose entry had expired may belong to another visitor by now."""
    return entry.version > 0 and (entry.leads_to is None or entry.leads_to in visitor.ids)
