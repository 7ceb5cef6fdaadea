"""What attempts need to know, read for a whole batch of messages in one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from shared import ids
from shared.aws.items import unpack
from shared.aws.table import Table, get_across
from shared.configs.models import WebhookConfig
from shared.configs.store import config_key, health_key
from shared.deliveries.queue import AttemptMessage
from shared.dialects import Rendered
from shared.endpoints.breaker import EndpointHealth
from shared.events.models import Event
from shared.events.store import event_from
from shared.tables import event_table as keys
from shared.workspaces.models import Workspace
from shared.workspaces.store import workspace_key

if TYPE_CHECKING:
    pass

ItemKey = tuple[str, str]


class AttemptContext(NamedTuple):
    """What there is for an attempt: an event for the first one, what was kept for later ones.

    Or both, if both were asked for.
    """

    config: WebhookConfig | None
    workspace: Workspace
    health: EndpointHealth
    event: Event | None
    kept: Rendered | None


class Unreadable(NamedTuple):
    """There is something for an attempt, and it cannot be read."""

    error: Exception


class AttemptReader:
    def __init__(self, config_table: Table, event_table: Table) -> None:
        self._config_table = config_table
        self._event_table = event_table

    def read(self, pointers: Sequence[AttemptMessage]) -> list[AttemptContext | Unreadable]:
        """In the order of the pointers, which may be strangers to each other."""
        items = self._items(pointers, [_content_key(pointer) for pointer in pointers])
        return [_readable(pointer, items) for pointer in pointers]

    def whole(self, pointers: Sequence[AttemptMessage]) -> list[AttemptContext]:
        """With the event, and with what was kept."""
        both = [key(pointer) for pointer in pointers for key in (_event_key, _body_key)]
        items = self._items(pointers, both)
        return [_material(pointer, items) for pointer in pointers]

    def event(self, pointer: AttemptMessage) -> Event | None:
        found = self._event_table.get_many([_event_key(pointer)])
        return next(map(event_from, found), None)

    def _items(
        self, pointers: Sequence[AttemptMessage], contents: list[dict[str, str]]
    ) -> dict[ItemKey, dict[str, Any]]:
        configs = [
            key(pointer.workspace_id, pointer.config_id)
            for pointer in pointers
            for key in (config_key, health_key)
        ] + [workspace_key(pointer.workspace_id) for pointer in pointers]
        wanted = [(self._config_table, key) for key in _distinct(configs)]
        wanted += [(self._event_table, key) for key in _distinct(contents)]
        return {_key(item): item for item in get_across(wanted)}


def _readable(
    pointer: AttemptMessage, items: dict[ItemKey, dict[str, Any]]
) -> AttemptContext | Unreadable:
    try:
        return _material(pointer, items)
    except Exception as error:
        return Unreadable(error)


def _material(pointer: AttemptMessage, items: dict[ItemKey, dict[str, Any]]) -> AttemptContext:
    config = items.get(_key(config_key(pointer.workspace_id, pointer.config_id)))
    health = items.get(_key(health_key(pointer.workspace_id, pointer.config_id)), {})
    workspace = items.get(_key(workspace_key(pointer.workspace_id)))
    event, kept = items.get(_key(_event_key(pointer))), items.get(_key(_body_key(pointer)))
    return AttemptContext(
        config=None if config is None else WebhookConfig.from_item(config),
        workspace=Workspace.from_item(workspace or _nameless(pointer)),
        health=EndpointHealth.from_item(health),
        event=None if event is None else event_from(event),
        kept=None if kept is None else Rendered(unpack(kept["body"]), kept["headers"]),
    )


def _nameless(pointer: AttemptMessage) -> dict[str, Any]:
    return {"workspace_id": pointer.workspace_id, "name": "", "created_at": 0}


def _content_key(pointer: AttemptMessage) -> dict[str, str]:
    """A first attempt renders the event; a later one sends the body that was kept."""
    return _event_key(pointer) if pointer.attempt == 1 else _body_key(pointer)


def _event_key(pointer: AttemptMessage) -> dict[str, str]:
    return {"pk": _partition(pointer.workspace_id, pointer.request_id), "sk": keys.EVENT_SK}


def _body_key(pointer: AttemptMessage) -> dict[str, str]:
    pk = _partition(pointer.workspace_id, pointer.request_id)
    return {"pk": pk, "sk": keys.body_sk(pointer.request_id)}


def _partition(workspace_id: str, request_id: UUID) -> str:
    return keys.partition(workspace_id, ids.event_key_of(request_id))


def _key(item: dict[str, Any]) -> ItemKey:
    return item["pk"], item["sk"]


def _distinct(some: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({_key(key): key for key in some}.values())
