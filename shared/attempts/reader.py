"""What attempts need to know, read for a whole batch of messages in one call."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from shared import ids
from shared.aws.items import as_model, unpack
from shared.aws.table import Table, get_across
from shared.configs.models import WebhookConfig
from shared.deliveries.queue import AttemptMessage
from shared.dialects import Rendered
from shared.endpoints.breaker import EndpointHealth
from shared.events.models import Event
from shared.events.store import event_from
from shared.tables import event_table as keys
from shared.tables.config_table import config_key, health_key, workspace_key
from shared.workspaces.models import Workspace

ItemKey = tuple[str, str]
Items = dict[ItemKey, dict[str, Any]]


class AttemptContext(NamedTuple):
    """What is known for an attempt. `event` is read for a first attempt, `kept`, the body that was
    kept, for later ones; or both, if both are asked for. None if there is none."""

    config: WebhookConfig | None
    workspace: Workspace
    health: EndpointHealth
    event: Event | None
    kept: Rendered | None


class Unreadable(NamedTuple):
    """One of the items for an attempt cannot be read."""

    error: Exception


class AttemptReader:
    def __init__(self, config_table: Table, event_table: Table) -> None:
        self._configs = config_table
        self._events = event_table

    def read(self, messages: Sequence[AttemptMessage]) -> list[AttemptContext | Unreadable]:
        """In the order of the messages, which may be of any workspaces."""
        items = self._items(messages, [_content_key(message) for message in messages])
        return [_readable(message, items) for message in messages]

    def whole(self, messages: Sequence[AttemptMessage]) -> list[AttemptContext]:
        """With the event and the kept body."""
        both = [key(message) for message in messages for key in (_event_key, _body_key)]
        items = self._items(messages, both)
        return [_context(message, items) for message in messages]

    def event(self, message: AttemptMessage) -> Event | None:
        found = self._events.get_many([_event_key(message)])
        return event_from(found[0]) if found else None

    def _items(self, messages: Sequence[AttemptMessage], contents: list[dict[str, str]]) -> Items:
        configs = [
            key(message.workspace_id, message.config_id)
            for message in messages
            for key in (config_key, health_key)
        ] + [workspace_key(message.workspace_id) for message in messages]
        wanted = [(self._configs, key) for key in _distinct(configs)]
        wanted += [(self._events, key) for key in _distinct(contents)]
        return {_key(item): item for item in get_across(wanted)}


def _readable(message: AttemptMessage, items: Items) -> AttemptContext | Unreadable:
    try:
        return _context(message, items)
    except Exception as error:
        return Unreadable(error)


def _context(message: AttemptMessage, items: Items) -> AttemptContext:
    config = items.get(_key(config_key(message.workspace_id, message.config_id)))
    health = items.get(_key(health_key(message.workspace_id, message.config_id)), {})
    workspace = items.get(_key(workspace_key(message.workspace_id)))
    event, kept = items.get(_key(_event_key(message))), items.get(_key(_body_key(message)))
    return AttemptContext(
        config=None if config is None else as_model(WebhookConfig, config),
        workspace=as_model(Workspace, workspace or _nameless(message)),
        health=as_model(EndpointHealth, health),
        event=None if event is None else event_from(event),
        kept=None if kept is None else Rendered(unpack(kept["body"]), kept["headers"]),
    )


def _nameless(message: AttemptMessage) -> dict[str, Any]:
    return {"workspace_id": message.workspace_id, "name": "", "created_at": 0}


def _content_key(message: AttemptMessage) -> dict[str, str]:
    """A first attempt renders the event; a later one sends the body that was kept."""
    return _event_key(message) if message.attempt == 1 else _body_key(message)


def _event_key(message: AttemptMessage) -> dict[str, str]:
    pk = keys.partition(message.workspace_id, ids.event_key_of(message.request_id))
    return {"pk": pk, "sk": keys.EVENT_SK}


def _body_key(message: AttemptMessage) -> dict[str, str]:
    return keys.body_key(message.workspace_id, message.request_id)


def _key(item: dict[str, Any]) -> ItemKey:
    return item["pk"], item["sk"]


def _distinct(some: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({_key(key): key for key in some}.values())
