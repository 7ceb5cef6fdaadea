"""Deliveries as the API shows them. Times are RFC 3339 UTC with milliseconds."""

from collections.abc import Mapping
from typing import Any

from shared.clock import rfc3339
from shared.delivery.models import Attempt, Delivery, Origin, Reason, State
from shared.delivery.sender import Cause, Timings
from shared.model import Model


class DeliverySummary(Model):
    """`attempt` is the number of the latest attempt that was begun."""

    request_id: str
    event_id: str
    event_type: str
    config_id: str
    state: State
    reason: Reason | None
    attempt: int
    status_code: int | None
    created_at: str
    next_attempt_at: str | None
    settled_at: str | None


class DeliveryPage(Model):
    data: tuple[DeliverySummary, ...]
    next_cursor: str | None


class AttemptRead(Model):
    number: int
    trigger: Origin
    started_at: str
    succeeded: bool
    status_code: int | None
    cause: Cause | None
    detail: str | None
    address: str | None
    timings_ms: Timings
    response_excerpt: str | None
    next_wait_ms: int | None


class DeliveryRead(DeliverySummary):
    attempts: tuple[AttemptRead, ...]


def full(delivery: Delivery) -> DeliveryRead:
    attempts = tuple(_attempt(attempt) for attempt in delivery.attempts)
    return DeliveryRead(**_summary(delivery.model_dump(mode="json")), attempts=attempts)


def summary(values: Mapping[str, Any]) -> DeliverySummary:
    """From the attributes that the indexes hold."""
    return DeliverySummary(**_summary(values))


def _summary(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "request_id": values["request_id"],
        "event_id": values["event_id"],
        "event_type": values["event_type"],
        "config_id": values["config_id"],
        "state": values["state"],
        "reason": values.get("reason"),
        "attempt": values["attempt"],
        "status_code": values.get("status_code"),
        "created_at": rfc3339(values["created_at"]),
        "next_attempt_at": _moment(values.get("next_attempt_at")),
        "settled_at": _moment(values.get("settled_at")),
    }


def _attempt(attempt: Attempt) -> AttemptRead:
    return AttemptRead(
        number=attempt.number,
        trigger=attempt.trigger,
        started_at=rfc3339(attempt.started_at),
        succeeded=attempt.succeeded,
        status_code=attempt.status_code,
        cause=attempt.cause,
        detail=attempt.detail or None,
        address=attempt.address,
        timings_ms=attempt.timings,
        response_excerpt=attempt.excerpt or None,
        next_wait_ms=attempt.next_wait_ms,
    )


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)
