"""The deliveries that a replay makes: one for each event, by whichever entry it was found.

A delivery keeps the spot of that entry. So a page that is done twice counts what it did the first
time, and an event that stands in the log twice is counted once.
"""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from shared.aws.items import Update, from_item, to_item
from shared.aws.table import Table, is_condition
from shared.clock import MS_PER_DAY, MS_PER_S
from shared.deliveries.item import delivery_from, delivery_key, logged, wake
from shared.deliveries.models import Delivery, DeliveryState, Reason
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
        self._retention_ms = retention_days * MS_PER_DAY
        self._repair_after_ms = repair_after_s * MS_PER_S

    def make(self, replay: Replay, found: Found, at: int, now: int) -> Delivery | None:
        """The delivery, which goes at a moment; None if another entry has brought it about."""
        delivery = planned(replay, found, at)
        update = Update().set(self._attributes(delivery, found, at, now))
        update.when("attribute_not_exists(pk)", {})
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=to_item(delivery_key(delivery.workspace_id, delivery.request_id)),
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
                **update.request(),
            )
        except ClientError as error:
            return _made_before(error, found)
        return delivery

    def _attributes(self, delivery: Delivery, found: Found, at: int, now: int) -> dict[str, Any]:
        workspace_id, config_id = delivery.workspace_id, delivery.config_id
        return (
            delivery.model_dump(mode="json", exclude={"attempts"}, exclude_none=True)
            | logged(delivery, delivery.created_at)
            | {
                "state_pk": event_table.state_log(workspace_id, config_id, delivery.state),
                "replay_pk": event_table.replay_log(workspace_id, str(delivery.replay_id)),
                "replay_spot": found.spot,
                "expires_at": (now + self._retention_ms) // MS_PER_S,
            }
            | wake(delivery.request_id, at + self._repair_after_ms)
        )


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
    return delivery_from(values) if values.get("replay_spot") == found.spot else None
