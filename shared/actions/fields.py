"""The fields of a form or a link by name, within bounds. Values of a repeated name are joined."""

import re
from collections.abc import Iterable

from shared.errors import InvalidError
from shared.events.context import Scalar, Scalars

MAX_FIELDS = 200
MAX_NAME = 128
MAX_VALUE = 10_000

# Fields that control an action and are not part of its data.
SYSTEM_PREFIX = "flux_"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def collect(pairs: Iterable[tuple[str, Scalar]]) -> Scalars:
    """The values by name. Raises InvalidError if a bound is exceeded."""
    fields: Scalars = {}
    for number, (name, value) in enumerate(pairs, start=1):
        if number > MAX_FIELDS:
            raise too_many()
        _check_name(name, number)
        fields[name] = _joined(name, fields[name], value) if name in fields else value
        _check_value(name, fields[name])
    return fields


def data(fields: Scalars) -> Scalars:
    """The fields that are data of the action."""
    return {name: value for name, value in fields.items() if not name.startswith(SYSTEM_PREFIX)}


def too_many() -> InvalidError:
    return InvalidError(f"There are more than {MAX_FIELDS} fields.")


def _joined(name: str, first: Scalar, second: Scalar) -> str:
    """Checkboxes may share a name, and the contract has one value for it: none may be lost."""
    if name.startswith(SYSTEM_PREFIX):
        raise InvalidError.at(name, "comes more than once")
    return f"{first}, {second}"


def _check_name(name: str, number: int) -> None:
    if not name:
        raise InvalidError.at(f"field {number}", "has no name")
    if len(name) > MAX_NAME:
        raise InvalidError.at(f"field {number}", f"its name is longer than {MAX_NAME} characters")
    if _CONTROL.search(name):
        raise InvalidError.at(f"field {number}", "its name holds a control character")


def _check_value(name: str, value: Scalar) -> None:
    if not isinstance(value, str):
        return
    if len(value) > MAX_VALUE:
        raise InvalidError.at(name, f"is longer than {MAX_VALUE} characters")
    if "\0" in value:
        raise InvalidError.at(name, "holds a NUL, which many receivers cannot store")
