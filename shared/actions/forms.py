"""The fields that a link or a form submits: in the query, and in a body of each form encoding."""

import codecs
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header

from shared.actions import multipart
from shared.actions.charsets import UTF_8, codec_of, decode
from shared.actions.fields import MAX_FIELDS, MAX_NAME, collect, too_many
from shared.errors import InvalidError, TooLargeError, UnsupportedMediaTypeError
from shared.events.context import Scalar, Scalars
from shared.input.json_body import parse_json

MAX_BODY_BYTES = 1024 * 1024

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
TEXT = "text/plain"
JSON = "application/json"

_LINE_END = re.compile(r"\r\n|\r|\n")
# Split at the first `=`, or at the first `:` before a blank or the end of the line.
_LINE = re.compile(r"(?P<name>.*?)(?:=|:(?=\s|$))(?P<value>.*)")

Pairs = Iterator[tuple[str, Scalar]]


def query(raw: str) -> Scalars:
    return collect(_urlencoded(raw.encode("utf-8", "surrogatepass"), UTF_8))


def body(content: bytes, content_type: str, is_text: bool = False) -> Scalars:
    """The fields of a body. `is_text` means that API Gateway decoded it; it is UTF-8 now.

    Raises TooLargeError, UnsupportedMediaTypeError, or InvalidError that names the place.
    """
    if len(content) > MAX_BODY_BYTES:
        raise TooLargeError(f"The body has {len(content)} bytes, the limit is {MAX_BODY_BYTES}.")
    if not content:
        return {}
    media_type, options = _media_type(content_type)
    codec = codec_of(options.get("charset", ""))
    if is_text:
        _check_survived(content, codec)
        codec = UTF_8
    return collect(_pairs(content, media_type, options, codec))


def _pairs(content: bytes, media_type: str, options: dict[str, str], codec: str) -> Pairs:
    kind = media_type or _guess(content)
    if kind == URLENCODED:
        return _urlencoded(content, codec)
    if kind == MULTIPART:
        return _multipart(content, options.get("boundary", ""), codec)
    if kind == TEXT:
        return _text(decode(content, codec, "body"))
    if kind == JSON:
        return _object(decode(content, codec, "body"))
    raise UnsupportedMediaTypeError(f"Send {URLENCODED}, {MULTIPART}, {TEXT} or {JSON}.")


def _media_type(content_type: str) -> tuple[str, dict[str, str]]:
    """The media type and its parameters. A header must be Latin-1, else the type is `unknown`."""
    try:
        media_type, options = parse_options_header(content_type)
    except UnicodeEncodeError:
        return "unknown", {}
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in options.items()}
    return media_type.decode("latin-1"), named


def _guess(content: bytes) -> str:
    """The type of a body without Content-Type: JSON if it looks like it, else URL-encoded."""
    looks_like_json = content.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"{")
    return JSON if looks_like_json else URLENCODED


def _check_survived(content: bytes, codec: str) -> None:
    """API Gateway decodes text as UTF-8, which turns other charsets to replacement characters."""
    if codec != UTF_8 and "\ufffd".encode() in content:
        raise InvalidError.at("Content-Type", "text and JSON can be sent in UTF-8 only")


def _urlencoded(content: bytes, codec: str) -> Pairs:
    """Split as Latin-1, in which a character is a byte; then each value is decoded alone."""
    try:
        found = parse_qsl(
            content.decode("latin-1"),
            keep_blank_values=True,
            encoding="latin-1",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise too_many() from None
    for number, (raw_name, raw_value) in enumerate(found, start=1):
        name = decode(raw_name.encode("latin-1"), codec, f"field {number}")
        yield name, decode(raw_value.encode("latin-1"), codec, name)


def _multipart(content: bytes, boundary: str, codec: str) -> Pairs:
    if not boundary:
        raise InvalidError.at("Content-Type", "names no boundary")
    body = content.removeprefix(codecs.BOM_UTF8)
    yield from multipart.fields(body, boundary.encode("latin-1"), codec)


def _text(text: str) -> Pairs:
    """One field a line, or JSON, which a page may send to another origin only as text."""
    if text.lstrip().startswith("{"):
        yield from _object(text)
        return
    for number, line in enumerate(_LINE_END.split(text), start=1):
        if not line.strip():
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise InvalidError.at(f"line {number}", "is no key=value and no key: value")
        yield found["name"].strip(), found["value"].strip()


def _object(text: str) -> Pairs:
    values = parse_json(text.encode(), MAX_BODY_BYTES)
    if not isinstance(values, dict):
        raise InvalidError("The body is a JSON object.")
    for name, value in values.items():
        if isinstance(value, dict | list):
            message = "is nested; a string, a number, true, false or null is expected"
            raise InvalidError.at(name[:MAX_NAME], message)
        yield name, value
