"""The log lines of deliveries: one wide line with its metrics for each attempt and each verdict.

They hold ids and outcomes, and nothing of requests and responses.
"""

from typing import Any

from shared.configs.models import WebhookConfig
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage
from shared.endpoints.admission import Deferred, Rejected
from shared.observability import (
    CANCELLED,
    DEFERRED,
    DELIVERED,
    EXHAUSTED,
    EXPIRED,
    FAILED,
    HELD,
    LATENESS,
    TIME_TO_FIRST_ATTEMPT,
    Metric,
    fault,
    logger,
    measured,
)

# A resend or a replay was promised for no moment.
_PROMISED = frozenset({AttemptOrigin.SCHEDULE, AttemptOrigin.PROBE})
_REJECTED = {
    DeliveryState.HELD: HELD,
    DeliveryState.CANCELLED: CANCELLED,
    DeliveryState.FAILED: EXPIRED,
}


def settled(delivery: Delivery, config: WebhookConfig, attempt: Attempt, is_ours: bool) -> None:
    """The line of an attempt. If it lost its lease, the worker that took it over counts it."""
    logger.info(
        "attempt.settled" if is_ours else "attempt.lost_its_lease",
        workspace_id=delivery.workspace_id,
        config_id=delivery.config_id,
        dialect=config.dialect,
        event_id=delivery.event_id,
        event_type=delivery.event_type,
        request_id=str(delivery.request_id),
        replay_id=delivery.replay_id,
        attempt=attempt.number,
        trigger=attempt.trigger,
        succeeded=attempt.succeeded,
        status_code=attempt.status_code,
        cause=attempt.cause,
        total_ms=attempt.timings.total,
        timings_ms=attempt.timings.model_dump(exclude={"total"}, exclude_none=True),
        next_wait_ms=attempt.next_wait_ms,
        next_reason=attempt.next_reason,
        **measured(values_of(delivery, attempt) if is_ours else {}),
    )


def deferred(message: AttemptMessage, verdict: Deferred) -> None:
    values = measured({DEFERRED: 1})
    logger.info("attempt.put_off", **_ids(message), **verdict.model_dump(), **values)


def rejected(message: AttemptMessage, verdict: Rejected) -> None:
    values = measured({_REJECTED[verdict.state]: 1})
    logger.info("delivery.set_aside", **_ids(message), **verdict.model_dump(), **values)


def broke(message: AttemptMessage, error: Exception) -> None:
    logger.error("attempt.broke", **_ids(message), **fault(error))


def slow_not_recorded(message: AttemptMessage, error: Exception) -> None:
    """The attempt goes on; only other workers do not hear of the slow endpoint."""
    logger.warning("hang.not_recorded", **_ids(message), **fault(error))


def values_of(delivery: Delivery, attempt: Attempt) -> dict[Metric, int]:
    """The metrics of an attempt. `delivery` is as it was when the attempt was claimed."""
    values = {DELIVERED if attempt.succeeded else FAILED: 1}
    if not attempt.succeeded and attempt.next_wait_ms is None:
        values[EXHAUSTED] = 1
    if attempt.trigger not in _PROMISED or _begins_a_replay(delivery, attempt):
        return values
    promised_at = delivery.next_attempt_at or delivery.created_at
    values[LATENESS] = max(0, attempt.started_at - promised_at)
    if attempt.number == 1:
        waited_ms = max(0, attempt.started_at - delivery.created_at)
        values[TIME_TO_FIRST_ATTEMPT] = waited_ms
    return values


def _begins_a_replay(delivery: Delivery, attempt: Attempt) -> bool:
    return delivery.replay_id is not None and attempt.number == 1


def _ids(message: AttemptMessage) -> dict[str, Any]:
    return message.model_dump(mode="json", exclude={"in_turn"})
