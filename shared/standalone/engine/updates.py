"""Update and projection expressions, compiled once into functions of an item.

As in the code, ADD is of a whole attribute, and no path ends at an element of a list.
"""

from collections.abc import Callable, Mapping
from copy import copy
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from shared.standalone.engine.conditions import Names, operand
from shared.standalone.engine.tokens import Operand, Path, Tokens, Used, Values, lookup
from shared.standalone.engine.values import DIGITS, Item, Wire, number

Change = Callable[[Item, Item, Values], None]


class InvalidUpdateError(Exception):
    """An operand is not there or of the wrong kind: DynamoDB answers ValidationException."""


class UpdateExpression(NamedTuple):
    """`apply` gives the new item; `touched` are the attributes that it names."""

    apply: Callable[[Item, Values], Item]
    used: Used
    touched: tuple[str, ...]


class ProjectionExpression(NamedTuple):
    of: Callable[[Item], Item]
    used: Used


def update(text: str, names: Mapping[str, str]) -> UpdateExpression:
    return _update(text, tuple(names.items()))


def projection(text: str, names: Mapping[str, str]) -> ProjectionExpression:
    return _projection(text, tuple(names.items()))


@lru_cache(maxsize=4096)
def _update(text: str, names: Names) -> UpdateExpression:
    used, changes, touched = Used(set(), set()), list[Change](), list[Path]()
    tokens = Tokens(text, dict(names), used)
    while verb := tokens.peek():
        if verb not in _VERBS:
            raise tokens.unsupported()
        tokens.next()
        more = True
        while more:
            path = tokens.path()
            if any(_overlap(path, other) for other in touched):
                raise tokens.unsupported()
            touched.append(path)
            changes.append(_VERBS[verb](tokens, path))
            more = tokens.take(",")
    names_of_all = tuple(str(path[0]) for path in touched)
    return UpdateExpression(
        lambda item, values: _applied(changes, item, values), used, names_of_all
    )


@lru_cache(maxsize=1024)
def _projection(text: str, names: Names) -> ProjectionExpression:
    used = Used(set(), set())
    tokens = Tokens(text, dict(names), used)
    wanted = [_whole_attribute(tokens, tokens.path())]
    while tokens.take(","):
        wanted.append(_whole_attribute(tokens, tokens.path()))
    tokens.end()
    return ProjectionExpression(
        lambda item: {name: item[name] for name in wanted if name in item}, used
    )


def _applied(changes: list[Change], item: Item, values: Values) -> Item:
    """Every operand is read from the item as it was."""
    new = dict(item)
    for change in changes:
        change(new, item, values)
    return new


def _whole_attribute(tokens: Tokens, path: Path) -> str:
    if len(path) != 1 or not isinstance(path[0], str):
        raise tokens.unsupported()
    return path[0]


def _overlap(one: Path, other: Path) -> bool:
    return all(step == of_other for step, of_other in zip(one, other, strict=False))


def _set(tokens: Tokens, path: Path) -> Change:
    name = _last_name(tokens, path)
    tokens.expect("=")
    value = _sum(tokens)

    def change(new: Item, old: Item, values: Values) -> None:
        _map_around(new, path)[name] = _present(value(old, values))

    return change


def _remove(tokens: Tokens, path: Path) -> Change:
    name = _last_name(tokens, path)

    def change(new: Item, old: Item, values: Values) -> None:
        _map_around(new, path).pop(name, None)

    return change


def _last_name(tokens: Tokens, path: Path) -> str:
    if not isinstance(path[-1], str):
        raise tokens.unsupported()
    return path[-1]


def _map_around(new: Item, path: Path) -> Item:
    """The map in which the path ends, copied with all that is on the way to it, which the old item
    has too."""
    inside: Any = {"M": new}
    for step, after in pairwise(path):
        holder = inside["M"] if isinstance(step, str) else inside["L"]
        kind = "M" if isinstance(after, str) else "L"
        try:
            copied = {kind: copy(holder[step][kind])}
        except (KeyError, IndexError):
            raise InvalidUpdateError("The document path is invalid for update.") from None
        holder[step] = inside = copied
    around: Item = inside["M"]
    return around


def _add(tokens: Tokens, path: Path) -> Change:
    name, amount = _whole_attribute(tokens, path), tokens.value()
    there = lookup((name,))

    def change(new: Item, old: Item, values: Values) -> None:
        new[name] = _joined(there(old, values), values[amount])

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


def _joined(there: Wire | None, more: Wire) -> Wire:
    """A sum, or the union of two sets of text."""
    if "SS" not in more:
        return _added(there or {"N": "0"}, more, 1)
    if there is not None and "SS" not in there:
        raise InvalidUpdateError("An operand is no set.")
    return {"SS": sorted({*(there or more)["SS"], *more["SS"]})}


def _added(left: Wire, right: Wire, sign: int) -> Wire:
    if "N" not in left or "N" not in right:
        raise InvalidUpdateError("An operand is no number.")
    combine = DIGITS.add if sign > 0 else DIGITS.subtract
    return number(combine(Decimal(left["N"]), Decimal(right["N"])))
