"""USD per million delivered events: from what a journey used, by the price table.

Beside what is counted on moto there is what AWS does itself: it receives and deletes messages, a
batch at a time, and invokes the functions.
"""

from collections.abc import Mapping

from shared.model import Model
from tests.benchmarks.meter import Used
from tests.benchmarks.prices import Assumed, prices

Stages = Mapping[str, Used]

_DELIVERING = {
    "api_request": "requests to the API",
    "lambda_request": "invocations",
    "lambda_gb_s": "GB-seconds",
    "write_unit": "write units",
    "read_unit": "read units",
    "sqs_request": "SQS requests",
}
_BESIDE = {
    "log_mb": "MB of logs (watching)",
    "trace": "traces (watching)",
    "stored_mb_month": "MB-months (keeping)",
}


class Component(Model):
    """`amount` is for each delivered event, `usd` for a million of them."""

    price: str
    what: str
    amount: float
    usd: float


class Bill(Model):
    components: tuple[Component, ...]

    @property
    def delivering(self) -> float:
        return sum(one.usd for one in self.components if one.price in _DELIVERING)


def bill(stages: Stages, deliveries: int, events: int, attempts: int) -> Bill:
    """`attempts` were made in all for `deliveries` of `events`."""
    amounts = Counts(stages, events, attempts, prices().assumed).amounts()
    return Bill(
        components=tuple(
            _component(name, what, amounts[name] / deliveries)
            for name, what in (_DELIVERING | _BESIDE).items()
        )
    )


def _component(name: str, what: str, amount: float) -> Component:
    return Component(price=name, what=what, amount=amount, usd=prices().usd(name, amount))


class Counts:
    """What is counted, and what follows from it by what is assumed."""

    def __init__(self, stages: Stages, events: int, attempts: int, assumed: Assumed) -> None:
        self._stages = stages
        self._events = events
        self._attempts = attempts
        self._assumed = assumed

    def amounts(self) -> dict[str, float]:
        """How much of each thing that has a price."""
        every = self._stages.values()
        return {
            "api_request": self._events,
            "lambda_request": self.invocations,
            "lambda_gb_s": self.gb_s,
            "write_unit": sum(used.write_units for used in every),
            "read_unit": sum(used.read_units for used in every),
            "sqs_request": self.sqs_requests,
            "log_mb": self.log_bytes / 1e6,
            "trace": self.invocations * self._assumed.sampled,
            "stored_mb_month": sum(used.stored_bytes for used in every) / 1e6,
        }

    @property
    def invocations(self) -> int:
        return self._events + self._fanouts + self._deliveries

    @property
    def sqs_requests(self) -> int:
        """A batch is sent, received and deleted; a message that waits is sent by itself."""
        sent = sum(used.calls["SendMessageBatch"] for used in self._stages.values())
        return sent + 2 * self._deliveries

    @property
    def log_bytes(self) -> int:
        written = sum(used.log_bytes for used in self._stages.values())
        platform = self.invocations * self._assumed.platform_log_bytes
        return written + platform + self._events * self._assumed.access_log_bytes

    @property
    def gb_s(self) -> float:
        """Memory by time: the CPU on a function's share of a processor, and what it waits for."""
        share = self._assumed.memory_mb / self._assumed.full_cpu_mb
        return (self._cpu_ms / share + self._waits_ms) / 1000 * self._assumed.memory_mb / 1024

    @property
    def _cpu_ms(self) -> float:
        cpu = self._assumed.cpu_ms
        accepting = self._events * (cpu["ingest"] + cpu["fanout"])
        return accepting + self._attempts * cpu["attempt"]

    @property
    def _waits_ms(self) -> float:
        """Attempts of a batch wait side by side: read, claim, exchange, settle, schedule."""
        dynamodb, sqs = self._assumed.dynamodb_ms, self._assumed.sqs_ms
        attempt = 3 * dynamodb + self._assumed.endpoint_ms + sqs
        fanouts = self._fanouts * (dynamodb + sqs)
        return self._events * dynamodb + fanouts + self._deliveries * attempt

    @property
    def _fanouts(self) -> int:
        return self._stages["fanout"].batches

    @property
    def _deliveries(self) -> int:
        """Batches of messages that were handed to dispatch and retry."""
        return sum(used.batches for used in self._stages.values()) - self._fanouts
