"""What a page of a long log takes beside one of an empty log: over HTTP, and from the store alone.

The emulator gathers and sorts the whole log for each Query, so over HTTP the time grows with it.
The engine of the fault runs goes to the key and reads on, as DynamoDB does.

`FUNNELHOOKS_LOG_ITEMS` makes the log as long as the figures of docs/operating.md want it; `-s`
shows them.
"""

import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from shared import ids
from shared.aws.items import to_item
from shared.aws.table import Table
from shared.events import log
from shared.events.log import LogReader
from shared.input.paging import Window
from shared.standalone.engine.database import Database
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.template import template
from shared.tables import event_table
from shared.tables.event_table import delivery_key
from tests.factories import WORKSPACE
from tests.local.stack import Stack
from tests.stack.client import Client, until

COUNT = int(os.environ.get("FUNNELHOOKS_LOG_ITEMS", "2000"))
LIMIT = 100
# What BatchWriteItem takes.
BATCH = 25
LOOKS = 15
DAY_MS = 86_400_000


class Log:
    """Deliveries to one config, a millisecond apart, as they stand in the table once settled."""

    def __init__(self, workspace_id: str, config_id: str) -> None:
        self.workspace_id = workspace_id
        self.config_id = config_id
        self._first = round(time.time() * 1000) - DAY_MS

    def event_id(self, number: int) -> str:
        return f"e{number:06d}"

    def newest(self, number: int) -> list[str]:
        """The events of a page whose first entry has that number."""
        return [self.event_id(number - after) for after in range(LIMIT)]

    def cursor_after(self, number: int) -> str:
        return _of(self.workspace_id, self.config_id).cursor_after(self.item(number)["log_sk"])

    def item(self, number: int) -> dict[str, Any]:
        key = ids.event_key(self.workspace_id, self.event_id(number))
        request_id = ids.request_id(key, self.config_id)
        at = self._first + number
        return {
            **delivery_key(self.workspace_id, request_id),
            "log_pk": event_table.delivery_log(self.workspace_id, self.config_id),
            "log_sk": event_table.log_sk(at, str(request_id)),
            "workspace_id": self.workspace_id,
            "request_id": str(request_id),
            "event_id": self.event_id(number),
            "event_type": "node_execution",
            "config_id": self.config_id,
            "state": "delivered",
            "attempt": 1,
            "status_code": 200,
            "created_at": at,
            "settled_at": at + 50,
            "expires_at": (at + 30 * DAY_MS) // 1000,
        }

    def items(self, count: int) -> list[dict[str, Any]]:
        return [to_item(self.item(number)) for number in range(count)]


def test_a_page_of_a_long_log_is_read_like_one_of_an_empty_log(
    stack: Stack, client: Client
) -> None:
    entries, short = Log(client.workspace_id, "long"), Log(client.workspace_id, "short")
    _load(stack, entries.items(COUNT) + short.items(LIMIT))
    until(lambda: _page(client, "long") != [], "the log shows them")
    middle = entries.cursor_after(COUNT // 2)

    _measure("over HTTP, on the emulator", lambda *asked: _page(client, *asked), middle)
    assert _page(client, "long") == entries.newest(COUNT - 1)
    assert _page(client, "long", middle) == entries.newest(COUNT // 2 - 1)


def test_a_page_of_a_long_log_is_read_in_one_query_that_goes_to_its_key() -> None:
    properties = template().of_type("AWS::DynamoDB::Table")["EventTable"]
    database = Database(memory_tables({"EventTable": properties}), lambda: 0, lambda *_: None)
    entries, short = Log(WORKSPACE, "long"), Log(WORKSPACE, "short")
    for item in entries.items(COUNT) + short.items(LIMIT):
        database.put_item(TableName="EventTable", Item=item)
    reader, middle = (
        LogReader(Table(cast(Any, database), "EventTable")),
        entries.cursor_after(COUNT // 2),
    )

    def page(config_id: str, cursor: str | None = None) -> list[str]:
        found = reader.page(_of(WORKSPACE, config_id), Window(limit=LIMIT, cursor=cursor))
        return [item["event_id"] for item in found.items]

    _measure("from the store alone", page, middle)
    assert page("long") == entries.newest(COUNT - 1)
    assert page("long", middle) == entries.newest(COUNT // 2 - 1)


def _of(workspace_id: str, config_id: str) -> log.Log:
    return log.deliveries_of(workspace_id, config_id, None, None)


def _load(stack: Stack, items: list[dict[str, Any]]) -> None:
    dynamodb, table = stack.client("dynamodb"), stack.outputs["EventTableName"]

    def write(first: int) -> None:
        puts = [{"PutRequest": {"Item": item}} for item in items[first : first + BATCH]]
        answer = dynamodb.batch_write_item(RequestItems={table: puts})
        assert not answer.get("UnprocessedItems")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(0, len(items), BATCH)))


def _measure(where: str, page: Callable[..., list[str]], middle: str) -> None:
    print(f"\nA page of {LIMIT} from {COUNT} deliveries, {where}, median of {LOOKS}:")
    for what, asked in [
        ("an empty log", ["empty"]),
        ("a log of one page", ["short"]),
        ("the first page", ["long"]),
        ("a page in the middle", ["long", middle]),
    ]:
        took = [_took_ms(page, asked) for _ in range(LOOKS)]
        print(f"  {what}: {statistics.median(took):.2f} ms")


def _took_ms(page: Callable[..., list[str]], asked: list[str]) -> float:
    began = time.perf_counter()
    page(*asked)
    return (time.perf_counter() - began) * 1000


def _page(client: Client, config_id: str, cursor: str | None = None) -> list[str]:
    """The events of a page, newest first."""
    query = {"config_id": config_id, "limit": LIMIT, "cursor": cursor}
    answer = client.call("GET", "/v1/deliveries", params=query)
    assert answer.status_code == 200, answer.text
    return [delivery["event_id"] for delivery in answer.json()["data"]]
