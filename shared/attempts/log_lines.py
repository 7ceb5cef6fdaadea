"""What the log says of a delivery: one wide line, with its metrics, when something becomes of it.

Ids and outcomes; never what was sent or answered.
"""

from typing import Any

from shared import metrics
from shared.configs.models import WebhookConfig
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage
from shared.endpoints.admission import Deferred, Rejected
from shared.metrics import Metric, measured
from shared.observability import fault, logger

# What somebody asked for by hand was promised for no moment.
_PROMISED = frozenset({AttemptOrigin.SCHEDULE, AttemptOrigin.PROBE})
_ASIDE = {
    DeliveryState.HELD: metrics.HELD,
    DeliveryState.CANCELLED: metrics.CANCELLED,
    DeliveryState.FAILED: metrics.EXPIRED,
}


def settled(delivery: Delivery, config: WebhookConfig, attempt: Attempt, is_ours: bool) -> None:
    """The line of an attempt. One that lost its lease is counted by whoever took it over."""
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


def put_off(pointer: AttemptMessage, later: Deferred) -> None:
    values = measured({metrics.DEFERRED: 1})
    logger.info("attempt.put_off", **_ids(pointer), **later.model_dump(), **values)


def set_aside(pointer: AttemptMessage, aside: Rejected) -> None:
    values = measured({_ASIDE[aside.state]: 1})
    logger.info("delivery.set_aside", **_ids(pointer), **aside.model_dump(), **values)


def broke(pointer: AttemptMessage, error: Exception) -> None:
    logger.error("attempt.broke", **_ids(pointer), **fault(error))


def hang_not_recorded(pointer: AttemptMessage, error: Exception) -> None:
    """The attempt goes on; only other workers are not told."""
    logger.warning("hang.not_recorded", **_ids(pointer), **fault(error))


def values_of(delivery: Delivery, attempt: Attempt) -> dict[Metric, int]:
    """What an attempt counts for. `delivery` is as it was when the attempt was claimed."""
    values = {metrics.DELIVERED if attempt.succeeded else metrics.FAILED: 1}
    if not attempt.succeeded and attempt.next_wait_ms is None:
        values[metrics.EXHAUSTED] = 1
    if attempt.trigger not in _PROMISED or _begins_a_replay(delivery, attempt):
        return values
    promised_at = delivery.next_attempt_at or delivery.created_at
    values[metrics.LATENESS] = max(0, attempt.started_at - promised_at)
    if attempt.number == 1:
        waited_ms = max(0, attempt.started_at - delivery.created_at)
        values[metrics.TIME_TO_FIRST_ATTEMPT] = waited_ms
    return values


def _begins_a_replay(delivery: Delivery, attempt: Attempt) -> bool:
    return delivery.replay_id is not None and attempt.number == 1


def _ids(pointer: AttemptMessage) -> dict[str, Any]:
    return pointer.model_dump(mode="json", exclude={"in_turn"})
