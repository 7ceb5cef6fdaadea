"""Deliveries as they stand: one by its request id, all of an event."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.aws import from_item, to_item
from shared.clock import rfc3339
from shared.delivery.ledger import delivery_from, delivery_key
from shared.delivery.models import Attempt, Delivery
from shared.errors import NotFoundError
from shared.events import keys
from shared.events.models import Event

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class DeliveryStore:
    def __init__(self, dynamodb: "DynamoDBClient", table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def get(self, workspace_id: str, request_id: str) -> Delivery:
        try:
            key = delivery_key(workspace_id, UUID(request_id))
        except ValueError:
            raise _unknown(request_id) from None
        answer = self._dynamodb.get_item(TableName=self._table, Key=to_item(key))
        if "Item" not in answer:
            raise _unknown(request_id)
        return delivery_from(from_item(answer["Item"]))

    def of_event(self, event: Event) -> list[Delivery]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": keys.partition(event.workspace_id, event.key),
                    ":prefix": keys.DELIVERY_PREFIX,
                }
            ),
        )
        return [delivery_from(from_item(item)) for page in pages for item in page["Items"]]


def shown(delivery: Delivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    return summary(delivery.model_dump(mode="json")) | {
        "attempts": [_attempt(attempt) for attempt in delivery.attempts]
    }


def summary(values: dict[str, Any]) -> dict[str, Any]:
    """A delivery in a list, from the attributes that the indexes hold."""
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


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "trigger": attempt.trigger,
        "started_at": rfc3339(attempt.started_at),
        "succeeded": attempt.succeeded,
        "status_code": attempt.status_code,
        "cause": attempt.cause,
        "detail": attempt.detail or None,
        "address": attempt.address,
        "timings_ms": attempt.timings.model_dump(),
        "response_excerpt": attempt.excerpt or None,
        "next_wait_ms": attempt.next_wait_ms,
    }


def _moment(at_ms: int | None) -> str | None:
    return None if at_ms is None else rfc3339(at_ms)


def _unknown(request_id: str) -> NotFoundError:
    return NotFoundError(f"No delivery {request_id} is known here.")
