"""Pages of a log: newest first, at most 100 at a time, by an opaque cursor."""

import base64
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StringConstraints, ValidationError, field_validator

from shared.api.validation import invalid
from shared.clock import LAST_MS, Moment
from shared.errors import InvalidError
from shared.model import Model


class Window(Model):
    """What part of a log is asked for; `since` and `until` belong to it."""

    since: Moment = 0
    until: Moment = LAST_MS
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, StringConstraints(max_length=512)] | None = None

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


def write_cursor(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError:
        raise InvalidError.at("cursor", "is not one that a page of this list gave out") from None
