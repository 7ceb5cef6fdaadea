"""The size of an item, as DynamoDB counts it.

Source: Amazon DynamoDB developer guide, "DynamoDB item sizes and formats".
"""

import marshal
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

Item = Mapping[str, Any]


def size(item: Item) -> int:
    """Bytes of an item in DynamoDB's own JSON, such as `{"pk": {"S": "W#1"}}`."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def size_at_most(items: list[Any]) -> int:
    """A size that the items together do not exceed, found much faster than the size itself."""
    # This version of the format writes each text and each container in full.
    return len(marshal.dumps(items, 2))


def value_size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_size(content)
        case "B":
            return len(content)
        case "BOOL" | "NULL":
            return 1
        case "L":
            return 3 + sum(1 + value_size(element) for element in content)
        case "M":
            return 3 + len(content) + size(content)
        case _:
            return sum(value_size({kind[0]: element}) for element in content)


def _number_size(text: str) -> int:
    """About a byte for two digits, zeros at either end left out, one more, one for a minus."""
    sign, digits, _ = Decimal(text).normalize().as_tuple()
    return (len(digits) + 1) // 2 + 1 + sign
