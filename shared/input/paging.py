"""Pages of a log: newest first, at most 100 at a time, by an opaque cursor."""

import base64
import hashlib
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from shared.clock import LAST_MS, Moment
from shared.errors import InvalidError
from shared.input.validation import invalid
from shared.model import Model

_MARK_BYTES = 9


Limit = Annotated[int, Field(ge=1, le=100)]
Cursor = Annotated[str, StringConstraints(max_length=512)]


class PageOf(Model):
    """Which page of a list is asked for."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Window(PageOf):
    """What part of a log is asked for; `since` and `until` belong to it."""

    since: Moment = 0
    until: Moment = LAST_MS

    @field_validator("since", "until", mode="before")
    @classmethod
    def _digits_are_milliseconds(cls, value: Any) -> Any:
        return (
            int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        )


class Page(Model):
    """Items as they stand in the index, and where the next page begins, if there is one."""

    items: tuple[dict[str, Any], ...]
    cursor: str | None


def window(query: Mapping[str, str]) -> Window:
    names = Window.model_fields.keys() & query.keys()
    try:
        return Window.model_validate({name: query[name] for name in names})
    except ValidationError as error:
        raise invalid(error) from None


def write_cursor(of: str, position: str) -> str:
    """`of` names the list, and with it the workspace. It binds the cursor, and is no secret: what
    a made-up one reaches is up to the query, which stays in its list."""
    return base64.urlsafe_b64encode(_mark(of) + position.encode()).decode().rstrip("=")


def read_cursor(of: str, cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        written = base64.b64decode(padded, altchars=b"-_", validate=True)
        mark, position = written[:_MARK_BYTES], written[_MARK_BYTES:].decode()
    except ValueError:
        raise foreign_cursor() from None
    if mark != _mark(of):
        raise foreign_cursor()
    return position


def foreign_cursor() -> InvalidError:
    return InvalidError.at("cursor", "is not one that a page of this list gave out")


def _mark(of: str) -> bytes:
    return hashlib.sha256(of.encode()).digest()[:_MARK_BYTES]
