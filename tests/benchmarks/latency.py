"""From the request that brings an event to the webhook that tells of it, on the local stack."""

from collections.abc import Iterator
from statistics import quantiles

from tests.benchmarks import load
from tests.benchmarks.figures import Figure, Table
from tests.benchmarks.load import Ledger
from tests.stack.client import Client

RATES = (10, 50)
DURATION_S = 30
PATIENCE_S = 120


def table() -> Table:
    with load.stack() as stack:
        ledgers = {rate: _measured(load.client(stack), rate) for rate in (1, *RATES)}
    figures = [figure for rate in RATES for figure in _figures(rate, ledgers[rate])]
    return Table(
        title="Latency",
        about=f"The deployed stack on this machine, events of 1 KB for {DURATION_S} s, one "
        "receiver that answers at once. The emulator and all workers share the cores of this "
        "machine, so the figures show which step takes the time, and not how long it takes on AWS.",
        figures=tuple(figures),
    )


def _measured(client: Client, rate: float) -> Ledger:
    ledger = Ledger()
    with load.receiver(ledger) as receiver:
        config = client.make_config(receiver.url("/fine"))
        load.send(client, ledger, rate, DURATION_S, [config.id])
        load.wait(ledger, PATIENCE_S)
    return ledger


def _figures(rate: int, ledger: Ledger) -> Iterator[Figure]:
    known = [hit_id for hit_id in ledger.accepted if hit_id in ledger.taken]
    stages = {
        "request to 202": [ledger.accepted[one] - ledger.sent[one] for one in known],
        "202 to claim (stream, fanout, queue)": [
            ledger.taken[one].claimed - ledger.accepted[one] for one in known
        ],
        "claim to arrival": [ledger.taken[one].came - ledger.taken[one].claimed for one in known],
        "**request to arrival**": [ledger.taken[one].came - ledger.sent[one] for one in known],
    }
    for stage, seconds in stages.items():
        cuts = quantiles([one * 1000 for one in seconds], n=100)
        note = f"p95 {cuts[94]:.0f}, p99 {cuts[98]:.0f}"
        yield Figure(what=f"{rate} events/s: {stage}", value=cuts[49], unit="ms p50", note=note)
    note = f"{len(ledger.accepted)} accepted, {ledger.refused} refused"
    yield Figure(what=f"{rate} events/s: lost", value=ledger.lost(), unit="", at_most=0, note=note)
