"""Deliveries as they stand: one by its request id, all of an event."""

from typing import TYPE_CHECKING
from uuid import UUID

from shared.aws import from_item, to_item
from shared.delivery.ledger import delivery_from, delivery_key
from shared.delivery.models import Delivery
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


def _unknown(request_id: str) -> NotFoundError:
    return NotFoundError(f"No delivery {request_id} is known here.")
