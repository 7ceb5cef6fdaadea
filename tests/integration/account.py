"""The template's tables, queues, bus and bucket, whoever stands in for AWS."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from shared.aws.items import to_item, unpack
from shared.standalone.engine.template import Json, resolved, template

ACCOUNT = "123456789012"
REGION = "us-east-1"
IMPORT_BUCKET = "import-bucket"  # moto takes no name like ImportBucket
PARAMETERS = {"AllowPrivateTargets": "true"}


class Account(ABC):
    """What a test makes of an account beside what the handlers do with it."""

    def __init__(self) -> None:
        self._queue_urls: dict[str, str] = {}
        self._attributes: dict[str, Json] = {}

    @abstractmethod
    def at(self, clock: Callable[[], int]) -> AbstractContextManager[Any]:
        """The queues go by this clock, which shows milliseconds."""

    @abstractmethod
    def empty(self) -> None: ...

    def variables(self, function: Json) -> dict[str, str]:
        """The environment of a function, as the template fills it in."""
        wanted = function["Environment"]["Variables"]
        filled: dict[str, str] = resolved(wanted, self._ref, self._attributes)
        return filled

    # ── Items ─────────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def items(self, table: str) -> list[Json]: ...

    @abstractmethod
    def item(self, table: str, key: dict[str, str]) -> Json: ...

    def set_attribute(self, table: str, key: dict[str, str], name: str, value: Any) -> None:
        """As somebody does it by hand."""
        self._by_hand().update_item(
            TableName=self._ref(table),
            Key=to_item(key),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues=to_item({":value": value}),
        )

    def delete_item(self, table: str, key: dict[str, str]) -> None:
        self._by_hand().delete_item(TableName=table, Key=to_item(key))

    @abstractmethod
    def _by_hand(self) -> Any:
        """A client of DynamoDB whose calls no test counts."""

    # ── Messages ──────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def receive(self, queue: str) -> list[Json]:
        """Up to ten messages, with their attributes."""

    @abstractmethod
    def delete(self, queue: str, receipt_handle: str) -> None: ...

    @abstractmethod
    def send(self, queue: str, body: str) -> None: ...

    @abstractmethod
    def purge(self, *queues: str) -> None: ...

    @abstractmethod
    def depth(self, queue: str) -> int:
        """Messages that are there: visible, delayed or in flight."""

    def letters(self, queue: str) -> list[Json]:
        """What lies there; it is taken out."""
        found: list[Json] = []
        while received := self.receive(queue):
            found += received
        return found

    # ── Objects ───────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def upload(self, key: str, content: bytes) -> str:
        """The etag of the object."""

    @abstractmethod
    def delete_object(self, key: str) -> None: ...

    @abstractmethod
    def object(self, key: str) -> bytes: ...

    @abstractmethod
    def objects(self) -> list[str]: ...

    # ── The stream ────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def stream_from_here(self) -> str:
        """An iterator over what is written from now on."""

    @abstractmethod
    def read_stream(self, iterator: str) -> tuple[list[Json], str]:
        """The records, and the iterator over what comes after them."""

    def _ref(self, name: str) -> str:
        if name in template().parameters:
            return str(PARAMETERS.get(name, template().parameters[name]["Default"]))
        return self._queue_urls.get(name, name)


def unpacked(item: Json) -> Json:
    """As it was before it was packed for the table."""
    packed = {name: unpack(item[name]) for name in ("payload", "body") if name in item}
    return item | packed
