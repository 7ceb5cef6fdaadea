"""An account on our own engine, which answers in microseconds.

Its tables are in memory; with ENGINE=file in the environment they are in an SQLite file, as those
of the standalone program are.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from random import Random
from threading import RLock
from typing import Any
from unittest.mock import patch

from botocore.client import BaseClient
from botocore.exceptions import ClientError

from shared.aws.items import from_item, to_item
from shared.standalone.engine.buckets import Bucket
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.groups import QueuedMessage
from shared.standalone.engine.memory import memory_tables
from shared.standalone.engine.sqlite import sqlite_tables
from shared.standalone.engine.tables import StoredTable
from shared.standalone.engine.template import Json, template
from shared.standalone.engine.transactions import Transactions
from shared.standalone.engine.values import Item, UnsupportedError
from tests.fakes import NOW, FakeClock
from tests.faults.engine.bus import Bus
from tests.faults.engine.queues import URL, Queues
from tests.faults.engine.simulation import Simulation
from tests.integration.account import ACCOUNT, IMPORT_BUCKET, REGION, Account, unpacked
from tests.integration.contract import Contract


@contextmanager
def account_in_memory() -> Iterator[Account]:
    """Takes the place of everything that botocore does with a request."""
    contract = Contract(BaseClient._make_api_call)  # type: ignore[attr-defined]  # not in the stubs
    account = EngineAccount(contract)

    def make_api_call(client: Any, operation: str, params: Json) -> Json:
        model, context = client.meta.service_model.operation_model(operation), dict[str, Any]()
        asked = client._emit_api_params(api_params=params, operation_model=model, context=context)
        failure = None
        try:
            answer = account.answer(operation, asked)
        except ClientError as error:
            answer, failure = dict(error.response), error
        event = f"after-call.{model.service_model.service_id.hyphenize()}.{operation}"
        told = {"http_response": None, "parsed": answer, "model": model, "context": context}
        client.meta.events.emit(event, **told)
        if failure is not None:
            kind = client.exceptions.from_code(answer["Error"]["Code"])
            raise kind(answer, operation) from None
        return answer

    with closing(contract), patch.object(BaseClient, "_make_api_call", make_api_call):
        yield account


class EngineAccount(Account):
    """What handlers ask of its tables goes by the contract; what tests do with them does not."""

    def __init__(self, contract: Contract) -> None:
        super().__init__()
        self._contract = contract
        for name in template().of_type("AWS::SQS::Queue"):
            self._queue_urls[name] = URL + name
            self._attributes[name] = {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"}
        self._clock: Callable[[], int] = FakeClock()
        self._lock = RLock()
        self.empty()

    def empty(self) -> None:
        self._simulation = Simulation()
        self._tables = template().of_type("AWS::DynamoDB::Table")
        stored = self._stored()
        self._database = Database(stored, lambda: self._simulation.now, self._changed)
        transactions = Transactions(self._database, lambda: self._simulation.now)
        self._queues = Queues(self._simulation, Random(0))  # noqa: S311 -- of no use here
        for queue in self._queues:
            queue.is_fair = False  # the next in the order of arrival
        self._received: dict[str, tuple[QueuedMessage, int]] = {}
        self._bucket = Bucket()
        self._records: list[Json] = []
        self._of_tables: dict[str, Callable[..., Json]] = {
            "PutItem": self._database.put_item,
            "UpdateItem": self._database.update_item,
            "DeleteItem": self._database.delete_item,
            "GetItem": self._database.get_item,
            "BatchGetItem": self._database.batch_get_item,
            "Query": self._database.query,
            "TransactWriteItems": transactions.transact_write_items,
        }
        self._of_others: dict[str, Callable[..., Json]] = {
            "SendMessage": self._send_message,
            "SendMessageBatch": self._send_batch,
            "PutEvents": lambda Entries: Bus().put(Entries),  # noqa: N803 -- AWS has named it
            "GetObject": self._in_bucket(self._bucket.get),
            "HeadObject": self._in_bucket(self._bucket.head),
            "PutObject": self._in_bucket(self._bucket.put),
        }

    def _stored(self) -> Mapping[str, StoredTable]:
        self._step: Callable[[], AbstractContextManager[None]] = nullcontext
        if os.environ.get("ENGINE") != "file":
            return memory_tables(self._tables)
        file = DataFile(Path(tempfile.mkdtemp(prefix="data-")) / "data.sqlite")
        self._step = file.transaction
        return sqlite_tables(file, self._tables)

    @contextmanager
    def at(self, clock: Callable[[], int]) -> Iterator[None]:
        self._clock = clock
        yield

    def answer(self, operation: str, request: Json) -> Json:
        """One at a time, whatever threads ask."""
        with self._lock, self._step():
            self._let_time_pass()
            if operation in self._of_others:
                return self._of_others[operation](**request)
            if operation not in self._of_tables:
                raise UnsupportedError(operation)
            return self._contract.checked(
                self._database, operation, request, self._of_tables[operation]
            )

    # ── Items ─────────────────────────────────────────────────────────────────────────────────────

    def items(self, table: str) -> list[Json]:
        return [unpacked(from_item(item)) for item in self._database.tables[table].items.values()]

    def item(self, table: str, key: dict[str, str]) -> Json:
        return unpacked(from_item(self._database.tables[table].get(to_item(key)) or {}))

    def _by_hand(self) -> Any:
        return self._database

    # ── Messages ──────────────────────────────────────────────────────────────────────────────────

    def receive(self, queue: str) -> list[Json]:
        self._let_time_pass()
        return [self._handed_out(message) for message in self._queues[queue].receive()]

    def delete(self, queue: str, receipt_handle: str) -> None:
        self._queues[queue].delete(*self._received[receipt_handle])

    def send(self, queue: str, body: str) -> None:
        self._let_time_pass()
        self._queues[queue].send(body)

    def purge(self, *queues: str) -> None:
        for queue in queues:
            self._queues[queue].purge()

    def depth(self, queue: str) -> int:
        self._let_time_pass()
        return len(self._queues[queue])

    # ── Objects ───────────────────────────────────────────────────────────────────────────────────

    def upload(self, key: str, content: bytes) -> str:
        etag: str = self._bucket.put(Key=key, Body=content)["ETag"]
        return etag.strip('"')

    def delete_object(self, key: str) -> None:
        self._bucket.objects.pop(key, None)

    def object(self, key: str) -> bytes:
        return self._bucket.objects[key]

    def objects(self) -> list[str]:
        return sorted(self._bucket.objects)

    # ── The stream ────────────────────────────────────────────────────────────────────────────────

    def stream_from_here(self) -> str:
        return str(len(self._records))

    def read_stream(self, iterator: str) -> tuple[list[Json], str]:
        return self._records[int(iterator) :], str(len(self._records))

    # ── What the engine leaves to those who use it ────────────────────────────────────────────────

    def _let_time_pass(self) -> None:
        self._simulation.advance(max(0, self._clock() - NOW - self._simulation.now))

    def _changed(self, table: StoredTable, old: Item | None, new: Item | None) -> None:
        if "StreamSpecification" not in self._tables[table.name]:
            return
        number = f"{len(self._records) + 1:021d}"
        image = new or old or {}
        change = {
            "ApproximateCreationDateTime": datetime.fromtimestamp(self._clock() / 1000, UTC),
            "Keys": {name: image[name] for name in table.schema},
            "SequenceNumber": number,
            "StreamViewType": "NEW_IMAGE",
        } | ({} if new is None else {"NewImage": new})
        name = "REMOVE" if new is None else "INSERT" if old is None else "MODIFY"
        self._records.append({"eventID": number, "eventName": name, "dynamodb": change})

    def _send_batch(self, *, QueueUrl: str, Entries: list[Json]) -> Json:  # noqa: N803
        return self._queues.by_url(QueueUrl).send_batch(Entries, taken=Entries)

    def _send_message(self, *, QueueUrl: str, MessageBody: str) -> Json:  # noqa: N803
        self._queues.by_url(QueueUrl).send(MessageBody)
        return {}

    def _handed_out(self, message: QueuedMessage) -> Json:
        handle = f"{message.number}-{message.received_at}"
        self._received[handle] = (message, message.received_at)
        return {
            "MessageId": str(message.number),
            "ReceiptHandle": handle,
            "Body": message.body,
            "MD5OfBody": md5(message.body.encode(), usedforsecurity=False).hexdigest(),
            "Attributes": {"ApproximateReceiveCount": str(message.receives)},
            "MessageAttributes": message.attributes,
        }

    @staticmethod
    def _in_bucket(operation: Callable[..., Json]) -> Callable[..., Json]:
        def call(*, Bucket: str, **request: Any) -> Json:  # noqa: N803
            assert Bucket == IMPORT_BUCKET
            return operation(**request)

        return call
