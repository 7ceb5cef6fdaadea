"""What AWS refuses is translated where it says something about a request, and let go elsewhere."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from botocore.exceptions import ClientError

from shared.apis.funnelytics import rules
from shared.apis.funnelytics.acceptance import Acceptance
from shared.aws.table import Table
from shared.configs.store import ConfigStore
from shared.deliveries.ledger import Ledger
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.dialects import Rendered
from shared.errors import ConflictError, InvalidError
from shared.events import log
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.input.paging import Window
from shared.outbound.response import Timings
from shared.repair.due_index import DueIndex
from shared.visitors.store import VisitorStore
from shared.workspaces.models import Retention, Workspace
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

DELIVERY = Delivery(
    workspace_id=WORKSPACE,
    request_id=UUID(int=1),
    event_id="event-1",
    event_type="on_action",
    config_id="crm",
    state=DeliveryState.SENDING,
    created_at=NOW,
    lease="lease",
)
ATTEMPT = Attempt(number=1, started_at=NOW, succeeded=True, timings=Timings(total=1))
KEPT = Retention.of_days(30)


class Refusing:
    """A client whose every call is refused."""

    def __init__(self, code: str, **details: Any) -> None:
        self._refusal: Any = {"Error": {"Code": code, "Message": code}} | details

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def refuse(**_: Any) -> None:
            raise ClientError(self._refusal, name)

        return refuse


def list_events(client: Any) -> Any:
    events = log.events_of(WORKSPACE, None)
    cursor = events.cursor_after("001777485855000#f4d3ac3a1fd7c88d8a5f")
    return LogReader(Table(client, "t")).page(events, Window(cursor=cursor))


def accept_action(client: Any) -> Any:
    events, visitors = EventStore(Table(client, "t"), 30, 600), VisitorStore(Table(client, "t"), 30)
    workspace = Workspace(workspace_id=WORKSPACE, name="", created_at=NOW)
    acceptance = Acceptance(Table(client, "t"), events, visitors, lambda: NOW, 30)
    return acceptance.accept(workspace, rules.read("Demo", {}), "digest")


WRITES = [
    pytest.param(lambda c: EventStore(Table(c, "t"), 30, 600).add(factories.event()), id="add"),
    pytest.param(lambda c: EventStore(Table(c, "t"), 30, 600).untie(factories.event()), id="untie"),
    pytest.param(accept_action, id="accept_action"),
    pytest.param(lambda c: ConfigStore(Table(c, "t")).add(factories.config(), 10), id="config"),
    pytest.param(
        lambda c: Ledger(Table(c, "t"), 30, 600).claim(
            factories.pointer(), factories.event(), KEPT, NOW
        ),
        id="claim",
    ),
    pytest.param(
        lambda c: Ledger(Table(c, "t"), 30, 600).settle(DELIVERY, ATTEMPT, KEPT, NOW), id="settle"
    ),
    pytest.param(
        lambda c: Ledger(Table(c, "t"), 30, 600).keep(DELIVERY, Rendered(b"{}", {}), KEPT, NOW),
        id="body",
    ),
    pytest.param(
        lambda c: DueIndex(Table(c, "t"), 30, 600).begin(factories.pointer(), factories.event(), 0),
        id="begin",
    ),
    pytest.param(list_events, id="list"),
]


@pytest.mark.parametrize("call", WRITES)
@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "ProvisionedThroughputExceededException"]
)
def test_a_fault_of_ours_stays_a_fault(call: Callable[[Any], Any], code: str) -> None:
    with pytest.raises(ClientError, match=code):
        call(Refusing(code))


def test_a_transaction_that_collides_with_another_is_no_duplicate() -> None:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "None"}]
    client: Any = Refusing("TransactionCanceledException", CancellationReasons=reasons)

    with pytest.raises(ClientError, match="TransactionCanceled"):
        accept_action(client)


def test_a_config_that_somebody_else_saved_is_a_conflict() -> None:
    reasons = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
    client: Any = Refusing("TransactionCanceledException", CancellationReasons=reasons)
    old = factories.config()

    with pytest.raises(ConflictError, match="taken"):
        ConfigStore(Table(client, "t")).add(old, 10)
    with pytest.raises(ConflictError, match="saved by somebody else"):
        ConfigStore(Table(client, "t")).replace(old, old)


def test_a_cursor_that_the_database_refuses_is_named() -> None:
    with pytest.raises(InvalidError) as refusal:
        list_events(Refusing("ValidationException"))

    assert refusal.value.fields[0].path == "cursor"
