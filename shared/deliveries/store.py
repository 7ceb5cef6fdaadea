"""Deliveries as they stand: one by its request id, all of an event, a config's in a state."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.aws.items import from_item, to_item
from shared.aws.table import Table
from shared.clock import MS_PER_S, Clock, now_ms
from shared.deliveries.models import Delivery, DeliveryState
from shared.errors import NotFoundError
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table

if TYPE_CHECKING:
    pass


class Listed(Model):
    """An entry of the index by state; the next page begins after its `place`."""

    request_id: UUID
    reason: str
    place: str


class DeliveryStore:
    """What has expired, and DynamoDB has not deleted yet, is gone for who asks by id."""

    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._clock = clock

    def get(self, workspace_id: str, request_id: str) -> Delivery:
        return self._get(workspace_id, request_id)

    def fresh(self, workspace_id: str, request_id: str) -> Delivery:
        """As it is at this moment, for whoever is to change it."""
        return self._get(workspace_id, request_id, consistently=True)

    def of_event(self, event: Event, at_most: int | None = None) -> list[Delivery]:
        """In the order of their request ids; all of them, or the first `at_most`."""
        found: list[Delivery] = []
        for page in self._pages_of(event, None):
            found += page
            if at_most is not None and len(found) >= at_most:
                break
        return found[:at_most]

    def fresh_of_event(self, event: Event) -> Iterator[Delivery]:
        """Each as it is when its page is read, for whoever is to change it."""
        for page in self._pages_of(event, None, ConsistentRead=True):
            yield from page

    def after(self, event: Event, request_id: UUID | None, limit: int) -> list[Delivery]:
        """One page of what `of_event` lists; it begins after a request id."""
        return next(self._pages_of(event, request_id, Limit=limit))

    def in_state(
        self, workspace_id: str, config_id: str, state: DeliveryState, after: str, limit: int
    ) -> list[Listed]:
        """Oldest event first, from the beginning or after a place. The index is a moment behind."""
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName="state",
            KeyConditionExpression="state_pk = :pk AND log_sk > :after",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": event_table.state_log(workspace_id, config_id, state),
                    ":after": after or "0",
                }
            ),
            Limit=limit,
        )
        return [_listed(from_item(item)) for item in answer["Items"]]

    def _pages_of(self, event: Event, after: UUID | None, **more: Any) -> Iterator[list[Delivery]]:
        first = (
            event_table.DELIVERY_PREFIX if after is None else f"{event_table.delivery_sk(after)}!"
        )
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            KeyConditionExpression="pk = :pk AND sk BETWEEN :first AND :last",
            ExpressionAttributeValues=to_item(
                {
                    ":pk": event_table.partition(event.workspace_id, event.key),
                    ":first": first,
                    ":last": f"{event_table.DELIVERY_PREFIX}~",
                }
            ),
            **more,
        )
        for page in pages:
            yield [Delivery.from_item(from_item(item)) for item in page["Items"]]

    def _get(self, workspace_id: str, request_id: str, consistently: bool = False) -> Delivery:
        try:
            key = event_table.delivery_key(workspace_id, UUID(request_id))
        except ValueError:
            raise _unknown(request_id) from None
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=to_item(key), ConsistentRead=consistently
        )
        values = from_item(answer.get("Item", {}))
        if values.get("expires_at", 0) * MS_PER_S <= self._clock():
            raise _unknown(request_id)
        return Delivery.from_item(values)


def _listed(values: dict[str, Any]) -> Listed:
    return Listed(
        request_id=values["request_id"], reason=values.get("reason", ""), place=values["log_sk"]
    )


def _unknown(request_id: str) -> NotFoundError:
    return NotFoundError(f"No delivery {request_id} is known here.")
