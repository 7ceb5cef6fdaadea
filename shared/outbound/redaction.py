"""What an attempt log may show: headers without their secrets, responses as readable excerpts.

An excerpt is the first KiB of a response body as text, with the secrets of the request redacted,
because an endpoint may send them back. Text and secrets are compared in a reduced form: escapes of
URLs, JSON and HTML are undone, up to four layers of them, letters are folded to lower case, and
characters that encodings add, drop or swap are left out. Any eight characters of a secret in a row
are redacted, so a part of a secret is hidden as well as the whole.
"""

import base64
import binascii
import codecs
import html
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple
from urllib.parse import unquote

MASK = "********"
RUN = 8
EXCERPT_BYTES = 1024
# Text beyond the excerpt that is searched too: a secret may begin before the edge and end after it.
_SEARCHED_BYTES = EXCERPT_BYTES + 512

_SECRET_NAME = re.compile(r"auth|token|secret|key|password|cookie|signature|credential", re.I)
_SECRET_VALUE = re.compile(r"(bearer|basic|token)\s|eyJ[\w-]+\.|(sk|pk|whsec|fh)_", re.I)

# Control characters are shown as symbols, because a log is read in terminals. Bidirectional
# controls are replaced, because they reorder the text around them.
_VISIBLE = (
    {code: 0x2400 + code for code in range(0x20) if chr(code) not in "\n\t"}
    | {0x7F: 0x2421, ord("\r"): None}
    | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
    | dict.fromkeys(
        (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD
    )
)

# Escapes of URLs, of JSON (with surrogate pairs and the short forms of white space) and of HTML.
_ESCAPES = re.compile(
    r"%[0-7][0-9a-f]|(?:%[89a-f][0-9a-f])+"
    r"|(?<!\\)\\+(?:ud[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2}|u[0-9a-f]{4}|x[0-9a-f]{2}|[bfnrt])"
    r"|&#?\w{1,8};",
    re.I,
)
_UNESCAPED_TIMES = 4
# White space, `+` as an encoded space, backslashes, the characters in which the two alphabets of
# base64 differ, and the symbols that replace control characters in an excerpt.
_LEFT_OUT = re.compile(r"[\s\\+/_=\-\u2400-\u2421\ufffd]")
_SCHEME = re.compile(r"\b(?:(?:bearer|basic|token|aws4-hmac-sha256)\s+|v1,|sha256=)", re.I)


class _Reduced(NamedTuple):
    """`spans` holds the start and end in the original of each character of `text`."""

    text: str
    spans: list[tuple[int, int]]


def is_secret(name: str, value: str) -> bool:
    """Whether a header is a secret: no read shows its value, and no log keeps it."""
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.match(value))


def secrets_of(headers: Mapping[str, str]) -> list[str]:
    """The secrets in the headers of a request; some may be empty."""
    return [
        secret
        for name, value in headers.items()
        if is_secret(name, value)
        for secret in (_SCHEME.sub("", value), _password(value))
    ]


def excerpt(body: bytes, encoding: str, secrets: Iterable[str]) -> str:
    """The first KiB of a response body; `encoding` is its Content-Encoding, or empty."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    text = decoder.decode(_decompressed(body, encoding.strip().lower()))
    return _cut(redacted(text.translate(_VISIBLE), secrets), EXCERPT_BYTES)


def visible(text: str, limit: int) -> str:
    """At most `limit` bytes of the text, without control characters."""
    return _cut(text.translate(_VISIBLE), limit)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """The text with a mask in place of each part of a secret."""
    if not text:
        return text
    seen = _reduced(text)
    hidden = {
        position
        for start, end in _found(seen, [_reduced_secret(secret) for secret in secrets])
        for position in range(seen.spans[start][0], seen.spans[end - 1][1])
    }
    runs = groupby(range(len(text)), lambda position: position in hidden)
    return "".join(
        MASK if is_hidden else "".join(text[position] for position in positions)
        for is_hidden, positions in runs
    )


def _password(value: str) -> str:
    """The password of Basic authentication; empty for any other value."""
    scheme, _, pair = value.partition(" ")
    if scheme.lower() != "basic":
        return ""
    unpadded = pair.strip().rstrip("=")
    try:
        decoded = base64.b64decode(unpadded + "=" * (-len(unpadded) % 4), validate=True)
    except binascii.Error:
        return ""
    return decoded.decode(errors="replace").partition(":")[2]


def _reduced_secret(text: str) -> str:
    """As `_reduced`, without the spans, which are slow to compute."""
    for _ in range(_UNESCAPED_TIMES):
        text, count = _ESCAPES.subn(lambda escape: _meaning(escape[0]), text)
        if not count:
            break
    return _LEFT_OUT.sub("", text).casefold()


def _reduced(text: str) -> _Reduced:
    seen = _Reduced(text, [(position, position + 1) for position in range(len(text))])
    for _ in range(_UNESCAPED_TIMES):
        if not _ESCAPES.search(seen.text):
            break
        seen = _unescaped(seen)
    kept = [
        (character.casefold(), span)
        for character, span in zip(seen.text, seen.spans, strict=True)
        if not _LEFT_OUT.match(character)
    ]
    return _Reduced(
        "".join(characters for characters, _ in kept),
        [span for characters, span in kept for _ in characters],
    )


def _unescaped(seen: _Reduced) -> _Reduced:
    text, spans, done = "", list[tuple[int, int]](), 0
    for escape in _ESCAPES.finditer(seen.text):
        meant = _meaning(escape[0])
        whole = (seen.spans[escape.start()][0], seen.spans[escape.end() - 1][1])
        text += seen.text[done : escape.start()] + meant
        spans += seen.spans[done : escape.start()] + [whole] * len(meant)
        done = escape.end()
    return _Reduced(text + seen.text[done:], spans + seen.spans[done:])


def _meaning(escape: str) -> str:
    match escape[0]:
        case "%":
            return unquote(escape)
        case "&":
            return html.unescape(escape)
    # Empty for \n and the other short forms: they are white space, which is left out anyway.
    units = re.findall(r"[0-9a-f]{2,4}", escape, re.I)
    in_utf16 = bytes.fromhex("".join(unit.zfill(4) for unit in units))
    return in_utf16.decode("utf-16-be", errors="replace")


def _found(seen: _Reduced, secrets: Sequence[str]) -> Iterator[tuple[int, int]]:
    said = set(_runs(seen.text)).intersection(chain.from_iterable(map(_runs, secrets)))
    for start, run in enumerate(_runs(seen.text)):
        if run in said:
            yield start, start + RUN
    for secret in secrets:
        if 0 < len(secret) < RUN:
            yield from _words(seen, secret)


def _runs(text: str) -> Iterator[str]:
    return (text[start : start + RUN] for start in range(len(text) - RUN + 1))


def _words(seen: _Reduced, secret: str) -> Iterator[tuple[int, int]]:
    """Where a short secret is a word by itself: inside other words it is found by chance."""
    start = seen.text.find(secret)
    while start >= 0:
        end = start + len(secret)
        if not _continues(seen, start) and not _continues(seen, end):
            yield start, end
        start = seen.text.find(secret, start + 1)


def _continues(seen: _Reduced, at: int) -> bool:
    """Whether the characters before and at `at` belong to the same word."""
    if not 0 < at < len(seen.text):
        return False
    before, after = seen.spans[at - 1], seen.spans[at]
    return before[1] >= after[0] and (seen.text[at - 1] + seen.text[at]).isalnum()


def _decompressed(body: bytes, encoding: str) -> bytes:
    """The searched part of the body, which a server may compress without being asked to."""
    if not body or encoding in ("", "identity"):
        return body[:_SEARCHED_BYTES]
    if encoding in ("gzip", "x-gzip", "deflate"):
        try:
            # 32 added to the window size: zlib detects gzip and zlib headers by itself.
            return zlib.decompressobj(32 + zlib.MAX_WBITS).decompress(body, _SEARCHED_BYTES)
        except zlib.error:
            pass
    return b"(a body in a content encoding that could not be read)"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
