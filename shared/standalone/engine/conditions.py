"""Condition, filter and key-condition expressions, compiled once into functions of an item."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from shared.standalone.engine.tokens import Operand, Tokens, Used, Values, lookup
from shared.standalone.engine.values import Item, Wire, is_before, kind_of, length, same

Test = Callable[[Item, Values], bool]
Names = tuple[tuple[str, str], ...]


class ConditionExpression(NamedTuple):
    holds: Test
    used: Used


def compiled(text: str, names: Mapping[str, str]) -> ConditionExpression:
    return _compiled(text, tuple(names.items()))


@lru_cache(maxsize=4096)
def _compiled(text: str, names: Names) -> ConditionExpression:
    used = Used(set(), set())
    tokens = Tokens(text, dict(names), used)
    test = _disjunction(tokens)
    tokens.end()
    return ConditionExpression(test, used)


def _disjunction(tokens: Tokens) -> Test:
    tests = [_conjunction(tokens)]
    while tokens.take("OR"):
        tests.append(_conjunction(tokens))
    return tests[0] if len(tests) == 1 else lambda i, v: any(test(i, v) for test in tests)


def _conjunction(tokens: Tokens) -> Test:
    tests = [_negation(tokens)]
    while tokens.take("AND"):
        tests.append(_negation(tokens))
    return tests[0] if len(tests) == 1 else lambda i, v: all(test(i, v) for test in tests)


def _negation(tokens: Tokens) -> Test:
    if tokens.take("NOT"):
        negated = _negation(tokens)
        return lambda i, v: not negated(i, v)
    if tokens.take("("):
        inner = _disjunction(tokens)
        tokens.expect(")")
        return inner
    return _function(tokens) or _comparison(tokens)


def _function(tokens: Tokens) -> Test | None:
    for name, make in _FUNCTIONS.items():
        if tokens.take(name):
            tokens.expect("(")
            test = make(tokens)
            tokens.expect(")")
            return test
    return None


def _exists(tokens: Tokens) -> Test:
    there = lookup(tokens.path())
    return lambda i, v: there(i, v) is not None


def _not_exists(tokens: Tokens) -> Test:
    there = lookup(tokens.path())
    return lambda i, v: there(i, v) is None


def _begins_with(tokens: Tokens) -> Test:
    text = operand(tokens)
    tokens.expect(",")
    prefix = operand(tokens)
    return lambda i, v: _on_both(text(i, v), prefix(i, v), _starts)


_FUNCTIONS = {
    "ATTRIBUTE_EXISTS": _exists,
    "ATTRIBUTE_NOT_EXISTS": _not_exists,
    "BEGINS_WITH": _begins_with,
}


def _comparison(tokens: Tokens) -> Test:
    left = operand(tokens)
    if tokens.take("BETWEEN"):
        return _between(tokens, left)
    if tokens.take("IN"):
        return _among(tokens, left)
    compare = _COMPARISONS.get(tokens.next())
    if compare is None:
        raise tokens.unsupported()
    right = operand(tokens)
    return lambda i, v: _on_both(left(i, v), right(i, v), compare)


def _between(tokens: Tokens, middle: Operand) -> Test:
    low = operand(tokens)
    tokens.expect("AND")
    high = operand(tokens)
    within = _COMPARISONS["<="]
    return lambda i, v: (
        _on_both(low(i, v), middle(i, v), within) and _on_both(middle(i, v), high(i, v), within)
    )


def _among(tokens: Tokens, wanted: Operand) -> Test:
    tokens.expect("(")
    candidates = [operand(tokens)]
    while tokens.take(","):
        candidates.append(operand(tokens))
    tokens.expect(")")
    return lambda i, v: any(_on_both(wanted(i, v), one(i, v), same) for one in candidates)


def operand(tokens: Tokens) -> Operand:
    if tokens.peek().startswith(":"):
        name = tokens.value()
        return lambda item, values: values[name]
    if tokens.take("SIZE"):
        return _size(tokens)
    return lookup(tokens.path())


def _size(tokens: Tokens) -> Operand:
    tokens.expect("(")
    there = lookup(tokens.path())
    tokens.expect(")")

    def size(item: Item, values: Values) -> Wire | None:
        value = there(item, values)
        return None if value is None else {"N": str(length(value))}

    return size


def _on_both(left: Wire | None, right: Wire | None, test: Callable[[Wire, Wire], bool]) -> bool:
    """What is not there compares with nothing, but differs from everything."""
    if left is None or right is None:
        return test is _differ
    return test(left, right)


def _differ(left: Wire, right: Wire) -> bool:
    return not same(left, right)


def _starts(text: Wire, prefix: Wire) -> bool:
    kind = kind_of(text)
    return kind in ("S", "B") and kind == kind_of(prefix) and text[kind].startswith(prefix[kind])


_COMPARISONS: dict[str, Callable[[Wire, Wire], bool]] = {
    "=": same,
    "<>": _differ,
    "<": is_before,
    ">": lambda left, right: is_before(right, left),
    "<=": lambda left, right: same(left, right) or is_before(left, right),
    ">=": lambda left, right: same(left, right) or is_before(right, left),
}
