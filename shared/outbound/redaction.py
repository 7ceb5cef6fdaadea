"""The secrets of a request, hidden in the answer of an endpoint that says them back.

Text and secrets are compared in a reduced form: escapes of URLs, JSON and HTML are undone, several
layers of them, letters are small, and what encodings add, drop or swap is left out. A secret is
found by any eight characters of it in a row, so a part of one is as good as the whole.
"""

import base64
import binascii
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from typing import NamedTuple
from urllib.parse import unquote

from shared.outbound.credentials import is_secret

MASK = "********"
RUN = 8

# Of URLs, of JSON (in two halves beyond the first plane, and for blanks), of HTML.
_ESCAPES = re.compile(
    r"%[0-7][0-9a-f]|(?:%[89a-f][0-9a-f])+"
    r"|(?<!\\)\\+(?:ud[89ab][0-9a-f]{2}\\+ud[c-f][0-9a-f]{2}|u[0-9a-f]{4}|x[0-9a-f]{2}|[bfnrt])"
    r"|&#?\w{1,8};",
    re.I,
)
_UNESCAPED_TIMES = 4
# Blanks and ends of lines, `+` for a blank, backslashes, where the two base64 alphabets differ, and
# what stands in an excerpt for what cannot be shown.
_LEFT_OUT = re.compile(r"[\s\\+/_=\-\u2400-\u2421\ufffd]")
_SCHEME = re.compile(r"\b(?:(?:bearer|basic|token|aws4-hmac-sha256)\s+|v1,|sha256=)", re.I)


class _Reduced(NamedTuple):
    """For each character of `text`, where it stood in the original."""

    text: str
    spans: list[tuple[int, int]]


def secrets_of(headers: Mapping[str, str]) -> list[str]:
    """What the headers of a request hold that nobody may read."""
    return [
        secret
        for name, value in headers.items()
        if is_secret(name, value)
        for secret in (_SCHEME.sub("", value), _password(value))
    ]


def masked(text: str, secrets: Iterable[str]) -> str:
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
    """Of Basic authentication, and of anything else nothing."""
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
    """As `_reduced`, without the places, which make it slow."""
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
    # None for \n and its like, which stand for what is left out anyway.
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
    """Where a short secret stands by itself: inside of words it would be found by chance."""
    start = seen.text.find(secret)
    while start >= 0:
        end = start + len(secret)
        if not _continues(seen, start) and not _continues(seen, end):
            yield start, end
        start = seen.text.find(secret, start + 1)


def _continues(seen: _Reduced, at: int) -> bool:
    """Whether a word goes on from the character before `at` to the one there."""
    if not 0 < at < len(seen.text):
        return False
    before, after = seen.spans[at - 1], seen.spans[at]
    return before[1] >= after[0] and (seen.text[at - 1] + seen.text[at]).isalnum()
