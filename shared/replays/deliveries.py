"""The deliveries that a replay makes: one for each event, by whichever entry it was found.

A delivery keeps the spot of that entry. So a page that is done twice counts what it did the first
time, and an event that stands in the log twice is counted once.
"""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared import retention
from shared.aws.items import from_item, to_item
from shared.aws.table import Table, is_condition
from shared.clock import MS_PER_S
from shared.deliveries import transitions
from shared.deliveries.models import Delivery, DeliveryState, Reason
from shared.deliveries.transitions import Terms
from shared.ids import replay_request_id
from shared.model import Model
from shared.replays.models import Replay
from shared.tables import event_table

if TYPE_CHECKING:
    pass


class Found(Model):
    """An event that goes to the config of a replay, and the spot where it was found."""

    spot: str
    key: str
    event_id: str
    event_type: str
    accepted_at: int


class ReplayDeliveries:
    def __init__(self, table: Table, retention_days: int, repair_after_s: int) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._terms = Terms(retention.of_days(retention_days), repair_after_s * MS_PER_S)

    def make(self, replay: Replay, found: Found, at: int, now: int) -> Delivery | None:
        """The delivery, which goes at a moment; None if another entry has brought it about."""
        delivery = planned(replay, found, at)
        update = transitions.replay(delivery, found.spot, self._terms, now)
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(event_table.delivery_key(delivery.workspace_id, delivery.request_id)),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update.request(),
            )
        except ClientError as error:
            return _made_before(error, found)
        return delivery


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


def _made_before(error: ClientError, found: Found) -> Delivery | None:
    if not is_condition(error):
        raise error
    values = from_item(error.response["Item"])  # type: ignore[typeddict-item]
    return Delivery.from_item(values) if values.get("replay_spot") == found.spot else None
