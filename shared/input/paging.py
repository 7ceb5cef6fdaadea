"""Pages of a log: newest first, at most 100 entries each, with an opaque cursor."""

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
# By which a list is narrowed.
FilterText = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class PageOf(Model):
    """The page of a list that is asked for."""

    limit: Limit = 50
    cursor: Cursor | None = None


class Window(PageOf):
    """The part of a log that is asked for, `since` and `until` included."""

    since: Moment = 0
    until: Moment = LAST_MS

    @field_validator("since", "until", mode="before")
    @classmethod
    def _digits_are_milliseconds(cls, value: Any) -> Any:
        return (
            int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        )


class Page(Model):
    """Items as they are in the index. `cursor` is where the next page starts; None on the last."""

    items: tuple[dict[str, Any], ...]
    cursor: str | None


def window(query: Mapping[str, str]) -> Window:
    """The window in a query that may have other fields too. Raises InvalidError."""
    names = Window.model_fields.keys() & query.keys()
    try:
        return Window.model_validate({name: query[name] for name in names})
    except ValidationError as error:
        raise invalid(error) from None


def write_cursor(of: str, position: str) -> str:
    """A cursor that is bound to the list `of`, a name with the workspace in it.

    The mark is no signature: a forged cursor reaches nothing outside of the list that is queried.
    """
    return base64.urlsafe_b64encode(_mark(of) + position.encode()).decode().rstrip("=")


def read_cursor(of: str, cursor: str) -> str:
    """The position in the list `of`. Raises InvalidError for a cursor of another list."""
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
