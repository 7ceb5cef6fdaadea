"""The words of a DynamoDB expression, and what conditions and updates have in common: paths."""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from shared.standalone.engine.values import Item, UnsupportedError, Wire

Values = Mapping[str, Wire]
Operand = Callable[[Item, Values], Wire | None]
Path = tuple[str | int, ...]

_TOKEN = re.compile(r"\s*([#:]?\w+|<>|<=|>=|[=<>(),.\[\]+-])")


class Used(NamedTuple):
    """The placeholders that an expression names: DynamoDB refuses a request with others."""

    names: set[str]
    values: set[str]


class Tokens:
    """A cursor over the words of one expression."""

    def __init__(self, text: str, names: Mapping[str, str], used: Used) -> None:
        self._text = text
        self._words = _split(text)
        self._names = names
        self._used = used
        self._at = 0

    def peek(self) -> str:
        return self._words[self._at].upper() if self._at < len(self._words) else ""

    def next(self) -> str:
        if self._at == len(self._words):
            raise self.unsupported()
        self._at += 1
        return self._words[self._at - 1]

    def take(self, word: str) -> bool:
        """Step over the word if it is the next one."""
        if self.peek() != word:
            return False
        self._at += 1
        return True

    def expect(self, word: str) -> None:
        if not self.take(word):
            raise self.unsupported()

    def end(self) -> None:
        if self.peek():
            raise self.unsupported()

    def unsupported(self) -> UnsupportedError:
        return UnsupportedError(f"{self._text!r} at word {self._at}: {self.peek() or 'its end'}")

    def path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.peek() in (".", "["):
            if self.take("."):
                parts.append(self._name())
            else:
                self.expect("[")
                parts.append(int(self.next()))
                self.expect("]")
        return tuple(parts)

    def value(self) -> str:
        word = self.next()
        if not word.startswith(":"):
            raise self.unsupported()
        self._used.values.add(word)
        return word

    def _name(self) -> str:
        word = self.next()
        if word.startswith("#"):
            self._used.names.add(word)
            return self._names[word]
        if word.startswith(":") or not (word[0].isalpha() or word[0] == "_"):
            raise self.unsupported()
        return word


def lookup(path: Path) -> Operand:
    """What stands at the path, None if nothing does."""
    if len(path) == 1 and isinstance(name := path[0], str):
        return lambda item, values: item.get(name)
    return lambda item, values: _walk({"M": item}, path)


def _walk(value: Wire, path: Path) -> Wire | None:
    found: Wire | None = value
    for step in path:
        if found is None:
            return None
        if isinstance(step, int):
            elements = found.get("L", [])
            found = elements[step] if step < len(elements) else None
        else:
            found = found.get("M", {}).get(step)
    return found


def _split(text: str) -> list[str]:
    words, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise UnsupportedError(f"{text!r} at character {at}")
        words.append(match[1])
        at = match.end()
    return words
