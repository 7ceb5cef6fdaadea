"""Conditions and updates of an item, put together from plain values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.aws.items import to_item

_RESERVED = ("state", "status")


@dataclass(frozen=True)
class Condition:
    """`text` names attributes as they are, but for reserved words: `#state`, `#status`.

    Its values are `:when_name` in `text`, and `name` in `values`.
    """

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)

    def request(self) -> dict[str, Any]:
        request: dict[str, Any] = {"ConditionExpression": self.text}
        if names := {f"#{name}": name for name in _RESERVED if f"#{name}" in self.text}:
            request["ExpressionAttributeNames"] = names
        if self.values:
            values = {f":when_{name}": value for name, value in self.values.items()}
            request["ExpressionAttributeValues"] = to_item(values)
        return request


IS_NEW = Condition("attribute_not_exists(pk)")
EXISTS = Condition("attribute_exists(pk)")


class Update:
    """`set` sets values and removes those that are None; `once` sets what is not there yet."""

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._removes: list[str] = []
        self._adds: list[str] = []
        self._condition = ""
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def set(self, changes: Mapping[str, Any]) -> "Update":
        for name, value in changes.items():
            if value is None:
                self._removes.append(self._name(name))
            else:
                self._sets.append(f"{self._name(name)} = {self._value(name, value)}")
        return self

    def once(self, changes: Mapping[str, Any]) -> "Update":
        for name, value in changes.items():
            alias = self._name(name)
            self._sets.append(f"{alias} = if_not_exists({alias}, {self._value(name, value)})")
        return self

    def set_within(self, name: str, entries: Mapping[str, Any]) -> "Update":
        """Sets entries of the map `name`, which is there; the other entries stay."""
        for number, (entry, value) in enumerate(entries.items()):
            alias = f"#{name}{number}"
            self._names[alias] = entry
            value_alias = self._value(f"{name}{number}", value)
            self._sets.append(f"{self._name(name)}.{alias} = {value_alias}")
        return self

    def add(self, name: str, value: int | frozenset[str]) -> "Update":
        """Adds to a number, or to a set of texts."""
        self._adds.append(f"{self._name(name)} {self._value(name, value)}")
        return self

    def remove(self, *paths: str) -> "Update":
        """`paths` into documents stand as they are: `attempts[0].excerpt`."""
        self._removes += paths
        return self

    def append(self, name: str, element: Any) -> "Update":
        alias = self._name(name)
        new, empty = self._value(name, [element]), self._value("empty", [])
        self._sets.append(f"{alias} = list_append(if_not_exists({alias}, {empty}), {new})")
        return self

    def when(self, condition: str, values: Mapping[str, Any]) -> "Update":
        """`condition` names attributes as they are, but for reserved words: `#state`, `#status`."""
        self._condition = condition
        for name, value in values.items():
            self._values[f":when_{name}"] = value
        for name in _RESERVED:
            if f"#{name}" in condition:
                self._name(name)
        return self

    def request(self) -> dict[str, Any]:
        clauses = {"SET": self._sets, "REMOVE": self._removes, "ADD": self._adds}
        expression = " ".join(f"{verb} {', '.join(some)}" for verb, some in clauses.items() if some)
        request: dict[str, Any] = {
            "UpdateExpression": expression,
            "ExpressionAttributeNames": self._names,
        }
        if self._values:
            request["ExpressionAttributeValues"] = to_item(self._values)
        if self._condition:
            request["ConditionExpression"] = self._condition
        return request

    def _name(self, name: str) -> str:
        self._names[f"#{name}"] = name
        return f"#{name}"

    def _value(self, name: str, value: Any) -> str:
        self._values[f":{name}"] = value
        return f":{name}"
