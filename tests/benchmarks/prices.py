"""The price table, with its date and its sources."""

from functools import cache
from pathlib import Path

from shared.model import Model

PATH = Path(__file__).with_name("prices.json")


class Price(Model):
    per_million: float
    what: str
    source: str


class Assumed(Model):
    """What the bill needs and no count says."""

    memory_mb: int
    full_cpu_mb: int
    dynamodb_ms: float
    sqs_ms: float
    endpoint_ms: float
    platform_log_bytes: int
    access_log_bytes: int
    sampled: float
    cpu_ms: dict[str, float]
    why: str


class Peer(Model):
    """`usd` per million deliveries, where the list says it."""

    name: str
    usd: float | None
    what: str
    source: str


class Prices(Model):
    region: str
    currency: str
    read_on: str
    prices: dict[str, Price]
    assumed: Assumed
    peers: tuple[Peer, ...]

    def usd(self, name: str, amount: float) -> float:
        """What so many of these cost for each of a million deliveries."""
        return amount * self.prices[name].per_million


@cache
def prices() -> Prices:
    return Prices.model_validate_json(PATH.read_text(encoding="utf-8"))
