"""Notices to the owner of a config, as operational events: ids, counts and times, no secrets."""

from typing import Any
from urllib.parse import urlsplit

from shared.clock import rfc3339
from shared.configs.models import DisabledReason, WebhookConfig
from shared.deliveries.models import Attempt, Delivery
from shared.endpoints.breaker import EndpointHealth
from shared.events import operational
from shared.events.models import Event
from shared.events.operational import OperationalType


def tripped(config: WebhookConfig, health: EndpointHealth, delivery: Delivery, now: int) -> Event:
    return _of_config(OperationalType.CONFIG_TRIPPED, config, health, delivery, now, now)


def recovered(config: WebhookConfig, health: EndpointHealth, delivery: Delivery, now: int) -> Event:
    return _of_config(OperationalType.CONFIG_RECOVERED, config, health, delivery, now, now)


def disabled(
    config: WebhookConfig,
    reason: DisabledReason,
    health: EndpointHealth,
    delivery: Delivery,
    now: int,
) -> Event:
    kind, version = OperationalType.CONFIG_DISABLED, config.version
    return _of_config(kind, config, health, delivery, version, now, reason=reason)


def exhausted(config: WebhookConfig, delivery: Delivery, attempt: Attempt, now: int) -> Event:
    data = _about(config, delivery) | {
        "event_id": delivery.event_id,
        "event_type": delivery.event_type,
        "attempts": attempt.number,
        "status_code": attempt.status_code,
        "cause": attempt.cause,
    }
    subject = ("Delivery", str(delivery.request_id))
    kind = OperationalType.DELIVERY_EXHAUSTED
    return operational.event(kind, config.workspace_id, subject, attempt.number, data, now)


def _of_config(
    kind: OperationalType,
    config: WebhookConfig,
    health: EndpointHealth,
    delivery: Delivery,
    occasion: int,
    now: int,
    **more: Any,
) -> Event:
    since = now if health.failing_since is None else health.failing_since
    data = _about(config, delivery) | {
        "failures": health.failures,
        "exhausted": health.exhausted,
        "since": rfc3339(since),
    }
    subject = ("WebhookConfig", config.id)
    return operational.event(kind, config.workspace_id, subject, occasion, data | more, now)


def _about(config: WebhookConfig, delivery: Delivery) -> dict[str, Any]:
    """The host stands for the URL, whose path or query may hold a key."""
    return {
        "config_id": config.id,
        "name": config.name,
        "url_host": urlsplit(config.url).hostname,
        "request_id": str(delivery.request_id),
    }
