"""Deliveries in EventTable: each attempt is claimed before its request goes out, settled after it.

Only the holder of a lease settles its attempt, so of two workers with the same message one sends.
"""

from collections.abc import Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from botocore.exceptions import ClientError

from shared import ids, retention
from shared.aws.items import Update, from_item, pack, to_item
from shared.aws.table import Table
from shared.aws.transaction import TransactionRefusedError, transact
from shared.clock import MS_PER_S
from shared.deliveries.conditions import (
    HOLDER,
    RELEASABLE,
    NotDue,
    as_it_stands,
    claimable,
    expect_condition,
    is_parked,
    is_recorded,
    why_not,
)
from shared.deliveries.item import (
    ASLEEP,
    compact,
    delivery_from,
    delivery_key,
    listed_as,
    logged,
    wake,
)
from shared.deliveries.models import Attempt, Delivery, DeliveryState, Reason, Resend
from shared.deliveries.queue import MAX_DELAY_MS, AttemptMessage
from shared.dialects import Rendered
from shared.events.models import Event
from shared.tables import event_table
from shared.workspaces.models import Workspace

if TYPE_CHECKING:
    pass

# Longer than a whole attempt: 10 s for the exchange, and what the writes around it may take.
LEASE_MS = 30 * MS_PER_S
# A wait beyond the delay queue's reach is parked until so long before its end: the sweep, which
# runs every minute, then hands it to the delay queue, which ends it to the second.
PARK_LEAD_MS = MAX_DELAY_MS - 300 * MS_PER_S


class Ledger:
    def __init__(self, table: Table, retention_days: int, repair_after_s: int) -> None:
        self._dynamodb = table.client
        self._table = table.name
        self._retention_days = retention_days
        self._retention = retention.of_days(retention_days)
        self._repair_after_ms = repair_after_s * MS_PER_S

    def of(self, workspace: Workspace) -> "Ledger":
        """The same ledger, in which everything is kept for as long as the workspace says."""
        own = copy(self)
        own._retention = workspace.retention(self._retention_days)
        return own

    def claim(
        self, pointer: AttemptMessage, event: Event | None, now: int
    ) -> Delivery | NotDue | None:
        """The delivery, whose attempt is now this caller's alone; None if it is not to be made.

        `event` is needed for the first attempt, which makes the delivery.
        """
        until, lease = now + LEASE_MS, ids.new_lease()
        update = Update().set(
            {
                "state": DeliveryState.SENDING,
                "reason": None,
                "attempt": pointer.attempt,
                "lease": lease,
                "lease_until": until,
            }
        )
        if pointer.attempt > 1:  # most wait in the index already, where moving costs two writes
            update.once(wake(pointer.request_id, until + self._repair_after_ms))
        self._born(update, pointer, event, now).once({"built_at": now})
        update.when(*claimable(pointer.attempt, event, now))
        try:
            return self._update(pointer.workspace_id, pointer.request_id, update)
        except ClientError as error:
            return why_not(error, pointer.attempt, lease, now)

    def defer(
        self, pointer: AttemptMessage, event: Event | None, reason: Reason, next_at: int, now: int
    ) -> Delivery | NotDue | None:
        """The delivery, whose next attempt is put off and not used up; otherwise as `claim`."""
        state, request_id = DeliveryState.WAITING, pointer.request_id
        changes = {"state": state, "reason": reason, "attempt": pointer.attempt - 1}
        update = Update().set(
            changes
            | {"next_attempt_at": next_at}
            | self._until(request_id, next_at, now)
            | listed_as(pointer.workspace_id, pointer.config_id, state)
        )
        self._born(update, pointer, event, now, next_at)
        update.when(*claimable(pointer.attempt, event, now))
        if event is not None:
            update.once(logged(pointer, event.accepted_at))
        try:
            return self._update(pointer.workspace_id, request_id, update)
        except ClientError as error:
            return why_not(error, pointer.attempt, None, now)

    def release(self, pointer: AttemptMessage, at: int, now: int) -> Delivery | None:
        """Let a held delivery, or one that waits for its endpoint, go at a moment. None if it has
        moved on. Of the pointer, the attempt does not matter."""
        state = DeliveryState.WAITING
        update = Update().set(
            {"state": state, "reason": Reason.RELEASED, "next_attempt_at": at, "settled_at": None}
            | {"expires_at": self._retention.record_until_s(now, at)}
            | self._until(pointer.request_id, at, now)
            | listed_as(pointer.workspace_id, pointer.config_id, state)
        )
        values = {"held": DeliveryState.HELD, "waiting": state, "tripped": Reason.ENDPOINT_TRIPPED}
        update.when(RELEASABLE, values | {"at": at})
        try:
            return self._update(pointer.workspace_id, pointer.request_id, update)
        except ClientError as error:
            expect_condition(error)
            return None

    def set_aside(
        self,
        pointer: AttemptMessage,
        event: Event | None,
        state: DeliveryState,
        reason: Reason,
        now: int,
    ) -> bool:
        """Hold or cancel a delivery in place of its next attempt. False if it has moved on."""
        update = Update().set(
            {"state": state, "reason": reason, "settled_at": now, "attempt": pointer.attempt - 1}
            | ASLEEP
            | listed_as(pointer.workspace_id, pointer.config_id, state)
        )
        self._born(update, pointer, event, now).when(*claimable(pointer.attempt, event, now))
        if event is not None:
            update.once(logged(pointer, event.accepted_at))
        return self._try(pointer.workspace_id, pointer.request_id, update)

    def resend(self, seen: Delivery, resend: Resend, now: int) -> Delivery:
        """Let a delivery go now, as a resend; as it stands if it has moved on since it was seen."""
        state = DeliveryState.WAITING
        update = Update().set(
            {"state": state, "reason": Reason.RESENT, "next_attempt_at": now, "settled_at": None}
            | {
                "resend": resend.model_dump(exclude_none=True),
                "expires_at": self._retention.record_until_s(now),
            }
            | self._until(seen.request_id, now, now)
            | listed_as(seen.workspace_id, seen.config_id, state)
        )
        return self._moved(seen, update)

    def cancel(self, seen: Delivery, now: int) -> Delivery:
        """Cancel a delivery that is not under way; as it stands if it has moved on."""
        state = DeliveryState.CANCELLED
        update = Update().set(
            {"state": state, "reason": Reason.BY_REQUEST, "settled_at": now}
            | ASLEEP
            | listed_as(seen.workspace_id, seen.config_id, state)
        )
        return self._moved(seen, update)

    def delivered(self, delivery: Delivery, attempt: Attempt, now: int) -> bool:
        changes = {
            "state": DeliveryState.DELIVERED,
            "reason": None,
            "settled_at": now,
            "replay_pk": None,
        }
        update = self._settling(delivery, attempt, changes | ASLEEP)
        return self._settle(delivery, attempt, update)

    def failed(
        self, delivery: Delivery, attempt: Attempt, now: int, told: dict[str, Any] | None = None
    ) -> bool:
        """`told` is an item to be written in the same transaction."""
        is_spent = delivery.counts_from is not None
        reason = Reason.SCHEDULE_SPENT if is_spent else Reason.RESEND_FAILED
        changes = {"state": DeliveryState.FAILED, "reason": reason, "settled_at": now}
        update = self._settling(delivery, attempt, changes | ASLEEP)
        if told is None:
            return self._settle(delivery, attempt, update)
        return self._settle_and_tell(delivery, update, told)

    def waiting(
        self, delivery: Delivery, attempt: Attempt, reason: Reason, next_at: int, now: int
    ) -> bool:
        changes = {"state": DeliveryState.WAITING, "reason": reason, "next_attempt_at": next_at}
        expiry = {"expires_at": self._retention.record_until_s(now, next_at)}
        update = self._settling(
            delivery, attempt, changes | expiry | self._until(delivery.request_id, next_at, now)
        )
        return self._settle(delivery, attempt, update)

    def keep(self, delivery: Delivery, rendered: Rendered, now: int, last_at: int = 0) -> None:
        """What every later attempt sends, up to `last_at`; the first that is kept stays."""
        item = {
            "pk": event_table.partition(
                delivery.workspace_id, ids.event_key_of(delivery.request_id)
            ),
            "sk": event_table.body_sk(delivery.request_id),
            "body": pack(rendered.body),
            "headers": dict(rendered.headers),
            "expires_at": self._retention.content_until_s(now, last_at),
        }
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item=to_item(item),
                ConditionExpression="attribute_not_exists(pk)",
            )
        except ClientError as error:
            expect_condition(error)

    def _settling(self, delivery: Delivery, attempt: Attempt, changes: dict[str, Any]) -> Update:
        return (
            Update()
            .set(changes | {"status_code": attempt.status_code, "lease": None, "lease_until": None})
            .set(listed_as(delivery.workspace_id, delivery.config_id, changes["state"]))
            .once(logged(delivery, delivery.created_at))
            .append("attempts", compact(attempt))
            .when(HOLDER, {"sending": DeliveryState.SENDING, "lease": delivery.lease})
        )

    def _settle(self, delivery: Delivery, attempt: Attempt, update: Update) -> bool:
        """False if the lease was lost: another worker has taken the attempt over."""
        try:
            self._write(delivery.workspace_id, delivery.request_id, update, "NONE")
        except ClientError as error:
            return is_recorded(error, attempt)
        return True

    def _settle_and_tell(self, delivery: Delivery, update: Update, told: dict[str, Any]) -> bool:
        key = to_item(delivery_key(delivery.workspace_id, delivery.request_id))
        settled = {"Update": {"TableName": self._table, "Key": key, **update.request()}}
        try:
            transact(self._dynamodb, [settled, told])
        except TransactionRefusedError:
            return False
        return True

    def _until(self, request_id: UUID, next_at: int, now: int) -> dict[str, Any]:
        """Where the wake index has a delivery that waits until `next_at`."""
        parked = is_parked(next_at, now)
        return wake(request_id, next_at + (-PARK_LEAD_MS if parked else self._repair_after_ms))

    def _born(
        self,
        update: Update,
        pointer: AttemptMessage,
        event: Event | None,
        now: int,
        next_at: int = 0,
    ) -> Update:
        update.set({"expires_at": self._retention.record_until_s(now, next_at)})
        if event is None:
            return update
        return update.once(
            {
                "workspace_id": pointer.workspace_id,
                "request_id": str(pointer.request_id),
                "config_id": pointer.config_id,
                "event_id": event.event_id,
                "event_type": event.event_type,
                "created_at": event.accepted_at,
            }
        )

    def _moved(self, seen: Delivery, update: Update) -> Delivery:
        """Whatever else moves a delivery on changes its state or its attempt."""
        values = {"state": seen.state, "attempt": seen.attempt, "reason": seen.reason}
        same = "#state = :when_state AND attempt = :when_attempt AND "
        reason = "attribute_not_exists(reason)" if seen.reason is None else "reason = :when_reason"
        known = {name: value for name, value in values.items() if value is not None}
        update.when(same + reason, known)
        try:
            return self._update(seen.workspace_id, seen.request_id, update)
        except ClientError as error:
            expect_condition(error)
            return as_it_stands(error) or seen

    def _try(self, workspace_id: str, request_id: UUID, update: Update) -> bool:
        try:
            self._write(workspace_id, request_id, update, "NONE")
        except ClientError as error:
            expect_condition(error)
            return False
        return True

    def _update(self, workspace_id: str, request_id: UUID, update: Update) -> Delivery:
        return delivery_from(from_item(self._write(workspace_id, request_id, update, "ALL_NEW")))

    def _write(
        self, workspace_id: str, request_id: UUID, update: Update, give: Literal["ALL_NEW", "NONE"]
    ) -> Mapping[str, Any]:
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key=to_item(delivery_key(workspace_id, request_id)),
            ReturnValues=give,
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
            **update.request(),
        )
        return answer.get("Attributes", {})
