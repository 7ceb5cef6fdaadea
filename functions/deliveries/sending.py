"""Deliveries sent again, and cancelled, over HTTPS."""

from functools import cache

from functions.deliveries.api import api, deliveries
from shared.clock import now_ms
from shared.delivery import views, wiring
from shared.delivery.resend import Resender
from shared.model import Model
from shared.workspaces.models import Caller, Scope

DELIVERY = "/v1/deliveries/<request_id>"


class ResendRequest(Model):
    """`retry` begins its schedule anew; without it, what had ended is tried once."""

    retry: bool = False


@api.post(f"{DELIVERY}/resend", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def resend_delivery(caller: Caller, request_id: str, body: ResendRequest) -> views.DeliveryRead:
    """Send a delivery at once, whatever came of it before: the same bytes under the same id.

    409 if it is being sent just now, if its config does not receive, or if what it sent is gone.
    """
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().resend(found, body.retry))


@api.post(f"{DELIVERY}/cancel", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def cancel_delivery(caller: Caller, request_id: str) -> views.DeliveryRead:
    """Cancel a delivery that waits or is held: it is sent no more, unless it is resent."""
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().cancel(found))


@cache
def resender() -> Resender:
    return Resender(wiring.reader(), wiring.ledger(), wiring.retry_queue(), now_ms)
