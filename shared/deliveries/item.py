"""A delivery as an item of EventTable: its key, its attributes, its entries in the indexes."""

from typing import Any
from uuid import UUID

from shared import ids
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.deliveries.queue import AttemptMessage
from shared.tables import event_table

_COLUMNS = frozenset(Delivery.model_fields)
# Of one that waits for nothing.
ASLEEP = {"next_attempt_at": None, "wake_shard": None, "wake_at": None}


def delivery_key(workspace_id: str, request_id: UUID) -> dict[str, str]:
    return {
        "pk": event_table.partition(workspace_id, ids.event_key_of(request_id)),
        "sk": event_table.delivery_sk(request_id),
    }


def logged(delivery: AttemptMessage | Delivery, created_at: int) -> dict[str, str]:
    return {
        "log_pk": event_table.delivery_log(delivery.workspace_id, delivery.config_id),
        "log_sk": event_table.log_sk(created_at, str(delivery.request_id)),
    }


def delivery_from(values: dict[str, Any]) -> Delivery:
    return Delivery.model_validate({name: values[name] for name in values.keys() & _COLUMNS})


def wake(request_id: UUID, at_ms: int) -> dict[str, Any]:
    return {"wake_shard": event_table.wake_shard(str(request_id)), "wake_at": at_ms}


def listed_as(workspace_id: str, config_id: str, state: DeliveryState) -> dict[str, str | None]:
    """Most deliveries are delivered; only the others pay for an entry by state."""
    listed = state is not DeliveryState.DELIVERED
    return {"state_pk": event_table.state_log(workspace_id, config_id, state) if listed else None}


def compact(attempt: Attempt) -> dict[str, Any]:
    return attempt.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
