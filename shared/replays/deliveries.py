"""The deliveries that a replay makes: one for each event, whichever entry led to it.

A delivery keeps the position of that entry. So a page that is done twice counts the same
deliveries, and an event that is found by two entries is counted once.
"""

from shared.aws.items import as_model
from shared.aws.table import Table
from shared.clock import MS_PER_S
from shared.deliveries import transitions
from shared.deliveries.models import Delivery, DeliveryState, Reason
from shared.deliveries.transitions import Terms
from shared.ids import replay_request_id
from shared.model import Model
from shared.replays.models import Replay
from shared.tables import event_table
from shared.workspaces.models import Retention


class Found(Model):
    """An event that a replay sends, and the position of the entry that led to it."""

    position: str
    key: str
    event_id: str
    event_type: str
    accepted_at: int


class ReplayDeliveries:
    def __init__(self, table: Table, retention_days: int, repair_after_s: int) -> None:
        self._table = table
        self._terms = Terms(Retention.of_days(retention_days), repair_after_s * MS_PER_S)

    def make(self, replay: Replay, found: Found, at: int, now: int) -> Delivery | None:
        """The delivery, which goes at `at` (ms); None if another entry has led to it before."""
        delivery = planned(replay, found, at)
        key = event_table.delivery_key(delivery.workspace_id, delivery.request_id)
        update = transitions.replay(delivery, found.position, self._terms, now)
        refused = self._table.apply(key, update)
        if refused is None:
            return delivery
        stored = refused.item or {}
        is_same = stored.get("replay_spot") == found.position
        return as_model(Delivery, stored) if is_same else None


def planned(replay: Replay, found: Found, at: int) -> Delivery:
    return Delivery(
        workspace_id=replay.workspace_id,
        request_id=replay_request_id(found.key, replay.config_id, replay.replay_id),
        event_id=found.event_id,
        event_type=found.event_type,
        config_id=replay.config_id,
        state=DeliveryState.WAITING,
        reason=Reason.REPLAYED,
        created_at=found.accepted_at,
        next_attempt_at=at,
        replay_id=replay.replay_id,
    )
