"""Metrics that ride on log lines: CloudWatch reads the embedded metric format out of them.

Source: Amazon CloudWatch User Guide, "Specification: Embedded metric format". The line is written
anyway. Ids stay fields of it; only `service` and what is named here become dimensions, so that the
number of metrics is bounded.
"""

from collections.abc import Mapping
from functools import cache
from itertools import groupby
from typing import Any, NamedTuple

from shared import settings
from shared.clock import now_ms

COUNT, MS = "Count", "Milliseconds"


class Metric(NamedTuple):
    """`by` is the field of the line that is a dimension beside `service`."""

    name: str
    unit: str = COUNT
    by: str | None = None


ACCEPTED = Metric("accepted")
DUPLICATES = Metric("duplicates")
REFUSED = Metric("refused", by="reason")
FAULTS = Metric("faults")
REFUSED_LINES = Metric("refused_lines")
FANNED_OUT = Metric("fanned_out")
DELIVERED = Metric("delivered")
FAILED = Metric("failed", by="cause")
EXHAUSTED = Metric("exhausted")
DEFERRED = Metric("deferred", by="reason")
HELD = Metric("held", by="reason")
CANCELLED = Metric("cancelled", by="reason")
EXPIRED = Metric("expired")
RELEASED = Metric("released")
BEHIND = Metric("behind_ms", MS)
LATENESS = Metric("lateness_ms", MS)
TIME_TO_FIRST_ATTEMPT = Metric("time_to_first_attempt_ms", MS)
TRIPPED = Metric("tripped")
RECOVERED = Metric("recovered")
DISABLED = Metric("disabled")
METRICS = tuple(value for value in vars().values() if isinstance(value, Metric))


def measured(values: Mapping[Metric, int]) -> dict[str, Any]:
    """Fields for a log line, which must have every `by` as a field of its own."""
    if not values:
        return {}
    parts = groupby(sorted(values, key=_dimensions), key=_dimensions)
    about = [_directive(list(dimensions), list(metrics)) for dimensions, metrics in parts]
    embedded = {"Timestamp": now_ms(), "CloudWatchMetrics": about}
    return {metric.name: value for metric, value in values.items()} | {"_aws": embedded}


def _dimensions(metric: Metric) -> tuple[str, ...]:
    return ("service",) if metric.by is None else ("service", metric.by)


def _directive(dimensions: list[str], metrics: list[Metric]) -> dict[str, Any]:
    return {
        "Namespace": _namespace(),
        "Dimensions": [dimensions],
        "Metrics": [{"Name": metric.name, "Unit": metric.unit} for metric in metrics],
    }


@cache
def _namespace() -> str:
    return settings.load().metrics_namespace
