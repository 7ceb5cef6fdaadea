"""What happened: events, deliveries and their attempts, over HTTPS."""

from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared import aws, settings
from shared.api.auth import Keyring
from shared.api.paging import Page, window
from shared.api.resolver import Answer, answer, headers_of, new_app, resolve
from shared.clock import now_ms
from shared.delivery import archive
from shared.delivery.archive import DeliveryStore
from shared.delivery.models import Delivery, State
from shared.errors import InvalidError
from shared.events import log, store
from shared.events.log import LogReader
from shared.events.store import EventStore
from shared.workspaces.models import Scope
from shared.workspaces.store import WorkspaceStore

app = new_app()


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return resolve(app, event, context)


@app.get("/v1/events")
def list_events() -> Answer:
    workspace_id, query = _workspace(Scope.EVENTS_READ), _query()
    page = _logs().page(log.events_of(workspace_id, query.get("event_type")), window(query))
    return _paged(page, [store.summary(item) for item in page.items])


@app.get("/v1/events/<event_id>")
def get_event(event_id: str) -> Answer:
    event = _events().get(_workspace(Scope.EVENTS_READ), unquote(event_id))
    deliveries = [archive.shown(delivery) for delivery in _deliveries().of_event(event)]
    return answer(HTTPStatus.OK, store.shown(event) | {"deliveries": deliveries})


@app.get("/v1/deliveries")
def list_deliveries() -> Answer:
    workspace_id, query = _workspace(Scope.DELIVERIES_READ), _query()
    if ("config_id" in query) == ("event_id" in query):
        raise InvalidError("Ask for the deliveries of one config_id or of one event_id.")
    state = _state(query.get("state"))
    if "event_id" in query:
        return _of_event(workspace_id, query["event_id"], state)
    wanted = log.deliveries_of(workspace_id, query["config_id"], state, query.get("event_type"))
    page = _logs().page(wanted, window(query))
    return _paged(page, [archive.summary(item) for item in page.items])


@app.get("/v1/deliveries/<request_id>")
def get_delivery(request_id: str) -> Answer:
    delivery = _deliveries().get(_workspace(Scope.DELIVERIES_READ), request_id)
    return answer(HTTPStatus.OK, archive.shown(delivery))


def _of_event(workspace_id: str, event_id: str, state: State | None) -> Answer:
    """As many as there are configs that wanted it: one page."""
    found = _deliveries().of_event(_events().get(workspace_id, event_id))
    shown = [_summary(delivery) for delivery in found if state in (None, delivery.state)]
    return answer(HTTPStatus.OK, {"data": shown, "next_cursor": None})


def _summary(delivery: Delivery) -> dict[str, Any]:
    return archive.summary(delivery.model_dump(mode="json"))


def _paged(page: Page, data: list[dict[str, Any]]) -> Answer:
    return answer(HTTPStatus.OK, {"data": data, "next_cursor": page.cursor})


def _state(text: str | None) -> State | None:
    if text is not None and text not in set(State):
        raise InvalidError.at("state", "must be one of " + ", ".join(State))
    return None if text is None else State(text)


def _query() -> dict[str, str]:
    return dict(app.current_event.query_string_parameters)


def _workspace(scope: Scope) -> str:
    return _keyring().bearer(headers_of(app), scope).workspace_id


@cache
def _keyring() -> Keyring:
    return Keyring(WorkspaceStore(aws.dynamodb(), settings.load().config_table), now_ms)


@cache
def _logs() -> LogReader:
    return LogReader(aws.dynamodb(), settings.load().event_table)


@cache
def _deliveries() -> DeliveryStore:
    return DeliveryStore(aws.dynamodb(), settings.load().event_table)


@cache
def _events() -> EventStore:
    env = settings.load()
    return EventStore(aws.dynamodb(), env.event_table, env.retention_days, env.repair_after_s)
