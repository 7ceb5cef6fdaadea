"""JSON from outside: parsed within stated bounds. An error says where it is."""

import json
import math
from typing import Any

from shared.errors import InvalidError, TooLargeError

MAX_DEPTH = 32


def parse_json(body: bytes, limit: int) -> Any:
    """The value of `body`.

    Raises TooLargeError for more than `limit` bytes, and InvalidError for text that is not JSON
    (with line and column), for NaN, Infinity and numbers beyond a float, for half of a surrogate
    pair, and for more than MAX_DEPTH levels.
    """
    if len(body) > limit:
        raise TooLargeError(f"The body has {len(body)} bytes, the limit is {limit}.")
    text = _text(body)
    if not text.strip():
        raise InvalidError("The body is empty, a JSON object is expected.")
    value = _value(text)
    check(value)
    return value


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidError(f"The body is not UTF-8: see byte {error.start}.") from None


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InvalidError(f"The body is not JSON: {error.msg} at {place}.") from None
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise InvalidError(f"The body is not JSON: {error}.") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def check(value: Any) -> None:
    """Raises InvalidError as `parse_json` does. Walks level by level, so it needs no recursion."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, list):
        return value
    if isinstance(value, str):
        _refuse_surrogates(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidError("The body holds a number that is too large, such as 1e999, or is none.")
    return []


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidError(
            "The body holds half of a surrogate pair (one of \\ud800 to \\udfff), no character."
        ) from None


def _too_deep() -> InvalidError:
    return InvalidError(f"The body is nested deeper than {MAX_DEPTH} levels.")
