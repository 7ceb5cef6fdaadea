"""Placeholders in the query of a URL and in headers: each request fills in values of its body.

`{data-NAME}` is a URL parameter or form value of the visitor, `{hit}` and `{visitor}` are ids, and
`{visitor.country_code}` is a path into the body. A value that the body does not hold is empty.
Source: FunnelFlux help, "How tracking and tokens work" and "URL parameter capture rules".

A value is never searched for placeholders, so a visitor's own braces stay braces. A visitor must
not choose the host or the path, so a placeholder works in a query value only.
"""

import json
import re
import string
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, unquote

_Way = tuple[str, ...]

# JSON text has quotes, colons or blanks in its braces; a NAME may be anything.
_PLACEHOLDER = re.compile(r"\{(data-[^{}]+|[\w%~-]+(?:\.[\w%~-]+)*)\}")
_DATA = "data-"
_DATA_SOURCES = ("url_buffer", "tracking_fields", "action_data")
_SHORT: dict[str, tuple[_Way, ...]] = {
    "hit": (("hit", "hit_id"), ("session", "hit_id")),
    "visitor": (("visitor", "visitor_id"), ("hit", "visitor_id"), ("session", "visitor_id")),
}
_HARMLESS = "x"
_ASCII = string.punctuation + " "

_Fill = Callable[[re.Match[str]], str]


class MisplacedPlaceholderError(ValueError):
    """A placeholder stands where it does not work."""


def check(url: str) -> None:
    """Raise MisplacedPlaceholderError unless all placeholders stand in values of the query."""
    before, query, fragment = _parted(url)
    parts = before.split("/", 3)
    places = {
        "scheme, host or port": "/".join(parts[:3]),
        "path": "".join(parts[3:]),
        "parameter names": "&".join(name for name, _, _ in _pairs(query)),
        "fragment": fragment,
    }
    for place, text in places.items():
        if _PLACEHOLDER.search(text):
            raise MisplacedPlaceholderError(
                f"a placeholder stands in the {place} of the URL; placeholders work in the values "
                "of the query (?visitor={visitor}) and in header values"
            )


def without(url: str) -> str:
    """The URL with a harmless value for each placeholder, so that it can be checked in advance."""
    return _filled(url, lambda _: _HARMLESS)


def rendered(url: str, headers: Mapping[str, str], body: bytes) -> tuple[str, dict[str, str]]:
    """The URL and the headers with values of the body, which is parsed only if there is a brace."""
    if "{" not in url and not any("{" in value for value in headers.values()):
        return url, dict(headers)
    # Numbers are written as in the body, to the last digit.
    payload = json.loads(body, parse_int=str, parse_float=str)
    return (
        _filled(url, lambda found: _quoted(_value(payload, unquote(found[1])))),
        {name: _header(value, payload) for name, value in headers.items()},
    )


def _parted(url: str) -> tuple[str, str, str]:
    """The part before the query, the query, and the fragment; joined, they are the URL."""
    rest, hash_sign, fragment = url.partition("#")
    before, mark, query = rest.partition("?")
    return before + mark, query, hash_sign + fragment


def _pairs(query: str) -> list[tuple[str, str, str]]:
    return [pair.partition("=") for pair in query.split("&")]


def _filled(url: str, fill: _Fill) -> str:
    before, query, fragment = _parted(url)
    pairs = (name + equals + _PLACEHOLDER.sub(fill, value) for name, equals, value in _pairs(query))
    return before + "&".join(pairs) + fragment


def _header(value: str, payload: Any) -> str:
    """`requests` refuses a leading blank, and HTTP ignores blanks around a value."""
    return _PLACEHOLDER.sub(lambda found: _plain(_value(payload, found[1])), value).strip()


def _quoted(value: str) -> str:
    return quote(value, safe="", errors="replace")


def _plain(value: str) -> str:
    """On one line and in ASCII; other characters are written as in a URL, `Z%C3%BCrich`."""
    return quote("".join(filter(str.isprintable, value)), safe=_ASCII)


def _value(payload: Any, name: str) -> str:
    found = (_at(payload, way) for way in _ways(name))
    return next((_text(value) for value in found if value is not None), "")


def _ways(name: str) -> tuple[_Way, ...]:
    if name.startswith(_DATA):
        return tuple((source, name.removeprefix(_DATA)) for source in _DATA_SOURCES)
    return _SHORT.get(name) or (tuple(name.split(".")),)


def _at(payload: Any, way: _Way) -> Any:
    for key in way:
        payload = payload.get(key) if isinstance(payload, dict) else None
    return payload


def _text(value: Any) -> str:
    match value:
        case str():
            return value
        case bool():
            return json.dumps(value)
        case _:
            return ""
