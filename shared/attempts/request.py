"""The request of an attempt: the URL, and the headers of the config, its dialect and the signature.

Every request is signed by Standard Webhooks 1.0.0, symmetric: `v1,` and the base64 of an
HMAC-SHA256. Source: https://www.standardwebhooks.com, specification, "Webhook signature".
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from shared.attempts import placeholders, sigv4
from shared.aws import clients
from shared.clock import MS_PER_S
from shared.configs import targets
from shared.configs.models import BasicAuth, WebhookConfig
from shared.deliveries.models import Delivery
from shared.dialects import DIALECTS, Rendered
from shared.events.models import Event
from shared.version import USER_AGENT
from shared.workspaces.models import Workspace

SECRET_PREFIX = "whsec_"


class Prepared(NamedTuple):
    """All of a POST but its body."""

    url: str
    headers: dict[str, str]


def rendered(
    config: WebhookConfig, workspace: Workspace, event: Event, delivery: Delivery
) -> Rendered:
    """The same at every attempt: the body tells the time of the first attempt."""
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
        **signature_headers(_secrets(config, now), str(request_id), now_s, body),
    }
    prepared = Prepared(url, headers)
    return _with_iam(prepared, body) if config.aws_iam_auth else prepared


def signature_headers(
    secrets: Sequence[str], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """One signature for each secret: during a rotation the receiver may know either secret."""
    signatures = (signature(secret, message_id, timestamp_s, body) for secret in secrets)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(signatures),
    }


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _authorization(basic: BasicAuth | None) -> dict[str, str]:
    if basic is None:
        return {}
    pair = f"{basic.username}:{basic.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


def _secrets(config: WebhookConfig, now: int) -> list[str]:
    return [config.secret, *(old.secret for old in config.old_secrets if old.signs_until > now)]


def _with_iam(prepared: Prepared, body: bytes) -> Prepared:
    """The signature of our role goes to Lambda and to no other host, whatever a config says."""
    region = targets.region(prepared.url)
    if region is None:
        return prepared
    url = sigv4.as_sent(prepared.url)
    return Prepared(url, sigv4.signed(url, prepared.headers, body, region, clients.credentials()))
