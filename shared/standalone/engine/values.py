"""DynamoDB's values as they are on the wire, such as `{"S": "text"}`: how they compare and add."""

from decimal import Context, Decimal
from typing import Any

# DynamoDB keeps 38 digits of a number, and Python 28 unless it is told.
DIGITS = Context(prec=38)

Wire = dict[str, Any]
Item = dict[str, Wire]

_ORDERED = frozenset("SNB")
_SIZED = frozenset(("S", "B", "L", "M", "SS", "NS", "BS"))


class UnsupportedError(BaseException):
    """The engine does not know this part of AWS: teach it, and test that against moto.

    Nothing that catches errors hides it.
    """


def kind_of(value: Wire) -> str:
    (kind,) = value
    return kind


def plain(value: Wire) -> Any:
    """A number for N, bytes for S, whose order DynamoDB goes by; for others what the wire holds."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return int(inner) if inner.lstrip("-").isdigit() else Decimal(inner)
    return inner.encode() if kind == "S" else inner


def same(left: Wire, right: Wire) -> bool:
    return left == right


def is_before(left: Wire, right: Wire) -> bool:
    """Values of different kinds have no order."""
    kind = kind_of(left)
    if kind not in _ORDERED or kind != kind_of(right):
        return False
    return bool(plain(left) < plain(right))


def length(value: Wire) -> int:
    """What `size` gives: of characters, bytes, or elements."""
    kind = kind_of(value)
    if kind not in _SIZED:
        raise UnsupportedError(f"the size of a value of kind {kind}")
    return len(value[kind])


def number(value: Decimal | int) -> Wire:
    return {"N": f"{DIGITS.normalize(Decimal(value)):f}"}


def normal(value: Wire) -> Wire:
    """As DynamoDB keeps it: 1.0 and 1 are the same number, and a StrEnum is its text."""
    ((kind, inner),) = value.items()
    if kind == "S":
        return value if type(inner) is str else {"S": str.__str__(inner)}
    if kind == "N":
        return value if inner.isdigit() else number(Decimal(inner))
    if kind == "L":
        return {"L": [normal(element) for element in inner]}
    return {"M": normal_item(inner)} if kind == "M" else value


def normal_item(item: Item) -> Item:
    return {name: normal(value) for name, value in item.items()}
