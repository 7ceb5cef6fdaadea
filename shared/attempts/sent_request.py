"""The request of a delivery as it may be shown: the body as it was sent; secrets in the URL and the
headers are masked."""

from urllib.parse import unquote_plus

from shared.attempts import request
from shared.attempts.reader import AttemptContext
from shared.attempts.request import Prepared
from shared.deliveries.models import Delivery
from shared.deliveries.views import RequestRead
from shared.dialects import Rendered
from shared.outbound.redaction import MASK, is_secret


def of(delivery: Delivery, context: AttemptContext) -> RequestRead | None:
    """The latest request. None if nothing was sent, or if the body has expired or was erased."""
    config, rendered = context.config, _rendered(delivery, context)
    if config is None or rendered is None:
        return None
    sent_at = max([delivery.built_at or 0, *(attempt.started_at for attempt in delivery.attempts)])
    prepared = request.prepare(config, delivery.request_id, rendered, sent_at)
    return shown(prepared, rendered.body)


def shown(prepared: Prepared, body: bytes) -> RequestRead:
    headers = {
        name: MASK if is_secret(name, value) else value for name, value in prepared.headers.items()
    }
    return RequestRead(url=_without_secrets(prepared.url), headers=headers, body=body.decode())


def _rendered(delivery: Delivery, context: AttemptContext) -> Rendered | None:
    event, config = context.event, context.config
    if delivery.built_at is None or (event is not None and event.erased_at is not None):
        return None
    if context.kept is not None or event is None or config is None:
        return context.kept
    return request.rendered(config, context.workspace, event, delivery)


def _without_secrets(url: str) -> str:
    address, mark, query = url.partition("?")
    return address + mark + "&".join(map(_masked, query.split("&")))


def _masked(parameter: str) -> str:
    name, sign, value = parameter.partition("=")
    secret = sign and is_secret(unquote_plus(name), unquote_plus(value))
    return f"{name}={MASK}" if secret else parameter
