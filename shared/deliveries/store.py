"""Deliveries as they stand: one by its request id, all of an event, a config's in a state."""

from collections.abc import Iterator
from functools import partial
from uuid import UUID

from shared.aws.items import as_model
from shared.aws.table import Query, Table
from shared.clock import MS_PER_S, Clock, now_ms
from shared.deliveries.models import Delivery, DeliveryState
from shared.errors import NotFoundError
from shared.events.models import Event
from shared.model import Model
from shared.tables import event_table


class Listed(Model):
    """An entry of the index by state; the next page begins after its `place`."""

    request_id: UUID
    reason: str
    place: str


class DeliveryStore:
    """A delivery past its `expires_at` counts as not found, even before DynamoDB deletes it."""

    def __init__(self, table: Table, clock: Clock = now_ms) -> None:
        self._table = table
        self._clock = clock

    def get(self, workspace_id: str, request_id: str) -> Delivery:
        """May be a second old. Raises NotFoundError."""
        return self._get(workspace_id, request_id, consistent=False)

    def fresh(self, workspace_id: str, request_id: str) -> Delivery:
        """As it is at this moment, for a caller that changes it. Raises NotFoundError."""
        return self._get(workspace_id, request_id, consistent=True)

    def of_event(self, event: Event, at_most: int | None = None) -> list[Delivery]:
        """All deliveries, or the first `at_most`, in the order of their request ids."""
        found: list[Delivery] = []
        for page in self._table.pages(_of_event(event)):
            found += map(partial(as_model, Delivery), page)
            if at_most is not None and len(found) >= at_most:
                break
        return found[:at_most]

    def fresh_of_event(self, event: Event) -> Iterator[Delivery]:
        """Each as it is when its page is read, for a caller that changes it."""
        return map(
            partial(as_model, Delivery), self._table.items(_of_event(event, consistent=True))
        )

    def after(self, event: Event, request_id: UUID | None, limit: int) -> list[Delivery]:
        """One page of the list of `of_event`: the deliveries after a request id."""
        page = self._table.query(_of_event(event, after=request_id, limit=limit))
        return [as_model(Delivery, item) for item in page.items]

    def in_state(
        self, workspace_id: str, config_id: str, state: DeliveryState, after: str, limit: int
    ) -> list[Listed]:
        """Oldest event first, from the beginning or after a place. The index is a moment behind."""
        query = Query(
            "state_pk = :pk AND log_sk > :after",
            {"pk": event_table.state_log(workspace_id, config_id, state), "after": after or "0"},
            index="state",
            limit=limit,
        )
        return [
            Listed(
                request_id=item["request_id"], reason=item.get("reason", ""), place=item["log_sk"]
            )
            for item in self._table.query(query).items
        ]

    def _get(self, workspace_id: str, request_id: str, consistent: bool) -> Delivery:
        try:
            key = event_table.delivery_key(workspace_id, UUID(request_id))
        except ValueError:
            raise _unknown(request_id) from None
        item = self._table.get(key, consistent)
        if item is None or item["expires_at"] * MS_PER_S <= self._clock():
            raise _unknown(request_id)
        return as_model(Delivery, item)


def _of_event(
    event: Event, after: UUID | None = None, consistent: bool = False, limit: int | None = None
) -> Query:
    prefix = event_table.DELIVERY_PREFIX
    first = prefix if after is None else f"{event_table.delivery_sk(after)}!"
    values = {
        "pk": event_table.partition(event.workspace_id, event.key),
        "first": first,
        "last": f"{prefix}~",
    }
    condition = "pk = :pk AND sk BETWEEN :first AND :last"
    return Query(condition, values, consistent=consistent, limit=limit)


def _unknown(request_id: str) -> NotFoundError:
    return NotFoundError(f"No delivery {request_id} is known here.")
