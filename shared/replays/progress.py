"""How the deliveries of a replay are doing: those that are not delivered are counted by an index.

What is delivered leaves the index, so that counting costs by what is left, not by what was done.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.aws.items import to_item
from shared.aws.table import Table
from shared.deliveries.models import DeliveryState
from shared.model import Model
from shared.replays.models import Replay
from shared.tables import event_table

if TYPE_CHECKING:
    pass

# Of a megabyte each, some 4,000 deliveries: what one call may cost.
MAX_QUERIES = 5


class ReplayProgress(Model):
    """`pending` are on their way; `held` wait for the config to receive again."""

    delivered: int
    pending: int
    held: int
    failed: int
    cancelled: int


class ProgressReader:
    def __init__(self, table: Table) -> None:
        self._dynamodb = table.client
        self._table = table.name

    def read(self, replay: Replay) -> ReplayProgress | None:
        """None if too many are not delivered to be counted. The index is a moment behind."""
        states = self._states(event_table.replay_log(replay.workspace_id, replay.replay_id))
        return None if states is None else progress(replay.queued, states)

    def _states(self, partition: str) -> Counter[str] | None:
        states, start = Counter[str](), dict[str, Any]()
        for _ in range(MAX_QUERIES):
            answer = self._dynamodb.query(
                TableName=self._table,
                IndexName="replay",
                KeyConditionExpression="replay_pk = :pk",
                ProjectionExpression="#state",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues=to_item({":pk": partition}),
                **start,
            )
            states.update(entry["state"]["S"] for entry in answer["Items"])
            if "LastEvaluatedKey" not in answer:
                return states
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
        return None


def progress(queued: int, states: Counter[str]) -> ReplayProgress:
    """`states` are those of the deliveries that are not delivered.

    A page whose count is not saved yet has made deliveries that `queued` does not know of.
    """
    settled = {DeliveryState.HELD, DeliveryState.FAILED, DeliveryState.CANCELLED}
    return ReplayProgress(
        delivered=max(0, queued - states.total()),
        pending=sum(number for state, number in states.items() if state not in settled),
        held=states[DeliveryState.HELD],
        failed=states[DeliveryState.FAILED],
        cancelled=states[DeliveryState.CANCELLED],
    )
