"""The JSON Schema of a workspace's own event type, and the check of events against it.

Schema and event come from tenants, so every cost is bounded
(docs/decisions/0011-schemas-of-event-types.md). jsonschema-rs is imported when the first schema is
compiled, not at every cold start.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from shared.clock import Clock
from shared.errors import Field, InvalidError
from shared.events.models import ResourceEvent, compact_json
from shared.events.schema_bounds import MAX_BYTES, MAX_WORK, Schema, count, measured, refused
from shared.observability import logger
from shared.remembered import Remembered

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator, ValidationError

MAX_FIELDS = 20
MAX_MESSAGE = 256
# The values of an event times the values of its schema bound the number of errors found at once.
MAX_SEARCH = 100_000
# Compiled. The time of a search is proportional to this size and to the length of the text.
_MAX_PATTERN_BYTES = 64 * 1024
_MASK = "the value"
_DATA = ("data",)

# Measured: compiled schemas of this weight take about 50 MB.
MAX_WEIGHT = 100_000

# The schema of a workspace's own type; None if it has none, or there is no such type.
FindSchema = Callable[[str, str], Schema | None]


class DataSchema:
    """A schema, ready to check the data of events."""

    def __init__(self, schema: Schema) -> None:
        """Raises InvalidError, with a path in the schema, if it is not valid or exceeds a bound."""
        _check_bytes(schema)
        self._size = measured(schema)
        self._validator = _compiled(schema)

    @property
    def weight(self) -> int:
        return self._size.weight

    def check(self, data: dict[str, Any]) -> None:
        """Raises InvalidError with up to MAX_FIELDS places in `data` that break the schema."""
        try:
            mistakes = tuple(islice(self._mistakes(data), MAX_FIELDS))
        except ValueError:  # half of a surrogate pair, or too many levels
            mistakes = (_field(_DATA, "is not JSON as JSON Schema knows it"),)
        if mistakes:
            text = "; ".join(f"{field.path}: {field.message}" for field in mistakes)
            raise InvalidError(text, mistakes)

    def _mistakes(self, data: dict[str, Any]) -> Iterator[Field]:
        if self._size.work(data) > MAX_WORK:
            yield _field(_DATA, "is too large for the schema of its type")
        elif self._validator.is_valid(data):
            return
        # iter_errors finds all errors before it gives the first.
        elif count(data) * self._size.values > MAX_SEARCH:
            yield _field(_DATA, "breaks the schema of its type, and is too large to say where")
        else:
            for error in self._validator.iter_errors(data):
                yield from _fields(error)


class SchemaChecker:
    def __init__(self, find: FindSchema, clock: Clock) -> None:
        self._find = find
        self._lock = Lock()
        self._known = Remembered[tuple[str, str], DataSchema | None](clock, _weight, MAX_WEIGHT)

    def check(self, workspace_id: str, event: ResourceEvent) -> None:
        """Raises InvalidError if the event breaks the schema of its type.

        A type that is not registered has none.
        """
        schema = self._schema_of(workspace_id, event.event_type)
        if schema is not None:
            schema.check(event.data)

    def _schema_of(self, workspace_id: str, event_type: str) -> DataSchema | None:
        """Events of a batch are checked in several threads: one reads the schema for all."""
        key = workspace_id, event_type
        with self._lock:
            return self._known.get(key, lambda: self._read(*key))

    def _read(self, workspace_id: str, event_type: str) -> DataSchema | None:
        found = self._find(workspace_id, event_type)
        return None if found is None else _ready(found, workspace_id, event_type)


def _weight(schema: DataSchema | None) -> int:
    return 0 if schema is None else schema.weight


def _check_bytes(schema: Schema) -> None:
    size = len(compact_json(schema).encode())
    if size > MAX_BYTES:
        raise refused((), f"has {size} bytes, the limit is {MAX_BYTES}")


def _compiled(schema: Schema) -> "Draft202012Validator":
    import jsonschema_rs

    # The engine without backtracking: it knows no look-around and no back-references.
    patterns = jsonschema_rs.RegexOptions(
        size_limit=_MAX_PATTERN_BYTES, dfa_size_limit=_MAX_PATTERN_BYTES
    )
    try:
        return jsonschema_rs.Draft202012Validator(
            schema, pattern_options=patterns, mask=_MASK, validate_formats=False, offline=True
        )
    except jsonschema_rs.ValidationError as error:
        raise refused(tuple(error.instance_path), _why_no_schema(error)) from None


def _why_no_schema(error: "ValidationError") -> str:
    if error.kind.name == "format":
        return (
            "is not a regular expression, or one with look-around, back-references or large "
            "repetitions; for a length use maxLength"
        )
    return _short(error.message)


def _fields(error: "ValidationError") -> Iterator[Field]:
    from jsonschema_rs import ValidationErrorKind as Kind

    path = (*_DATA, *error.instance_path)
    match error.kind:
        case Kind.Required(property=name):
            yield _field((*path, name), "is required")
        case Kind.AdditionalProperties(unexpected=names):
            yield from (_field((*path, name), "is not a known field") for name in names)
        case _:
            yield _field(path, error.message)


def _field(path: tuple[str | int, ...], message: str) -> Field:
    return Field(path=_short(".".join(map(str, path))), message=_short(message))


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"


def _ready(schema: Schema, workspace_id: str, event_type: str) -> DataSchema | None:
    """If a stored schema is refused now, this is a fault of ours, and the event is not checked."""
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
