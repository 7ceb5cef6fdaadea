"""Whether an event keeps to the schema of its type, and what a worker remembers of types."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from shared.clock import MS_PER_S, Clock
from shared.errors import InvalidError
from shared.events import catalogue
from shared.events.models import NewEvent, ResourceEvent
from shared.events.schema_bounds import Schema
from shared.events.schemas import DataSchema
from shared.observability import logger

# So long a worker goes on with a schema that was replaced or deleted, and with there being none.
REMEMBER_MS = 30 * MS_PER_S
MAX_REMEMBERED = 1_000
# Measured: compiled schemas of so much weight take about 50 MB.
MAX_WEIGHT = 100_000

# The schema of a workspace's own type; None if it has none, or there is no such type.
FindSchema = Callable[[str, str], Schema | None]


@dataclass(frozen=True)
class RememberedSchema:
    until: int
    schema: DataSchema | None

    @property
    def weight(self) -> int:
        return 0 if self.schema is None else self.schema.weight


class SchemaChecker:
    def __init__(self, find: FindSchema, clock: Clock) -> None:
        self._find = find
        self._clock = clock
        self._lock = Lock()
        self._known: dict[tuple[str, str], RememberedSchema] = {}

    def check(self, workspace_id: str, event: NewEvent) -> None:
        """Raises InvalidError if the event breaks the schema of its type.

        A built-in type has none, and costs no read; a type that is not registered is not checked.
        """
        if not isinstance(event, ResourceEvent) or catalogue.find(event.event_type):
            return
        schema = self._schema_of(workspace_id, event.event_type)
        if schema is not None:
            schema.check(event.data)

    def _schema_of(self, workspace_id: str, event_type: str) -> DataSchema | None:
        """The events of a batch come in several threads: one of them reads for all."""
        key = workspace_id, event_type
        with self._lock:
            known = self._known.pop(key, None)
            if known is None or self._clock() >= known.until:
                known = self._read(workspace_id, event_type)
            self._known[key] = known
            self._make_room()
            return known.schema

    def _read(self, workspace_id: str, event_type: str) -> RememberedSchema:
        found = self._find(workspace_id, event_type)
        schema = None if found is None else _ready(found, workspace_id, event_type)
        return RememberedSchema(self._clock() + REMEMBER_MS, schema)

    def _make_room(self) -> None:
        """The type that was used longest ago goes first, and the last one stays."""
        weight = sum(known.weight for known in self._known.values())
        while len(self._known) > 1 and (len(self._known) > MAX_REMEMBERED or weight > MAX_WEIGHT):
            weight -= self._known.pop(next(iter(self._known))).weight


def _ready(schema: Schema, workspace_id: str, event_type: str) -> DataSchema | None:
    """A schema that was saved and is no longer taken is a fault of ours, and loses no event."""
    try:
        return DataSchema(schema)
    except InvalidError as error:
        logger.error(
            "event_type.schema_not_taken",
            workspace_id=workspace_id,
            event_type=event_type,
            paths=[field.path for field in error.fields],
        )
        return None
