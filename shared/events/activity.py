"""Slots of time: whoever stores an event has noted before that its workspace is active in its slot.

The sweep goes by these notes to the events of the log, so an event needs no index entry for it
(docs/decisions/0020-notes.md).
"""

from typing import TYPE_CHECKING

from shared.aws.items import to_item
from shared.aws.table import Table
from shared.clock import MS_PER_DAY, MS_PER_MINUTE, MS_PER_S
from shared.model import Model
from shared.tables import event_table

if TYPE_CHECKING:
    pass

# For so long the sweep may stand still. Events are kept for a day more (RetentionDays).
KEPT_MS = 7 * MS_PER_DAY


class ActivityMarker(Model):
    """Of a workspace, from `since` up to `until`, in milliseconds. All of it stands in its key."""

    workspace_id: str
    since: int
    until: int

    @property
    def sk(self) -> str:
        return event_table.slot_sk(self.since, self.until, self.workspace_id)

    @property
    def end(self) -> str:
        """Sorts in the log after every event of the slot."""
        return event_table.log_sk(self.until, "")


def marker_of(workspace_id: str, at_ms: int, repair_after_s: int) -> ActivityMarker:
    """A minute, or less where repair is to come sooner."""
    length = min(MS_PER_MINUTE, repair_after_s * MS_PER_S)
    since = at_ms - at_ms % length
    return ActivityMarker(workspace_id=workspace_id, since=since, until=since + length)


def marker_from(sk: str) -> ActivityMarker:
    until, since, workspace_id = sk.split("#", 2)
    return ActivityMarker(workspace_id=workspace_id, since=int(since), until=int(until))


class ActivityMarkers:
    """What a worker has noted in a slot it remembers until it notes another slot.

    A note that is written twice is the same note: its item follows from its key.
    """

    def __init__(self, table: Table, repair_after_s: int) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._repair_after_s = repair_after_s
        self._until = 0
        self._noted: set[str] = set()

    def note(self, workspace_id: str, accepted_at: int) -> None:
        """To be done before the event is stored. Only what the table has is remembered."""
        slot = marker_of(workspace_id, accepted_at, self._repair_after_s)
        if slot.sk in self._noted:
            return
        self._dynamodb.put_item(TableName=self._table, Item=_item(slot))
        if slot.until != self._until:
            self._until, self._noted = slot.until, set()
        self._noted.add(slot.sk)


def _item(slot: ActivityMarker) -> dict[str, dict[str, str]]:
    return to_item(
        {
            "pk": event_table.active_shard(slot.workspace_id),
            "sk": slot.sk,
            "expires_at": (slot.until + KEPT_MS) // MS_PER_S,
        }
    )
