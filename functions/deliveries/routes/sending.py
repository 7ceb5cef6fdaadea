"""What sends, or keeps from being sent, over HTTPS: resends, cancellations, test events."""

from functools import cache

from functions.deliveries.routes.log import api, deliveries, shows_content_since
from shared.apis.funnelflux.models import ConfigQuery
from shared.attempts import test_event, wiring
from shared.attempts.resend import Resender
from shared.attempts.test_event import EventTest
from shared.aws import clients
from shared.clock import now_ms
from shared.configs.store import ConfigStore
from shared.deliveries import views
from shared.events.models import EventType
from shared.model import Model
from shared.workspaces.models import Caller, Scope

DELIVERY = "/v1/deliveries/<request_id>"


class ResendRequest(Model):
    """`retry` begins its schedule anew; without it, what had ended is tried once."""

    retry: bool = False


class SampleRequest(Model):
    event_type: EventType


@api.post(f"{DELIVERY}/resend", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def resend_delivery(caller: Caller, request_id: str, body: ResendRequest) -> views.DeliveryRead:
    """Send a delivery at once, whatever came of it before: the same bytes under the same id.

    409 if it is being sent just now, if its config does not receive, if what it sent is gone, or
    after 100 attempts.
    """
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().resend(found, body.retry, shows_content_since(caller)))


@api.post(f"{DELIVERY}/cancel", Scope.DELIVERIES_WRITE, status=202, errors=(404, 409))
def cancel_delivery(caller: Caller, request_id: str) -> views.DeliveryRead:
    """Cancel a delivery that waits or is held: it is sent no more, unless it is resent."""
    found = deliveries().fresh(caller.workspace_id, request_id)
    return views.full(resender().cancel(found))


@api.post("/v1/webhookconfig/test", Scope.DELIVERIES_WRITE, errors=(404, 409))
def send_test_event(caller: Caller, query: ConfigQuery, body: SampleRequest) -> EventTest:
    """Send a sample event to a config, once, and answer with all that came of it.

    It is marked by a header, `X-Funnelhooks-Test: true`, and is kept in no log.
    """
    config = _configs().find(caller.workspace_id, query.idWebhookConfig)
    return test_event.send(config, caller.workspace, body.event_type, wiring.sender(), now_ms)


@cache
def _configs() -> ConfigStore:
    return ConfigStore(clients.config_table())


@cache
def resender() -> Resender:
    return Resender(wiring.reader(), wiring.ledger(), wiring.retry_queue(), now_ms)
