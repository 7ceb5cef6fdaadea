"""What of a request is shown: what was sent, without the secrets in it."""

from typing import Any

from shared.attempts import sent_request
from shared.attempts.reader import AttemptContext
from shared.configs.models import WebhookConfig
from shared.deliveries.models import Attempt, Delivery, DeliveryState
from shared.deliveries.views import RequestRead
from shared.dialects import Rendered
from shared.endpoints.breaker import EndpointHealth
from shared.events.models import Event
from shared.outbound.response import Timings
from shared.workspaces.models import Workspace
from tests import factories
from tests.factories import WORKSPACE
from tests.fakes import NOW

KEPT = Rendered(b'{"kept":true}', {"X-Kept": "as it was"})


def context(
    config: WebhookConfig | None = None,
    event: Event | None = None,
    kept: Rendered | None = None,
) -> AttemptContext:
    workspace = Workspace(workspace_id=WORKSPACE, name="Acme", created_at=NOW)
    return AttemptContext(config, workspace, EndpointHealth(), event, kept)


def delivery(**changes: Any) -> Delivery:
    values = {
        "workspace_id": WORKSPACE,
        "request_id": factories.request_id(),
        "event_id": "event-1",
        "event_type": "on_action",
        "config_id": "crm",
        "state": DeliveryState.DELIVERED,
        "attempt": 1,
        "created_at": NOW,
        "built_at": NOW,
    }
    return Delivery.model_validate(values | changes)


def shown(known: AttemptContext, **changes: Any) -> RequestRead:
    request = sent_request.of(delivery(**changes), known)
    assert request is not None
    return request


class TestARequest:
    def test_is_shown_with_the_body_that_was_kept(self) -> None:
        request = shown(context(factories.config(), kept=KEPT))

        assert request.url == "https://hooks.example.com/in"
        assert request.body == '{"kept":true}'
        assert request.headers["X-Kept"] == "as it was"

    def test_is_rendered_from_its_event_if_no_body_was_kept(self) -> None:
        event = factories.event(payload='{"funnel":{"funnel_id":"f"}}')

        assert '"funnel_id"' in shown(context(factories.config(), event)).body

    def test_tells_the_time_of_the_latest_attempt(self) -> None:
        attempts = tuple(
            Attempt(number=number, started_at=NOW + 5_000, succeeded=True, timings=Timings(total=1))
            for number in (1, 2)
        )

        request = shown(context(factories.config(), kept=KEPT), attempts=attempts)

        assert request.headers["webhook-timestamp"] == str(NOW // 1000 + 5)

    def test_shows_no_secret_of_the_url_and_the_headers(self) -> None:
        config = factories.config(
            url="https://hooks.example.com/in?api_key=sesame&team=growth",
            headers={"X-Api-Key": "sesame", "X-Team": "growth"},
        )

        request = shown(context(config, kept=KEPT))

        assert "sesame" not in request.model_dump_json()
        assert request.url.endswith("&team=growth")
        assert request.headers["X-Team"] == "growth"
        assert request.headers["webhook-signature"] != ""
        assert "v1," not in request.headers["webhook-signature"]


class TestNoRequest:
    def test_is_shown_before_the_first_attempt(self) -> None:
        known = context(factories.config(), kept=KEPT)

        assert sent_request.of(delivery(built_at=None), known) is None

    def test_is_shown_of_an_erased_event(self) -> None:
        event = factories.event().model_copy(update={"erased_at": NOW})

        assert sent_request.of(delivery(), context(factories.config(), event, KEPT)) is None

    def test_is_shown_without_body_and_event(self) -> None:
        assert sent_request.of(delivery(), context(factories.config())) is None

    def test_is_shown_without_its_config(self) -> None:
        assert sent_request.of(delivery(), context(None, kept=KEPT)) is None
