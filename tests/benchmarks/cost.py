"""USD per million delivered events, component by component, next to what others ask."""

from collections.abc import Iterator

from tests.benchmarks import journey
from tests.benchmarks.bill import Bill, bill
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.prices import prices

AT_MOST_USD = 6.00
# Enough that what the sweep does once a minute for all events weighs little on each.
EVENTS = 100
KB = 1024
# Bytes, failures, and whether the event says whose it is: then it has one more index entry.
CASES = {
    "1 KB, success, without a visitor": (KB, 0, False),
    "1 KB, success, with a visitor": (KB, 0, True),
    "10 KB, success, with a visitor": (10 * KB, 0, True),
    "1 KB, fails 3 times": (KB, 3, True),
    "10 KB, fails 3 times": (10 * KB, 3, True),
}


def table() -> Table:
    bills = {case: of(*one) for case, one in CASES.items()}
    return Table(
        title="USD per million delivered events",
        about=f"List prices of {prices().region}, read on {prices().read_on} "
        "(`tests/benchmarks/prices.json` names the source of each), without the free tier. One "
        "config for each event, full batches. Units are counted on moto by DynamoDB's own rules. "
        f"Assumptions about time: {prices().assumed.why} *Delivering* is the API, the functions, "
        "the tables and the queues; *watching* is the logs and traces; *keeping* is the storage of "
        "the records for a month.",
        figures=tuple(figure for case, one in bills.items() for figure in _figures(case, one)),
        after=_peers(),
    )


def of(size: int, failures: int, visitor: bool, events: int = EVENTS) -> Bill:
    stages = journey.stages(size, events, failures=failures, visitor=visitor)
    return bill(stages, deliveries=events, events=events, attempts=events * (failures + 1))


def _figures(case: str, one: Bill) -> Iterator[Figure]:
    at_most = AT_MOST_USD if case.startswith("1 KB, success") else None
    yield Figure(what=f"**{case}: delivering**", value=one.delivering, unit="USD", at_most=at_most)
    for component in one.components:
        note = f"{component.amount:.3g} {component.what} each"
        yield Figure(what=f"{case}: {component.what}", value=component.usd, unit="USD", note=note)


def _peers() -> str:
    lines = [
        f"| {peer.name} | {'–' if peer.usd is None else f'{peer.usd:.2f}'} | {peer.what} | "
        f"<{peer.source}> |"
        for peer in prices().peers
    ]
    head = [
        "List prices of other services:",
        "",
        "| | USD per million | | source |",
        "|---|---|---|---|",
    ]
    return "\n".join([*head, *lines])
