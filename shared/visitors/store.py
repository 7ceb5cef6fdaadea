"""Visitors in EventTable.

Each id of a visitor has an entry, which is the visitor or leads to another id. Each e-mail address
has an entry, which leads to its visitor. An entry is replaced only if its version is the same.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from shared import ids
from shared.aws.items import IS_NEW, Condition, Update, as_model
from shared.aws.table import Table
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.tables import event_table
from shared.visitors.models import Identity, IdentityKind, Known, Trace, VisitorEntry, VisitorRecord
from shared.visitors.resolution import FRESH_MS, MAX_IDENTITIES, Resolution, known

# Each merge may make a chain longer by one step, and the number of identities is limited.
MAX_STEPS = MAX_IDENTITIES + 1

Key = Mapping[str, str]
Change = dict[str, Any]


class VisitorStore:
    def __init__(self, table: Table, retention_days: int) -> None:
        self._table = table
        # A visitor who is seen again expires later; this is stored at most once in FRESH_MS.
        self._retention_ms = retention_days * MS_PER_DAY + FRESH_MS

    def trace(self, workspace_id: str, identities: Sequence[Identity], now: int) -> list[Trace]:
        wanted = [key_of(workspace_id, identity) for identity in identities]
        found = self.entries(wanted, now)
        entries = [found[key["pk"]] for key in wanted]
        ends = self._ends(workspace_id, entries, now)
        return [
            Trace(identity=identity, entry=entry, visitor=end.visitor)
            for identity, entry, end in zip(identities, entries, ends, strict=True)
        ]

    def find(self, workspace_id: str, visitor_id: str, now: int) -> VisitorEntry:
        """The entry at the end of the chain that begins at an id."""
        start = VisitorEntry(pk="", leads_to=visitor_id)
        return self._ends(workspace_id, [start], now)[0]

    def entries(self, wanted: Sequence[Key], now: int) -> dict[str, VisitorEntry]:
        """The entries by partition; an empty entry for a partition without an item."""
        found = self._table.get_many(wanted)
        entries = {key["pk"]: VisitorEntry(pk=key["pk"]) for key in wanted}
        return entries | {item["pk"]: _entry_from(item, now) for item in found}

    def changes(self, found: Resolution, now: int) -> list[Change]:
        """The operations of a transaction that stores what was resolved."""
        if not found.is_new and not found.tied and found.absorbed is None:
            return []
        versions = _versions(found)
        own = visitor_key(found.visitor.workspace_id, found.visitor.visitor_id)
        own_version = versions.pop(own["pk"], (own, 0))[1]
        change = self._new(found, own_version, now) if found.is_new else self._update(found, now)
        leads_to = {"leads_to": found.visitor.visitor_id}
        return [change, *(self.put(key, v, leads_to, now) for key, v in versions.values())]

    def put(self, key: Key, version: int, values: Mapping[str, Any], now: int) -> Change:
        """Replace an entry that has this version."""
        item = {**key, **values, "version": version + 1, "expires_at": self._expires_at(now)}
        return self._table.putting(item, is_version(version))

    def _new(self, found: Resolution, version: int, now: int) -> Change:
        visitor = found.visitor
        values = visitor.model_dump(mode="json", exclude={"merged", "version"})
        own = visitor_key(visitor.workspace_id, visitor.visitor_id)
        return self.put(own, version, values | {"merged": _merged(found) or None}, now)

    def _update(self, found: Resolution, now: int) -> Change:
        """Concurrent updates are safe: each adds only its own identities."""
        visitor = found.visitor
        identities = {
            key: one.model_dump(mode="json") for key, one in _identities(found, now).items()
        }
        update = Update().set_within("identities", identities)
        update.set({"last_seen_at": now, "expires_at": self._expires_at(now)}).add("version", 1)
        if merged := _merged(found):
            update.add("merged", merged)
        room = MAX_IDENTITIES - len(identities.keys() - visitor.identities.keys())
        has_room = "attribute_exists(first_seen_at) AND size(identities) <= :when_room"
        update.when(has_room, {"room": room})
        return self._table.updating(visitor_key(visitor.workspace_id, visitor.visitor_id), update)

    def _ends(
        self, workspace_id: str, entries: Sequence[VisitorEntry], now: int
    ) -> list[VisitorEntry]:
        for _ in range(MAX_STEPS):
            onward = {entry.leads_to for entry in entries if entry.leads_to is not None}
            if not onward:
                break
            ways = {visitor_id: visitor_key(workspace_id, visitor_id) for visitor_id in onward}
            found = self.entries(list(ways.values()), now)
            entries = [e if e.leads_to is None else found[ways[e.leads_to]["pk"]] for e in entries]
        return list(entries)

    def _expires_at(self, now: int) -> int:
        return (now + self._retention_ms) // MS_PER_S


def visitor_key(workspace_id: str, visitor_id: str) -> dict[str, str]:
    return event_table.visitor(workspace_id, ids.visitor_key(workspace_id, visitor_id))


def key_of(workspace_id: str, identity: Identity) -> dict[str, str]:
    key = identity.key(workspace_id)
    is_email = identity.kind is IdentityKind.EMAIL
    return (
        event_table.email(workspace_id, key) if is_email else event_table.visitor(workspace_id, key)
    )


def is_version(version: int) -> Condition:
    return Condition("version = :when_version", {"version": version}) if version else IS_NEW


def _versions(found: Resolution) -> dict[str, tuple[Key, int]]:
    """The entries that shall lead to the visitor, with the versions that were read."""
    workspace_id = found.visitor.workspace_id
    tied = [(key_of(workspace_id, t.identity), t.entry.version) for t in found.tied]
    if (absorbed := found.absorbed) is not None:
        tied.append((visitor_key(workspace_id, absorbed.visitor_id), absorbed.version))
    return {key["pk"]: (key, version) for key, version in tied}


def _identities(found: Resolution, now: int) -> dict[str, Known]:
    workspace_id = found.visitor.workspace_id
    absorbed = {} if found.absorbed is None else found.absorbed.identities
    return absorbed | {t.identity.key(workspace_id): known(t, now) for t in found.tied}


def _merged(found: Resolution) -> frozenset[str]:
    """Includes ids of an erasure that did not end: the next erasure finds their events."""
    absorbed = found.absorbed
    merged = frozenset() if absorbed is None else absorbed.merged | {absorbed.visitor_id}
    return merged.union(*(trace.entry.erasing for trace in found.tied)) - {found.visitor.visitor_id}


def _entry_from(item: Mapping[str, Any], now: int) -> VisitorEntry:
    entry = VisitorEntry(
        pk=item["pk"],
        version=item["version"],
        is_erased="erased_at" in item,
        erasing=item.get("erasing", frozenset()),
    )
    # DynamoDB deletes expired items within days, not at once.
    if item["expires_at"] * MS_PER_S <= now:
        return entry
    if "leads_to" in item:
        return entry.model_copy(update={"leads_to": item["leads_to"]})
    if "first_seen_at" not in item:
        return entry
    return entry.model_copy(update={"visitor": as_model(VisitorRecord, item)})
