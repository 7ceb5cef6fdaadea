"""The headers of an attempt: the config's own, the dialect's, and the signature."""

import base64
from uuid import UUID

from shared.configs.models import BasicAuth, WebhookConfig
from shared.delivery import signing
from shared.dialects import Dialect

USER_AGENT = "Funnelhooks/1"


def headers(
    config: WebhookConfig,
    dialect: Dialect,
    event_type: str,
    request_id: UUID,
    body: bytes,
    timestamp_s: int,
) -> dict[str, str]:
    """Only the signature and its timestamp differ between the attempts of a delivery."""
    return (
        config.headers
        | {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        | _authorization(config.basic_auth)
        | dialect.headers(event_type, request_id)
        | signing.headers(config.secret, str(request_id), timestamp_s, body)
    )


def _authorization(basic: BasicAuth | None) -> dict[str, str]:
    if basic is None:
        return {}
    pair = f"{basic.username}:{basic.password}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
