"""A call counts megabytes of an index, not gigabytes, however long it is."""

from typing import Any, cast

from shared.aws.table import Table
from shared.jobs import Cursor
from shared.replays.progress import ProgressReader
from shared.replays.source import ReplaySource
from shared.replays.views import COUNT_QUERIES
from tests import factories

MAX_MEGABYTES = 5
REPLAY = factories.replay(is_counted=True)


class EndlessIndex:
    """A megabyte a Query, and always another one."""

    def __init__(self) -> None:
        self.megabytes = 0

    def query(self, **_: Any) -> dict[str, Any]:
        self.megabytes += 1
        items = [{"state": {"S": "waiting"}}]
        return {"Items": items, "Count": 1, "LastEvaluatedKey": {"pk": {"S": "next"}}}


def test_progress_gives_up() -> None:
    index = EndlessIndex()

    known = ProgressReader(Table(cast("Any", index), "EventTable")).read(REPLAY)

    assert known is None
    assert index.megabytes <= MAX_MEGABYTES


def test_a_count_stops_where_the_job_goes_on() -> None:
    index = EndlessIndex()

    counted, cursor = ReplaySource(Table(cast("Any", index), "EventTable")).count(
        REPLAY, Cursor(), COUNT_QUERIES
    )

    assert counted == index.megabytes <= MAX_MEGABYTES
    assert cursor == Cursor(after='{"pk": "next"}')
