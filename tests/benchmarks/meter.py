"""What the handlers ask of AWS, in the units of the bill: read off their calls to moto."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import boto3

from shared.aws import clients
from shared.standalone.engine.sizes import size
from shared.standalone.engine.template import Json, template
from shared.tables import event_table
from tests.benchmarks.units import READ_UNIT, Index, read_units, write_units

_SINGLE_WRITES = {"PutItem", "UpdateItem", "DeleteItem"}
_KEYS = ("pk", "sk")


@dataclass
class Used:
    """`writes` and `reads` are DynamoDB's request units, by table or `table/index`.

    `batches` of messages or stream records were handed to functions, which wrote `log_bytes`;
    `notes` are those of the calls that note an active workspace. `stored_bytes` is what tables and
    indexes hold afterwards and did not before.
    """

    batches: int = 0
    log_bytes: int = 0
    stored_bytes: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    notes: int = 0
    writes: Counter[str] = field(default_factory=Counter)
    reads: dict[str, float] = field(default_factory=dict)

    def read(self, place: str, units: float) -> None:
        self.reads[place] = self.reads.get(place, 0) + units

    @property
    def write_units(self) -> int:
        return self.writes.total()

    @property
    def read_units(self) -> float:
        return sum(self.reads.values())


class Meter:
    """Counts while it is attached. `used` is what was used since `take` was called last."""

    def __init__(self) -> None:
        self.used = Used()
        self._client = boto3.client("dynamodb")
        self._indexes = {
            name: [Index(index, _KEYS) for index in table.get("GlobalSecondaryIndexes", ())]
            for name, table in template().of_type("AWS::DynamoDB::Table").items()
        }

    def take(self) -> Used:
        used, self.used = self.used, Used()
        return used

    @contextmanager
    def attached(self) -> Iterator["Meter"]:
        events = [client.meta.events for client in (clients.dynamodb(), clients.sqs())]
        for one in events:
            one.register("provide-client-params", self._before)
            one.register("after-call", self._after)
        try:
            yield self
        finally:
            for one in events:
                one.unregister("provide-client-params", self._before)
                one.unregister("after-call", self._after)

    def _before(self, params: Json, model: Any, context: Json, **_: Any) -> None:
        self.used.calls[model.name] += 1
        self.used.notes += (
            params.get("Item", {}).get("pk", {}).get("S") in event_table.ACTIVE_SHARDS
        )
        context["written"] = [
            (table, key, self._read(table, key)) for table, key in _targets(model.name, params)
        ]
        context["params"] = params

    def _after(self, model: Any, context: Json, parsed: Json, **_: Any) -> None:
        factor = 2 if model.name == "TransactWriteItems" else 1
        for table, key, before in context.get("written", ()):
            self._count_write(table, before, self._read(table, key), factor)
        if model.name in _READS:
            _READS[model.name](self.used, context["params"], parsed)

    def _count_write(self, table: str, before: Json | None, after: Json | None, by: int) -> None:
        self.used.writes[table] += by * write_units(before, after)
        self.used.stored_bytes += _stored(after) - _stored(before)
        for index in self._indexes[table]:
            if units := index.write_units(before, after):
                self.used.writes[f"{table}/{index.name}"] += by * units
            old, new = index.entry(before), index.entry(after)
            self.used.stored_bytes += _stored(new) - _stored(old)

    def _read(self, table: str, key: Json) -> Json | None:
        item: Json | None = self._client.get_item(TableName=table, Key=key).get("Item")
        return item


def _stored(item: Any) -> int:
    """DynamoDB keeps 100 bytes of its own with every item and index entry."""
    return 0 if item is None else size(item) + 100


def _targets(operation: str, params: Json) -> Iterator[tuple[str, Json]]:
    if operation in _SINGLE_WRITES:
        yield params["TableName"], _key(params.get("Key") or params["Item"])
    for entry in params.get("TransactItems", ()):
        (write,) = entry.values()
        yield write["TableName"], _key(write.get("Key") or write["Item"])


def _key(item: Json) -> Json:
    return {name: item[name] for name in _KEYS}


def _count_get(used: Used, params: Json, parsed: Json) -> None:
    units = read_units([size(parsed.get("Item", {}))], params.get("ConsistentRead", False))
    used.read(params["TableName"], units)


def _count_batch(used: Used, params: Json, parsed: Json) -> None:
    """Each item by itself; one that is not there costs as much as a small one."""
    for table, wanted in params["RequestItems"].items():
        found, consistent = parsed["Responses"].get(table, []), wanted.get("ConsistentRead", False)
        missing = len(wanted["Keys"]) - len(found)
        for item_size in (*map(size, found), *[READ_UNIT] * missing):
            used.read(table, read_units([item_size], consistent))


def _count_query(used: Used, params: Json, parsed: Json) -> None:
    place = params["TableName"] + (f"/{params['IndexName']}" if "IndexName" in params else "")
    units = read_units(map(size, parsed["Items"]), params.get("ConsistentRead", False))
    used.read(place, units)


_READS: Mapping[str, Any] = {
    "GetItem": _count_get,
    "BatchGetItem": _count_batch,
    "Query": _count_query,
}
