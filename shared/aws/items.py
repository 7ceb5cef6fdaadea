"""Plain Python values in and out of DynamoDB items."""

import base64
from collections.abc import Mapping
from typing import Any


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of an item; a value of None is left out."""
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(attribute) for name, attribute in item.items()}


def _attribute(value: Any) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": {name: _attribute(inner) for name, inner in value.items()}}
        case list() | tuple():
            return {"L": [_attribute(element) for element in value]}
        case set() | frozenset():  # of text
            return {"SS": sorted(value)}
        case _:
            raise TypeError(f"DynamoDB is given no {type(value).__name__} here")


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, content),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return int(content)
        case "B":  # text as it comes over the wire
            return base64.b64decode(content) if isinstance(content, str) else content
        case "M":
            return from_item(content)
        case "L":
            return [_value(element) for element in content]
        case "SS":
            return set(content)
        case "NULL":
            return None
        case _:
            raise TypeError(f"DynamoDB has nothing of kind {kind} here")
