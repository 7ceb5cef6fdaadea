"""The ids of ClickFunnels: numbers, and public ids, which are numbers in base 62."""

import re

from shared import ids

_NUMBER = re.compile(r"[0-9]{1,16}")
_PUBLIC_ID = re.compile(r"B[0-9A-Za-z]{1,9}")
_NUMBER_DIGITS = 15
# 2026-01-01T00:00:00Z
_NUMBER_EPOCH_MS = 1_767_225_600_000


def new_number(now_ms: int) -> int:
    """A new id. Ids sort by the time at which they are made."""
    return now_ms - _NUMBER_EPOCH_MS


def moment_of(number: int) -> int:
    """The time (ms) at which `new_number` made the id."""
    return number + _NUMBER_EPOCH_MS


def as_number(text: str) -> int | str:
    """The number that the text spells, else the text itself: `7` is a number, `007` is not."""
    return int(text) if _NUMBER.fullmatch(text) and str(int(text)) == text else text


def number_of(name: str) -> int:
    """The number that the name spells; for any other name a derived number, larger than those."""
    if name.isascii() and name.isdigit() and len(name) <= _NUMBER_DIGITS and name[0] != "0":
        return int(name)
    return 2**52 + (int(ids.sha256_hex(name), 16) >> 205)


def public_id(number: int) -> str:
    """The number in base 62, after a letter that marks it as a public id."""
    text = ""
    while number:
        number, digit = divmod(number, len(ids.BASE62))
        text = ids.BASE62[digit] + text
    return f"B{text}"


def number_from(identifier: str) -> int | None:
    """The number that a number or a public id spells; None if the text is neither."""
    if _NUMBER.fullmatch(identifier):
        return int(identifier)
    if not _PUBLIC_ID.fullmatch(identifier):
        return None
    number = 0
    for character in identifier[1:]:
        number = number * len(ids.BASE62) + ids.BASE62.index(character)
    return number
