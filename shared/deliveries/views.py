"""Deliveries, and events with their deliveries, as the API shows them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shared.clock import Timestamp
from shared.deliveries.models import Attempt, AttemptOrigin, Delivery, DeliveryState, Reason
from shared.events.log import EventSummary
from shared.events.models import Event
from shared.events.store import NOTHING
from shared.model import Model
from shared.outbound.response import Cause, Timings

# Deliveries of an event: each has some twenty attempts of half a kilobyte at most.
MAX_WITH_ATTEMPTS = 100
MAX_SHOWN = 5_000


class RequestRead(Model):
    """URL and headers as the config has them now; signatures and credentials are masked."""

    url: str
    headers: dict[str, str]
    body: str


class DeliverySummary(Model):
    """`attempt` is the number of the latest attempt that was begun; `replay_id` is the id of the
    replay that made the delivery."""

    request_id: str
    event_id: str
    event_type: str
    config_id: str
    state: DeliveryState
    reason: Reason | None = None
    attempt: int
    status_code: int | None = None
    created_at: Timestamp
    next_attempt_at: Timestamp | None = None
    settled_at: Timestamp | None = None
    replay_id: str | None = None


class DeliveryPage(Model):
    data: tuple[DeliverySummary, ...]
    next_cursor: str | None


class AttemptRead(Model):
    number: int
    trigger: AttemptOrigin
    started_at: Timestamp
    succeeded: bool
    status_code: int | None
    cause: Cause | None
    detail: str | None
    address: str | None
    timings_ms: Timings
    response_excerpt: str | None
    next_wait_ms: int | None
    next_reason: Reason | None


class DeliveryRead(DeliverySummary):
    """`request` is shown if it is asked for and the body that was sent is still stored."""

    attempts: tuple[AttemptRead, ...]
    request: RequestRead | None = None


class DeliveryOfEvent(DeliverySummary):
    """The attempts come without response excerpts. If an event has very many deliveries, they come
    without their attempts: ask for the delivery."""

    attempts: tuple[AttemptRead, ...] | None


class EventRead(EventSummary):
    """`payload` is what happened, as it came in; without personal data from `erased_at` on, and
    empty once the contents have expired. If there are more than 5,000 `deliveries`, the first are
    shown: `GET /v1/deliveries?event_id=` has them all."""

    occurred_at: Timestamp
    erased_at: Timestamp | None
    webhook_config_ids: tuple[str, ...]
    payload: dict[str, Any]
    deliveries: tuple[DeliveryOfEvent, ...]
    has_more_deliveries: bool


def event_since(event: Event, since: int) -> Event:
    """The event, without its payload if it was accepted before `since`."""
    return event if event.accepted_at >= since else event.model_copy(update={"payload": NOTHING})


def deliveries_since(deliveries: Sequence[Delivery], since: int) -> list[Delivery]:
    """The deliveries, without response excerpts if their event was accepted before `since`."""
    return [
        delivery if delivery.created_at >= since else _without_excerpts(delivery)
        for delivery in deliveries
    ]


def full(delivery: Delivery, request: RequestRead | None = None) -> DeliveryRead:
    attempts = tuple(_attempt(attempt) for attempt in delivery.attempts)
    shown = _shown(delivery.model_dump(mode="json"))
    return DeliveryRead(**shown, attempts=attempts, request=request)


def summary(values: Mapping[str, Any]) -> DeliverySummary:
    """From the attributes that the indexes hold, or from the fields of a delivery."""
    return DeliverySummary(**_shown(values))


def event_with(event: Event, deliveries: Sequence[Delivery]) -> EventRead:
    """The event with its first `MAX_SHOWN` deliveries: a response of Lambda may have 6 MB, and
    replays add any number of deliveries."""
    with_attempts = len(deliveries) <= MAX_WITH_ATTEMPTS
    return EventRead(
        event_id=event.event_id,
        event_type=event.event_type,
        accepted_at=event.accepted_at,
        occurred_at=event.occurred_at,
        erased_at=event.erased_at,
        webhook_config_ids=event.config_ids,
        payload=json.loads(event.payload),
        deliveries=tuple(_of_event(delivery, with_attempts) for delivery in deliveries[:MAX_SHOWN]),
        has_more_deliveries=len(deliveries) > MAX_SHOWN,
    )


def _of_event(delivery: Delivery, with_attempts: bool) -> DeliveryOfEvent:
    attempts = _without_excerpts(delivery).attempts if with_attempts else None
    return DeliveryOfEvent(
        **_shown(delivery.model_dump(mode="json", exclude={"attempts"})),
        attempts=None if attempts is None else tuple(map(_attempt, attempts)),
    )


def _without_excerpts(delivery: Delivery) -> Delivery:
    attempts = tuple(attempt.model_copy(update={"excerpt": ""}) for attempt in delivery.attempts)
    return delivery.model_copy(update={"attempts": attempts})


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in DeliverySummary.model_fields if name in values}


def _attempt(attempt: Attempt) -> AttemptRead:
    return AttemptRead(
        number=attempt.number,
        trigger=attempt.trigger,
        started_at=attempt.started_at,
        succeeded=attempt.succeeded,
        status_code=attempt.status_code,
        cause=attempt.cause,
        detail=attempt.detail or None,
        address=attempt.address,
        timings_ms=attempt.timings,
        response_excerpt=attempt.excerpt or None,
        next_wait_ms=attempt.next_wait_ms,
        next_reason=attempt.next_reason,
    )
