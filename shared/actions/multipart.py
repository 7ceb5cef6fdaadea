"""`multipart/form-data` (RFC 7578): the fields. The value of a file is its name."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError, MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from shared.actions.charsets import codec_of, decode
from shared.actions.fields import MAX_FIELDS, too_many
from shared.errors import InvalidError

# The parser would log the errors of clients, who get them in the response.
logging.getLogger("python_multipart").setLevel(logging.CRITICAL)

_PLAIN = (b"7bit", b"8bit", b"binary")


@dataclass
class FormPart:
    """Header names are in lower case."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    content: bytearray = field(default_factory=bytearray)


class MultipartReader:
    """The callbacks of the parser, which collect the parts of a body."""

    def __init__(self) -> None:
        self.parts: list[FormPart] = []
        self.ended = False
        self._header = b""

    def read(self, content: bytes, boundary: bytes) -> list[FormPart]:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_field,
                "on_header_value": self._header_value,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )
        parser.write(content)
        return self.parts

    def _begin(self) -> None:
        if len(self.parts) == MAX_FIELDS:
            raise too_many()
        self.parts.append(FormPart())

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header = data[start:end].lower()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].headers[self._header] = data[start:end]

    def _data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].content += data[start:end]

    def _end(self) -> None:
        self.ended = True


def fields(content: bytes, boundary: bytes, codec: str) -> Iterator[tuple[str, str]]:
    """Names and values, decoded by `codec` unless a part names its own charset."""
    for number, part in enumerate(_parts(content, boundary), start=1):
        yield _field(part, codec, f"part {number}")


def _parts(content: bytes, boundary: bytes) -> list[FormPart]:
    reader = MultipartReader()
    try:
        parts = reader.read(content, boundary)
    except MultipartParseError as error:
        raise InvalidError(f"The multipart body is broken at byte {error.offset}.") from None
    except FormParserError:
        raise InvalidError.at("Content-Type", "names a boundary that is too long") from None
    if not reader.ended:
        raise InvalidError("The multipart body ends before its last boundary.")
    return parts


def _field(part: FormPart, codec: str, place: str) -> tuple[str, str]:
    kind, options = parse_options_header(part.headers.get(b"content-disposition"))
    if kind != b"form-data" or b"name" not in options:
        raise InvalidError.at(place, "needs Content-Disposition: form-data with a name")
    name = decode(options[b"name"], codec, place)
    if b"filename" in options:
        return name, decode(options[b"filename"], codec, name)
    if part.headers.get(b"content-transfer-encoding", b"8bit").lower() not in _PLAIN:
        raise InvalidError.at(name, "has a Content-Transfer-Encoding, which forms have no more")
    _, about = parse_options_header(part.headers.get(b"content-type"))
    own = about.get(b"charset", b"").decode("latin-1")
    return name, decode(bytes(part.content), codec_of(own) if own else codec, name)
