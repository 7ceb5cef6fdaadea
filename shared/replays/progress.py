"""How many deliveries of a replay are in which state.

An index holds those that are not delivered yet. So counting costs by what is left to do.
"""

from collections import Counter
from dataclasses import replace

from shared.aws.table import Query, Table
from shared.deliveries.models import DeliveryState
from shared.model import Model
from shared.replays.models import Replay
from shared.tables import event_table

# Queries of a megabyte, some 4,000 deliveries, that one call may cost.
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
        self._table = table

    def read(self, replay: Replay) -> ReplayProgress | None:
        """None if too many deliveries are not delivered. The index is a moment behind."""
        partition = event_table.replay_log(replay.workspace_id, replay.replay_id)
        query = Query("replay_pk = :pk", {"pk": partition}, index="replay", columns=["state"])
        states, last = Counter[str](), None
        for _ in range(MAX_QUERIES):
            page = self._table.query(replace(query, after=last))
            states.update(item["state"] for item in page.items)
            last = page.last
            if last is None:
                return progress(replay.queued, states)
        return None


def progress(queued: int, states: Counter[str]) -> ReplayProgress:
    """`states` are those of the deliveries that are not delivered.

    `queued` does not include the deliveries of a page that is not saved yet.
    """
    settled = {DeliveryState.HELD, DeliveryState.FAILED, DeliveryState.CANCELLED}
    return ReplayProgress(
        delivered=max(0, queued - states.total()),
        pending=sum(number for state, number in states.items() if state not in settled),
        held=states[DeliveryState.HELD],
        failed=states[DeliveryState.FAILED],
        cancelled=states[DeliveryState.CANCELLED],
    )
