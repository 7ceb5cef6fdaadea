"""Update and projection expressions, compiled once into functions of an item.

Every SET, REMOVE and ADD is of a whole attribute, as in the code: a path into one is unsupported.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tests.faults.engine.conditions import Names, operand
from tests.faults.engine.tokens import Operand, Tokens, Used, Values, lookup
from tests.faults.engine.values import Item, Wire, number

Change = Callable[[Item, Item, Values], None]


class InvalidUpdateError(Exception):
    """An operand is not there or of the wrong kind: DynamoDB answers ValidationException."""


class Update(NamedTuple):
    """`apply` gives the new item; `touched` are the attributes that it names."""

    apply: Callable[[Item, Values], Item]
    used: Used
    touched: tuple[str, ...]


class Projection(NamedTuple):
    of: Callable[[Item], Item]
    used: Used


def update(text: str, names: Mapping[str, str]) -> Update:
    return _update(text, tuple(names.items()))


def projection(text: str, names: Mapping[str, str]) -> Projection:
    return _projection(text, tuple(names.items()))


@lru_cache(maxsize=4096)
def _update(text: str, names: Names) -> Update:
    used, changes, touched = Used(set(), set()), list[Change](), list[str]()
    tokens = Tokens(text, dict(names), used)
    while verb := tokens.peek():
        if verb not in _VERBS:
            raise tokens.unsupported()
        tokens.next()
        more = True
        while more:
            name = _whole_attribute(tokens)
            if name in touched:
                raise tokens.unsupported()
            touched.append(name)
            changes.append(_VERBS[verb](tokens, name))
            more = tokens.take(",")
    return Update(lambda item, values: _applied(changes, item, values), used, tuple(touched))


@lru_cache(maxsize=1024)
def _projection(text: str, names: Names) -> Projection:
    used = Used(set(), set())
    tokens = Tokens(text, dict(names), used)
    wanted = [_whole_attribute(tokens)]
    while tokens.take(","):
        wanted.append(_whole_attribute(tokens))
    tokens.end()
    return Projection(lambda item: {name: item[name] for name in wanted if name in item}, used)


def _applied(changes: list[Change], item: Item, values: Values) -> Item:
    """Every operand is read from the item as it was."""
    new = dict(item)
    for change in changes:
        change(new, item, values)
    return new


def _whole_attribute(tokens: Tokens) -> str:
    path = tokens.path()
    if len(path) != 1 or not isinstance(path[0], str):
        raise tokens.unsupported()
    return path[0]


def _set(tokens: Tokens, name: str) -> Change:
    tokens.expect("=")
    value = _sum(tokens)

    def change(new: Item, old: Item, values: Values) -> None:
        new[name] = _present(value(old, values))

    return change


def _remove(_: Tokens, name: str) -> Change:
    def change(new: Item, old: Item, values: Values) -> None:
        new.pop(name, None)

    return change


def _add(tokens: Tokens, name: str) -> Change:
    amount = tokens.value()
    there = lookup((name,))

    def change(new: Item, old: Item, values: Values) -> None:
        new[name] = _added(there(old, values) or {"N": "0"}, values[amount], 1)

    return change


_VERBS = {"SET": _set, "REMOVE": _remove, "ADD": _add}


def _sum(tokens: Tokens) -> Operand:
    left = _term(tokens)
    for symbol, sign in (("+", 1), ("-", -1)):
        if tokens.take(symbol):
            right = _term(tokens)
            return lambda i, v: _added(_present(left(i, v)), _present(right(i, v)), sign)
    return left


def _term(tokens: Tokens) -> Operand:
    if tokens.take("IF_NOT_EXISTS"):
        there, other = _pair(tokens)
        return lambda i, v: there(i, v) or other(i, v)
    if tokens.take("LIST_APPEND"):
        first, second = _pair(tokens)
        return lambda i, v: {"L": _list(first(i, v)) + _list(second(i, v))}
    return operand(tokens)


def _pair(tokens: Tokens) -> tuple[Operand, Operand]:
    tokens.expect("(")
    first = _term(tokens)
    tokens.expect(",")
    second = _term(tokens)
    tokens.expect(")")
    return first, second


def _present(value: Wire | None) -> Wire:
    if value is None:
        raise InvalidUpdateError("An operand does not exist in the item.")
    return value


def _list(value: Wire | None) -> list[Wire]:
    if value is None or "L" not in value:
        raise InvalidUpdateError("An operand of list_append is no list.")
    elements: list[Wire] = value["L"]
    return elements


def _added(left: Wire, right: Wire, sign: int) -> Wire:
    if "N" not in left or "N" not in right:
        raise InvalidUpdateError("An operand is no number.")
    return number(Decimal(left["N"]) + sign * Decimal(right["N"]))
