"""What botocore's clients give the handlers here: the calls that they make, no others.

There is no Scan, so a handler that scans fails loudly.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Protocol

from shared.standalone.engine.database import Database
from shared.standalone.engine.errors import Exceptions
from shared.standalone.engine.template import Json
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.values import UnsupportedError

Apply = Callable[[], Json]


class ServiceWire(Protocol):
    """What lies between a client and the service: time that passes, and faults."""

    def call(self, operation: str, apply: Apply, partial: Apply | None = None) -> Json:
        """The answer of `apply`; `partial` does a part of it, as the service may."""
        ...


class BatchQueue(Protocol):
    def send_batch(self, entries: list[Json], taken: list[Json]) -> Json: ...


class QueuesByUrl(Protocol):
    def by_url(self, url: str) -> BatchQueue: ...


class EventBus(Protocol):
    def put(self, entries: list[Json]) -> Json: ...


class ServiceClient:
    exceptions = Exceptions()

    def __getattr__(self, call: str) -> Any:
        raise UnsupportedError(f"{type(self).__name__}.{call}")


class DynamoDbClient(ServiceClient):
    def __init__(self, wire: ServiceWire, database: Database, transactions: Transactions) -> None:
        self._wire = wire
        self._database = database
        self._transactions = transactions
        self._tokens = count()

    def put_item(self, **request: Any) -> Json:
        return self._wire.call("PutItem", lambda: self._database.put_item(**request))

    def update_item(self, **request: Any) -> Json:
        return self._wire.call("UpdateItem", lambda: self._database.update_item(**request))

    def delete_item(self, **request: Any) -> Json:
        return self._wire.call("DeleteItem", lambda: self._database.delete_item(**request))

    def get_item(self, **request: Any) -> Json:
        return self._wire.call("GetItem", lambda: self._database.get_item(**request))

    def query(self, **request: Any) -> Json:
        return self._wire.call("Query", lambda: self._database.query(**request))

    def batch_get_item(self, *, RequestItems: Mapping[str, Json]) -> Json:
        now, later = _halves(RequestItems)
        return self._wire.call(
            "BatchGetItem",
            lambda: self._database.batch_get_item(RequestItems=RequestItems),
            lambda: self._database.batch_get_item(RequestItems=now) | {"UnprocessedKeys": later},
        )

    def transact_write_items(self, **request: Any) -> Json:
        """botocore adds the token before its first try, so its repeats are the same transaction."""
        whole = {"ClientRequestToken": f"token-{next(self._tokens)}"} | request
        return self._wire.call(
            "TransactWriteItems", lambda: self._transactions.transact_write_items(**whole)
        )

    def get_paginator(self, operation: str) -> "Paginator":
        if operation != "query":
            raise UnsupportedError(f"a paginator of {operation}")
        return Paginator(self.query)


class Paginator:
    def __init__(self, query: Callable[..., Json]) -> None:
        self._query = query

    def paginate(self, *, PaginationConfig: Json | None = None, **request: Any) -> Iterator[Json]:
        config = PaginationConfig or {}
        if config.keys() - {"PageSize"}:
            raise UnsupportedError(f"PaginationConfig with {sorted(config)}")
        if "PageSize" in config:
            request["Limit"] = config["PageSize"]
        while True:
            page = self._query(**request)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


class SqsClient(ServiceClient):
    def __init__(self, wire: ServiceWire, queues: QueuesByUrl) -> None:
        self._wire = wire
        self._queues = queues

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> Json:
        entry = {"Id": "0", "MessageBody": MessageBody}
        return self.send_message_batch(QueueUrl=QueueUrl, Entries=[entry])

    def send_message_batch(self, *, QueueUrl: str, Entries: list[Json]) -> Json:
        queue = self._queues.by_url(QueueUrl)
        half = Entries[: len(Entries) // 2]
        return self._wire.call(
            "SendMessageBatch",
            lambda: queue.send_batch(Entries, taken=Entries),
            lambda: queue.send_batch(Entries, taken=half),
        )


class EventsClient(ServiceClient):
    def __init__(self, wire: ServiceWire, bus: EventBus) -> None:
        self._wire = wire
        self._bus = bus

    def put_events(self, *, Entries: list[Json]) -> Json:
        return self._wire.call("PutEvents", lambda: self._bus.put(Entries))


def client_of(clients: Mapping[str, Any], service: str) -> Any:
    """Stands for `shared.aws.clients._client`."""
    if service not in clients:
        raise UnsupportedError(f"a client of {service}")
    return clients[service]


def _halves(wanted: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, Json]]:
    """What is read at once, and what is left to be asked for again."""
    now, later = {}, {}
    for table, request in wanted.items():
        middle = len(request["Keys"]) // 2
        now[table] = request | {"Keys": request["Keys"][:middle]}
        later[table] = request | {"Keys": request["Keys"][middle:]}
    return now, {table: request for table, request in later.items() if request["Keys"]}
