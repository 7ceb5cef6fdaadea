"""What was sent, as it may be shown: the body as it went out, and no secret of URL and headers."""

from urllib.parse import unquote_plus

from shared.attempts import request
from shared.attempts.reader import AttemptContext
from shared.attempts.request import Prepared
from shared.deliveries.models import Delivery
from shared.deliveries.views import RequestRead
from shared.dialects import Rendered
from shared.outbound.redaction import MASK, is_secret


def of(delivery: Delivery, material: AttemptContext) -> RequestRead | None:
    """None if nothing was sent yet, or if what was sent is gone, or erased."""
    config, rendered = material.config, _rendered(delivery, material)
    if config is None or rendered is None:
        return None
    sent_at = max([delivery.built_at or 0, *(one.started_at for one in delivery.attempts)])
    prepared = request.prepare(config, delivery.request_id, rendered, sent_at)
    return shown(prepared, rendered.body)


def shown(prepared: Prepared, body: bytes) -> RequestRead:
    headers = {
        name: MASK if is_secret(name, value) else value for name, value in prepared.headers.items()
    }
    return RequestRead(url=_without_secrets(prepared.url), headers=headers, body=body.decode())


def _rendered(delivery: Delivery, material: AttemptContext) -> Rendered | None:
    event, config = material.event, material.config
    if delivery.built_at is None or (event is not None and event.erased_at is not None):
        return None
    if material.kept is not None or event is None or config is None:
        return material.kept
    return request.rendered(config, material.workspace, event, delivery)


def _without_secrets(url: str) -> str:
    address, mark, query = url.partition("?")
    return address + mark + "&".join(map(_masked, query.split("&")))


def _masked(parameter: str) -> str:
    name, sign, value = parameter.partition("=")
    secret = sign and is_secret(unquote_plus(name), unquote_plus(value))
    return f"{name}={MASK}" if secret else parameter
