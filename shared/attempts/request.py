"""What an attempt sends beside the body: the URL, and headers of config, dialect and signature."""

import base64
from typing import NamedTuple
from uuid import UUID

from shared.attempts import placeholders, signing, sigv4
from shared.aws import clients
from shared.clock import MS_PER_S
from shared.configs import targets
from shared.configs.models import BasicAuth, WebhookConfig
from shared.deliveries.models import Delivery
from shared.dialects import DIALECTS, Rendered
from shared.events.models import Event
from shared.version import USER_AGENT
from shared.workspaces.models import Workspace


class Prepared(NamedTuple):
    """All of a POST but its body."""

    url: str
    headers: dict[str, str]


def rendered(
    config: WebhookConfig, workspace: Workspace, event: Event, delivery: Delivery
) -> Rendered:
    """The same at every attempt: the time that it tells is that of the first."""
    built_at = delivery.built_at or delivery.created_at
    return DIALECTS[config.dialect].render(event, workspace, delivery.request_id, built_at)


def prepare(config: WebhookConfig, request_id: UUID, rendered: Rendered, now: int) -> Prepared:
    """Only the signatures and their times differ between the attempts of a delivery."""
    body, now_s = rendered.body, now // MS_PER_S
    url, own = placeholders.rendered(config.url, config.headers, body)
    headers = {
        **own,
        "Content-Type": "application/json",
        "User-Agent": USER_AGENT,
        **_authorization(config.basic_auth),
        **rendered.headers,
        **DIALECTS[config.dialect].signature(config.secret, body, now_s),
        **signing.headers(_secrets(config, now), str(request_id), now_s, body),
    }
    prepared = Prepared(url, headers)
    return _with_iam(prepared, body) if config.aws_iam_auth else prepared


def _authorization(basic: BasicAuth | None) -> dict[str, str]:
    if basic is None:
        return {}
    pair = f"{basic.username}:{basic.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _secrets(config: WebhookConfig, now: int) -> list[str]:
    return [config.secret, *(old.secret for old in config.old_secrets if old.signs_until > now)]


def _with_iam(prepared: Prepared, body: bytes) -> Prepared:
    """Our role's signature goes to Lambda and nowhere else, whatever a config says."""
    region = targets.region(prepared.url)
    if region is None:
        return prepared
    url = sigv4.as_sent(prepared.url)
    return Prepared(url, sigv4.signed(url, prepared.headers, body, region, clients.credentials()))
