"""What attempts need to know, read for a whole batch of messages in one call."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared import ids
from shared.aws import batch_get
from shared.configs.models import WebhookConfig
from shared.configs.store import config_from, config_key
from shared.delivery.queues import Pointer
from shared.events import keys
from shared.events.models import Event
from shared.events.store import event_from

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ItemKey = tuple[str, str]


class Materials:
    """The configs, events and kept bodies that a batch of pointers refers to."""

    def __init__(
        self, config_items: list[dict[str, Any]], event_items: list[dict[str, Any]]
    ) -> None:
        self._configs = {_key(item): item for item in config_items}
        self._events = {_key(item): item for item in event_items}

    def config(self, pointer: Pointer) -> WebhookConfig | None:
        item = self._configs.get(_key(config_key(pointer.workspace_id, pointer.config_id)))
        return None if item is None else config_from(item)

    def event(self, pointer: Pointer) -> Event | None:
        item = self._events.get(_key(_event_key(pointer)))
        return None if item is None else event_from(item)

    def body(self, pointer: Pointer) -> bytes | None:
        item = self._events.get(_key(_body_key(pointer)))
        return None if item is None else item["body"]


class Reader:
    def __init__(self, dynamodb: "DynamoDBClient", config_table: str, event_table: str) -> None:
        self._dynamodb = dynamodb
        self._config_table = config_table
        self._event_table = event_table

    def read(self, pointers: Sequence[Pointer]) -> Materials:
        configs = [config_key(pointer.workspace_id, pointer.config_id) for pointer in pointers]
        contents = [_content_key(pointer) for pointer in pointers]
        wanted = {self._config_table: _distinct(configs), self._event_table: _distinct(contents)}
        found = batch_get(self._dynamodb, wanted)
        return Materials(found[self._config_table], found[self._event_table])

    def event(self, pointer: Pointer) -> Event | None:
        found = batch_get(self._dynamodb, {self._event_table: [_event_key(pointer)]})
        return next((event_from(item) for item in found[self._event_table]), None)


def _content_key(pointer: Pointer) -> dict[str, str]:
    """A first attempt renders the event; a later one sends the body that was kept."""
    return _event_key(pointer) if pointer.attempt == 1 else _body_key(pointer)


def _event_key(pointer: Pointer) -> dict[str, str]:
    return {"pk": _partition(pointer.workspace_id, pointer.request_id), "sk": keys.EVENT_SK}


def _body_key(pointer: Pointer) -> dict[str, str]:
    pk = _partition(pointer.workspace_id, pointer.request_id)
    return {"pk": pk, "sk": keys.body_sk(pointer.request_id)}


def _partition(workspace_id: str, request_id: UUID) -> str:
    return keys.partition(workspace_id, ids.event_key_of(request_id))


def _key(item: dict[str, Any]) -> ItemKey:
    return item["pk"], item["sk"]


def _distinct(some: list[dict[str, str]]) -> list[dict[str, str]]:
    return list({_key(key): key for key in some}.values())
