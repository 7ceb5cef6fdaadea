import json
from typing import Any

import pytest

from shared.configs.models import DisabledReason
from shared.endpoints import alerts
from shared.endpoints.breaker import EndpointHealth
from shared.events.models import Event
from tests import factories
from tests.fakes import NOW
from tests.unit.endpoints.test_monitor import TROUBLE, attempt, delivery

CONFIG = factories.config(url="https://hooks.example.com/in/secret?key=secret", version=7)
HEALTH = EndpointHealth(failures=5, exhausted=2, failing_since=NOW - 60_000)
NOTICES = [
    alerts.tripped(CONFIG, HEALTH, delivery(), NOW),
    alerts.recovered(CONFIG, HEALTH, delivery(), NOW),
    alerts.disabled(CONFIG, DisabledReason.ENDPOINT_GONE, HEALTH, delivery(), NOW),
    alerts.exhausted(CONFIG, delivery(), attempt(TROUBLE, next_wait_ms=None), NOW),
]


def data_of(notice: Event) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(notice.payload)["data"]
    return data


@pytest.mark.parametrize("notice", NOTICES)
def test_a_notice_names_the_config_and_no_secret_of_its_url(notice: Event) -> None:
    data = data_of(notice)

    assert (data["config_id"], data["name"]) == ("crm", "CRM")
    assert data["url_host"] == "hooks.example.com"
    assert "secret" not in notice.payload


@pytest.mark.parametrize("notice", NOTICES[:3])
def test_a_notice_about_a_config_has_its_counts(notice: Event) -> None:
    data = data_of(notice)

    assert (data["failures"], data["exhausted"]) == (5, 2)
    assert data["since"] == "2026-04-29T18:03:15.000Z"


def test_the_first_failure_is_now_if_none_was_counted() -> None:
    notice = alerts.recovered(CONFIG, EndpointHealth(), delivery(), NOW)

    assert data_of(notice)["since"] == "2026-04-29T18:04:15.000Z"


def test_a_config_is_disabled_once_in_each_version() -> None:
    first, again = (
        alerts.disabled(CONFIG, DisabledReason.ENDPOINT_FAILING, HEALTH, delivery(), now)
        for now in (NOW, NOW + 1)
    )

    assert first.event_id == again.event_id == "!webhook_config.disabled.crm.7"
    assert data_of(first)["reason"] == "endpoint_failing"


def test_an_exhausted_delivery_says_how_its_last_attempt_ended() -> None:
    data = data_of(NOTICES[3])

    assert (data["event_id"], data["event_type"]) == ("event-1", "on_action")
    assert (data["attempts"], data["status_code"], data["cause"]) == (1, 500, "http_status")
