"""Accepts an action once a day, in one transaction with the changes of its visitor."""

import random
import time
from collections.abc import Callable
from typing import Any

from shared import ids
from shared.apis.funnelytics import rules
from shared.apis.funnelytics.events import Arrival, events
from shared.aws.items import Condition
from shared.aws.table import Table
from shared.clock import MS_PER_DAY, MS_PER_S, Clock
from shared.errors import ConflictError, ContentionError, TooLargeError
from shared.events import accept
from shared.events.models import Event
from shared.events.store import EventStore
from shared.tables import event_table
from shared.visitors.models import Identity, IdentityKind
from shared.visitors.resolution import resolve
from shared.visitors.store import VisitorStore
from shared.workspaces.models import Workspace

# A transaction takes 4 MB; the rest is room for the keys and times of its items.
MAX_TOGETHER_BYTES = 3_900_000
DUPLICATE_MS = MS_PER_DAY
# If another request changes the visitor first, the visitor is read again.
ROUNDS = 20
PAUSE_S = 0.05

Sleep = Callable[[float], None]


class Acceptance:
    """`retention_days` is how long the stack keeps what a workspace does not limit."""

    def __init__(
        self,
        table: Table,
        events: EventStore,
        visitors: VisitorStore,
        clock: Clock,
        retention_days: int,
        sleep: Sleep = time.sleep,
    ) -> None:
        self._table = table
        self._events = events
        self._visitors = visitors
        self._clock = clock
        self._retention_days = retention_days
        self._sleep = sleep

    def accept(self, workspace: Workspace, action: rules.InboundAction, digest: str) -> list[Event]:
        """The stored events.

        Raises ConflictError if the action was accepted in the last 24 hours, TooLargeError, and
        ContentionError.
        """
        for _ in range(ROUNDS):
            accepted = self._try(workspace, action, digest, self._clock())
            if accepted is not None:
                return accepted
            self._sleep(PAUSE_S * random.random())  # noqa: S311 -- spreads, hides nothing
        raise ContentionError

    def _try(
        self, workspace: Workspace, action: rules.InboundAction, digest: str, now: int
    ) -> list[Event] | None:
        workspace_id = workspace.workspace_id
        traces = self._visitors.trace(workspace_id, identities(action), now)
        found = resolve(workspace_id, traces, now, ids.new_visitor_id())
        new = _identified(workspace_id, action, digest, found.visitor.visitor_id, now)
        retention = workspace.retention(self._retention_days)
        expiry = {"expires_at": retention.record_until_s(now)}
        accepted = [event.model_copy(update=expiry) for event in new]
        marker = self._marker(workspace_id, digest, now)
        changes = self._visitors.changes(found, now)
        refused = self._table.transact([marker, *self._events.putting_new(accepted), *changes])
        if 0 in refused:
            raise _duplicate()
        return None if refused else accepted

    def _marker(self, workspace_id: str, digest: str, now: int) -> dict[str, Any]:
        """Its condition compares times: DynamoDB deletes expired items within days, not at once."""
        expires_at = (now + DUPLICATE_MS) // MS_PER_S
        item = event_table.action(workspace_id, digest) | {"expires_at": expires_at}
        is_gone = "attribute_not_exists(pk) OR expires_at <= :when_now"
        return self._table.putting(item, Condition(is_gone, {"now": now // MS_PER_S}))


def identities(action: rules.InboundAction) -> list[Identity]:
    email = [] if action.email is None else [Identity(kind=IdentityKind.EMAIL, value=action.email)]
    session = (
        []
        if action.session is None
        else [Identity(kind=IdentityKind.SESSION, value=action.session)]
    )
    return email + session


def _identified(
    workspace_id: str, action: rules.InboundAction, digest: str, visitor_id: str, now: int
) -> list[Event]:
    """The time is part of the ids: the same action may come again after a day."""
    arrival = Arrival(visitor_id=visitor_id, event_id=f"fny-{digest[:32]}-{now}", at_ms=now)
    made = [accept.identify(one, workspace_id, now) for one in events(action, arrival)]
    size = sum(len(event.payload.encode()) for event in made)
    if size > MAX_TOGETHER_BYTES:
        raise TooLargeError(
            f"The purchases with their attributes have {size} bytes, the limit is "
            f"{MAX_TOGETHER_BYTES}. Send them in several requests, or fewer attributes."
        )
    return made


def _duplicate() -> ConflictError:
    return ConflictError(
        "This event was sent before. To send the same information again, add its dateTime."
    )
