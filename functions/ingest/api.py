"""The HTTPS addresses of `ingest`."""

from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from functions.ingest import parts
from shared.api.body import parse_json
from shared.api.resolver import Answer, answer, body_of, headers_of, new_app
from shared.clock import now_ms
from shared.errors import InvalidError, TooLargeError, UnsupportedMediaTypeError
from shared.events import funnelytics, intake
from shared.workspaces.models import Scope

MAX_BATCH_BYTES = 4 * 1024 * 1024
# A transaction takes 4 MB; the rest is for the keys and times of up to 100 events.
MAX_TOGETHER_BYTES = 3_900_000

app = new_app()


@app.post("/v1/events")
def accept_events() -> Answer:
    headers = headers_of(app)
    key = parts.keyring().bearer(headers, Scope.EVENTS_WRITE)
    _require_json(headers.get("content-type", "application/json"))
    idempotency_key = headers.get("idempotency-key")
    values = _parse(body_of(app))
    if isinstance(values, dict) and "events" in values:
        _refuse_others(values, idempotency_key)
        results = parts.accept_batch(values["events"], key.workspace_id)
        return answer(HTTPStatus.ACCEPTED, {"results": results})
    event_id = parts.accept(_identified(values, idempotency_key), key.workspace_id)
    return answer(HTTPStatus.ACCEPTED, {"event_id": event_id})


@app.post("/api/v1/webhook/<action>")
def accept_action(action: str) -> Answer:
    """Funnelytics' address; its answers are ours, because it publishes none."""
    headers = headers_of(app)
    key = parts.keyring().funnelytics(headers, Scope.EVENTS_WRITE)
    _require_json(headers.get("content-type", ""))
    values, now = parse_json(body_of(app), intake.MAX_EVENT_BYTES), now_ms()
    new = funnelytics.events(key.workspace_id, unquote(action), values, now)
    events = [intake.accept(one, key.workspace_id, now) for one in new]
    _check_size(sum(len(event.payload.encode()) for event in events))
    if not parts.store().add_all(events):
        raise funnelytics.duplicate()
    return answer(HTTPStatus.ACCEPTED, {"accepted": True, "events": len(events)})


def _check_size(size: int) -> None:
    if size > MAX_TOGETHER_BYTES:
        raise TooLargeError(
            f"The purchases with their attributes have {size} bytes, the limit is "
            f"{MAX_TOGETHER_BYTES}. Send them in several requests, or fewer attributes."
        )


def _parse(body: bytes) -> Any:
    values = parse_json(body, MAX_BATCH_BYTES)
    is_batch = isinstance(values, dict) and "events" in values
    if not is_batch and len(body) > intake.MAX_EVENT_BYTES:
        raise TooLargeError(
            f"The event has {len(body)} bytes, the limit is {intake.MAX_EVENT_BYTES}."
        )
    return values


def _refuse_others(values: dict[str, Any], idempotency_key: str | None) -> None:
    if idempotency_key is not None:
        raise InvalidError("Idempotency-Key is for one event; in a batch, give each its event_id.")
    for name in values.keys() - {"events"}:
        raise InvalidError.at(name, "is not a known field beside events")


def _identified(values: Any, idempotency_key: str | None) -> Any:
    """The header is another way to give the event its id."""
    if idempotency_key is None or not isinstance(values, dict):
        return values
    if values.get("event_id", idempotency_key) != idempotency_key:
        raise InvalidError.at(
            "event_id", "differs from the header Idempotency-Key; send one of them"
        )
    return values | {"event_id": idempotency_key}


def _require_json(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise UnsupportedMediaTypeError("Send Content-Type: application/json.")
