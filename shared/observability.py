"""The one logger, the metrics on its lines, and the lines about what comes in.

Ids, sizes and outcomes are logged; bodies, secrets and signatures never are. CloudWatch reads the
metrics from the lines, in the embedded metric format. Ids are fields of a line and no dimensions,
so the number of metrics is bounded (docs/decisions/0022-metrics-on-log-lines.md). Source: Amazon
CloudWatch User Guide, "Specification: Embedded metric format".
"""

import traceback
from collections.abc import Mapping
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from aws_lambda_powertools import Logger
from botocore.exceptions import ClientError

from shared import settings
from shared.clock import now_ms
from shared.errors import FunnelhooksError

logger = Logger()

COUNT, MS = "Count", "Milliseconds"


class Metric(NamedTuple):
    """`by` is the field of the log line that is a dimension, beside `service`."""

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


def fault(error: BaseException) -> dict[str, Any]:
    """The fields of a log line about an unexpected error: its class, and where it was raised.

    Its text is logged only if it is from AWS, since any other text may quote a payload.
    """
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "detail": str(error) if isinstance(error, ClientError) else None,
        "at": [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames[-6:]],
    }


def event_accepted(
    workspace_id: str, event_id: str, is_new: bool, origin: str | None = None
) -> None:
    """`origin` is the message or the invocation that brought the event; None over HTTPS."""
    values = measured({ACCEPTED if is_new else DUPLICATES: 1})
    message = "event.accepted" if is_new else "event.repeated"
    ids = {"workspace_id": workspace_id, "event_id": event_id, "origin": origin}
    logger.info(message, extra=ids, **values)


def event_failed(workspace_id: str, error: Exception) -> None:
    """A fault of ours at one event of a batch, whose other events are answered all the same."""
    logger.error("event.failed", workspace_id=workspace_id, **fault(error), **measured({FAULTS: 1}))


def request_failed(error: Exception) -> None:
    """A request that is answered 500, which is a success to Lambda."""
    logger.error("request.failed", **fault(error), **measured({FAULTS: 1}))


def request_refused(error: FunnelhooksError) -> None:
    """Only the code is logged: the message and the paths may quote the request."""
    logger.info("refused", reason=error.code, **measured({REFUSED: 1}))


def measured(values: Mapping[Metric, int]) -> dict[str, Any]:
    """The fields of a log line that carry metrics. The line must have a field for each `by`."""
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
