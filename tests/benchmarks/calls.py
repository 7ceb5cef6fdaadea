"""AWS calls for each delivered event, stage by stage, as botocore counts them."""

from collections import Counter

from tests.benchmarks import journey
from tests.benchmarks.figures import Figure, Table

EVENTS = 20
WRITES = ("PutItem", "UpdateItem", "TransactWriteItems", "DeleteItem")
READS = ("GetItem", "BatchGetItem", "Query")
SENDS = ("SendMessageBatch", "SendMessage")


def table() -> Table:
    figures = tuple(figure for configs in (1, 10) for figure in _figures(configs))
    return Table(
        title="AWS calls",
        about=f"Calls of the functions for {EVENTS} events of 1 KB, in full batches; all "
        "deliveries succeed at once. Calls to accept are counted for each event, all other calls "
        "for each delivery. An activity marker says that a workspace stored events in this minute: "
        "one is written before the first event, and serves all events of the minute.",
        figures=figures,
    )


def _figures(configs: int) -> list[Figure]:
    stages = journey.stages(1024, EVENTS, configs)
    deliveries = EVENTS * configs
    accept, fanout = stages["accept"].calls, stages["fanout"].calls
    notes = stages["accept"].notes
    attempts = stages["first attempts"].calls
    where = f"{configs} config{'s' if configs > 1 else ''}"
    return [
        _figure(f"{where}: writes to accept", (count(accept, WRITES) - notes) / EVENTS, 1),
        _figure(f"{where}: activity markers", notes / EVENTS, 1 / EVENTS),
        _figure(f"{where}: reads to accept", count(accept, READS) / EVENTS, 0),
        _figure(f"{where}: reads of fanout", count(fanout, READS) / deliveries, 0.1),
        _figure(f"{where}: sends of fanout", count(fanout, SENDS) / deliveries, 0.1),
        _figure(f"{where}: writes of an attempt", count(attempts, WRITES) / deliveries, 2),
        _figure(f"{where}: reads of an attempt", count(attempts, READS) / deliveries, 0.1),
    ]


def count(calls: Counter[str], names: tuple[str, ...]) -> int:
    return sum(calls[name] for name in names)


def _figure(what: str, value: float, at_most: float) -> Figure:
    return Figure(what=what, value=value, unit="calls", at_most=at_most)
