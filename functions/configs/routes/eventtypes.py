"""The event types: the built-in catalogue, and the workspace's own."""

from typing import Any, Literal

from functions.configs.wiring import api, event_types
from shared.clock import Timestamp, now_ms
from shared.events import catalogue
from shared.events.catalogue import CatalogueEntry, System
from shared.events.models import EventType
from shared.events.own_types import Definition, EventTypeNew, Group, OwnType, refuse_built_in
from shared.model import Model
from shared.web.operations import Answered
from shared.workspaces.models import Caller, Scope

PATH = "/v1/eventtypes"


class EventTypeRead(Model):
    """A built-in type, or the common fields of a type of the workspace's own."""

    name: str
    group: str
    description: str
    system: System | Literal["own"]


class OwnTypeListed(EventTypeRead):
    has_schema: bool
    created_at: Timestamp
    updated_at: Timestamp


class OwnTypeRead(EventTypeRead):
    definition: Definition
    created_at: Timestamp
    updated_at: Timestamp


class EventTypePage(Model):
    """All event types; there is only one page."""

    data: list[EventTypeRead | OwnTypeListed]
    next_cursor: None = None


class EventTypesQuery(Model):
    """`own`: true for the workspace's own types only, false for the built-in types only."""

    name: EventType | None = None
    group: Group | None = None
    own: bool | None = None


class EventTypeQuery(Model):
    name: EventType


@api.get(PATH, Scope.CONFIGS_READ, errors=(404,))
def list_event_types(
    caller: Caller, query: EventTypesQuery
) -> EventTypePage | OwnTypeRead | EventTypeRead:
    """List the built-in event types, by system, then the workspace's own, by name.

    With `name`, return that type alone, with its schema; 404 if it is unknown.
    """
    if query.name is not None:
        return _one(caller, query.name)
    built_in = [] if query.own else catalogue.ENTRIES
    own = [] if query.own is False else event_types().all(caller.workspace_id)
    shown = [*map(_built_in, built_in), *map(_listed, own)]
    return EventTypePage(data=[one for one in shown if query.group in (None, one.group)])


@api.post(PATH, Scope.CONFIGS_WRITE, status=201, also=(200,), errors=(409,))
def save_event_type(caller: Caller, body: EventTypeNew) -> Answered[OwnTypeRead]:
    """Create an event type of your own (201), or replace it (200). A field left out is emptied.

    Incoming events are checked against the new schema within 30 seconds. 409 for the name of a
    built-in type.
    """
    body.check()
    now = now_ms()
    new = OwnType(
        workspace_id=caller.workspace_id, **body.model_dump(), created_at=now, updated_at=now
    )
    saved, is_new = event_types().save(new, caller.workspace.limits.event_types)
    return Answered(_own(saved), 201 if is_new else 200)


@api.delete(PATH, Scope.CONFIGS_WRITE, status=204, errors=(404, 409))
def delete_event_type(caller: Caller, query: EventTypeQuery) -> None:
    """Delete an event type of your own. Its events are accepted further on, without a schema.

    404 if the name is unknown; 409 for the name of a built-in type.
    """
    refuse_built_in(query.name)
    event_types().delete(caller.workspace_id, query.name)


def _one(caller: Caller, name: str) -> OwnTypeRead | EventTypeRead:
    entry = catalogue.find(name)
    return _built_in(entry) if entry else _own(event_types().find(caller.workspace_id, name))


def _built_in(entry: CatalogueEntry) -> EventTypeRead:
    return EventTypeRead.model_validate(entry.model_dump())


def _listed(own: OwnType) -> OwnTypeListed:
    return OwnTypeListed.model_validate(_shown(own) | {"has_schema": own.definition is not None})


def _own(own: OwnType) -> OwnTypeRead:
    return OwnTypeRead.model_validate(_shown(own) | {"schema": own.definition})


def _shown(own: OwnType) -> dict[str, Any]:
    return own.model_dump(exclude={"workspace_id", "definition"}) | {"system": "own"}
