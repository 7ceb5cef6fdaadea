"""A log of 100,000 deliveries is read like an empty one: a page is one Query of its size."""

from bisect import bisect_left, bisect_right
from typing import Any, cast

import pytest

from shared import ids
from shared.aws.items import from_item, to_item
from shared.aws.table import Table
from shared.events import log
from shared.events.log import LogReader
from shared.input.paging import Window
from shared.tables import event_table
from shared.tables.event_table import delivery_key
from tests.factories import WORKSPACE
from tests.fakes import NOW
from tests.integration.world import World
from tests.local.receiver import Receiver

COUNT = 100_000
# Deliveries are a millisecond apart, and one in four waits.
WAITING = 4


def delivery(number: int) -> dict[str, Any]:
    event_id = f"e{number:06d}"
    request_id = ids.request_id(ids.event_key(WORKSPACE, event_id), "crm")
    return {
        **delivery_key(WORKSPACE, request_id),
        "log_sk": event_table.log_sk(NOW + number, str(request_id)),
        "request_id": str(request_id),
        "event_id": event_id,
        "event_type": "node_execution",
        "config_id": "crm",
        "state": "delivered" if number % WAITING else "waiting",
        "attempt": 1,
        "created_at": NOW + number,
    }


class Indexes:
    """What DynamoDB does with a Query of an index: it goes to the key, and reads on from there.

    Moto reads the whole table instead, and sorts it. Any other call than Query fails.
    """

    def __init__(self, logs: dict[str, list[dict[str, Any]]]) -> None:
        self.queries: list[dict[str, Any]] = []
        self._logs = logs
        self._keys = {pk: [item["log_sk"] for item in items] for pk, items in logs.items()}

    def query(self, **request: Any) -> dict[str, Any]:
        self.queries.append(request)
        values = from_item(request["ExpressionAttributeValues"])
        sorted_keys = self._keys.get(values[":pk"], [])
        first = bisect_left(sorted_keys, values[":from"])
        end = bisect_right(sorted_keys, values[":until"])
        if "ExclusiveStartKey" in request:
            end = bisect_left(sorted_keys, from_item(request["ExclusiveStartKey"])["log_sk"])
        start = max(first, end - request["Limit"])
        items = self._logs.get(values[":pk"], [])[start:end][::-1]
        last = {"LastEvaluatedKey": to_item(items[-1])} if start > first else {}
        return {"Items": [to_item(item) for item in items], **last}


@pytest.fixture(scope="module")
def indexes() -> Indexes:
    every = [delivery(number) for number in range(COUNT)]
    return Indexes(
        {
            event_table.delivery_log(WORKSPACE, "crm"): every,
            event_table.state_log(WORKSPACE, "crm", "waiting"): every[::WAITING],
        }
    )


class Pages:
    """Pages of 100 deliveries of a config, each read in one Query."""

    def __init__(self, indexes: Indexes, state: str | None) -> None:
        self._indexes = indexes
        self._reader = LogReader(Table(cast(Any, indexes), "EventTable"))
        self._log = log.deliveries_of(WORKSPACE, "crm", state, None)

    def after(self, number: int | None) -> tuple[list[str], str | None]:
        """The events of the page after a delivery, or of the first one."""
        cursor = None if number is None else self._log.cursor_after(delivery(number)["log_sk"])
        self._indexes.queries.clear()
        page = self._reader.page(self._log, Window(limit=100, cursor=cursor))
        assert [asked["Limit"] for asked in self._indexes.queries] == [100]
        return [item["event_id"] for item in page.items], page.cursor


@pytest.mark.parametrize(("state", "step"), [(None, 1), ("waiting", WAITING)])
class TestALongLog:
    def test_begins_with_one_query(self, indexes: Indexes, state: str | None, step: int) -> None:
        shown, cursor = Pages(indexes, state).after(None)

        assert shown == events_from(COUNT - step, step)
        assert cursor is not None

    def test_goes_on_in_the_middle_with_one_query(
        self, indexes: Indexes, state: str | None, step: int
    ) -> None:
        shown, cursor = Pages(indexes, state).after(COUNT // 2)

        assert shown == events_from(COUNT // 2 - step, step)
        assert cursor is not None

    def test_ends_with_one_query(self, indexes: Indexes, state: str | None, step: int) -> None:
        shown, cursor = Pages(indexes, state).after(3 * step)

        assert shown == events_from(2 * step, step, 3)
        assert cursor is None


def test_a_page_of_a_long_log_asks_what_one_of_an_empty_log_asks(indexes: Indexes) -> None:
    empty = Indexes({})

    Pages(indexes, None).after(COUNT // 2)
    Pages(empty, None).after(COUNT // 2)

    assert indexes.queries == empty.queries


def test_a_receiver_who_quotes_a_request_id_is_answered_by_one_read(
    world: World, receiver: Receiver
) -> None:
    world.make_config(receiver.url("/in"))
    event_id = world.deliver()
    (received,) = receiver.requests()
    quoted = received.headers["X-Funnelflux-Request-ID"]
    world.get("/v1/deliveries/unknown")
    world.calls.clear()

    reply = world.get(f"/v1/deliveries/{quoted}")

    assert reply.body["event_id"] == event_id
    assert sorted(world.calls.names) == ["GetItem", "UpdateItem"]  # the call is counted


def events_from(newest: int, step: int, count: int = 100) -> list[str]:
    return [f"e{newest - number * step:06d}" for number in range(count)]
