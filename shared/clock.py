"""Time as integer milliseconds UTC, and its text form."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, Strict, WithJsonSchema

Clock = Callable[[], int]

MS_PER_S = 1000
MS_PER_MINUTE = 60 * MS_PER_S
MS_PER_DAY = 86_400 * MS_PER_S
# 9999-12-31, the last day of datetime.
LAST_MS = 253_402_300_799_999


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`2026-04-29T18:04:15.000Z`"""
    # In integers: from the year 2242 on, a float of seconds loses the milliseconds.
    moment = datetime.fromtimestamp(ms // MS_PER_S, UTC).replace(microsecond=ms % MS_PER_S * 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_ms(value: object) -> object:
    """ISO 8601 text as milliseconds; any other value as it is. Raises ValueError."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be integer milliseconds or ISO 8601 with an offset") from None
    if moment.tzinfo is None:
        raise ValueError("must carry an offset, such as Z or +02:00")
    return round(moment.timestamp() * MS_PER_S)


# JSON Schema's date-time requires an offset, as `parse_ms` does.
_MOMENT = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": LAST_MS},
        {"type": "string", "format": "date-time"},
    ],
    "description": "Integer milliseconds UTC, or ISO 8601 with an offset.",
}
Moment = Annotated[
    int, Strict(), BeforeValidator(parse_ms), Field(ge=0, le=LAST_MS), WithJsonSchema(_MOMENT)
]
_DATE_TIME = {"type": "string", "format": "date-time"}
# A time in an answer: milliseconds in Python, RFC 3339 in JSON.
Timestamp = Annotated[int, PlainSerializer(rfc3339, str), WithJsonSchema(_DATE_TIME)]
