"""ClickFunnels' outgoing events, with which a client reads and replays what it has missed.

Sources: ClickFunnels' OpenAPI document, "Webhooks::Outgoing::Events". It does not show attempts;
their fields are named as in Bullet Train.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared import ids
from shared.apis.clickfunnels.numbers import event_number, workspace_number
from shared.clock import Timestamp
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.dialects import clickfunnels_ids
from shared.dialects.dialect import Identifier, data_of, funnel_of, page_of, subject_of
from shared.events.models import Event
from shared.model import Model


class Place(Model):
    """The page or the funnel where it happened."""

    id: Identifier
    public_id: str | None
    name: str | None


class OutgoingEvent(Model):
    id: int
    public_id: str
    workspace_id: int
    uuid: UUID
    event_type_id: str
    subject_id: Identifier
    subject_type: str
    data: dict[str, Any]
    api_version: int
    created_at: Timestamp
    page: Place | None
    funnel: Place | None


class OutgoingAttempt(Model):
    attempt_number: int
    response_code: int | None
    response_body: str | None
    error_message: str | None
    created_at: Timestamp


class OutgoingDelivery(Model):
    """`endpoint_id` is the number of a ClickFunnels endpoint, or the id of another config."""

    id: UUID
    event_id: int
    endpoint_id: int | str
    state: DeliveryState
    delivered_at: Timestamp | None
    next_attempt_at: Timestamp | None
    delivery_attempts: tuple[OutgoingAttempt, ...]
    created_at: Timestamp


def shown(event: Event) -> OutgoingEvent:
    payload = json.loads(event.payload)
    number, subject = event_number(event.accepted_at, event.key), subject_of(payload)
    return OutgoingEvent(
        id=number,
        public_id=clickfunnels_ids.public_id(number),
        workspace_id=workspace_number(event.workspace_id),
        uuid=ids.event_uuid(event.event_id, event.key),
        event_type_id=event.event_type,
        subject_id=subject.id,
        subject_type=subject.kind,
        data=data_of(payload),
        api_version=2,
        created_at=event.occurred_at,
        page=_place(page_of(payload), None),
        funnel=_place(funnel_of(payload), payload.get("funnel", {}).get("funnel_name")),
    )


def deliveries_of(event: Event, found: Sequence[Delivery]) -> list[OutgoingDelivery]:
    number = event_number(event.accepted_at, event.key)
    return [_delivery(number, delivery) for delivery in found]


def _delivery(event: int, delivery: Delivery) -> OutgoingDelivery:
    delivered = delivery.state is DeliveryState.DELIVERED
    return OutgoingDelivery(
        id=delivery.request_id,
        event_id=event,
        endpoint_id=clickfunnels_ids.as_number(delivery.config_id),
        state=delivery.state,
        delivered_at=delivery.settled_at if delivered else None,
        next_attempt_at=delivery.next_attempt_at,
        delivery_attempts=tuple(map(_attempt, delivery.attempts)),
        created_at=delivery.created_at,
    )


def _attempt(attempt: Attempt) -> OutgoingAttempt:
    message = (
        None if attempt.cause is None else f"{attempt.cause}: {attempt.detail}".removesuffix(": ")
    )
    return OutgoingAttempt(
        attempt_number=attempt.number,
        response_code=attempt.status_code,
        response_body=attempt.excerpt or None,
        error_message=message,
        created_at=attempt.started_at,
    )


def _place(identifier: Identifier, name: str | None) -> Place | None:
    return None if identifier is None else Place(id=identifier, public_id=None, name=name)
