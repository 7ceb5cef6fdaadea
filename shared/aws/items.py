"""Items of DynamoDB made from plain Python values: whole items, conditions and updates."""

import base64
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from shared.model import Model

M = TypeVar("M", bound=Model)

# Words of DynamoDB's expressions that are names of attributes here.
_RESERVED = ("state", "status")


def to_item(values: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of an item; a value of None is left out. Raises TypeError for a float."""
    return {name: _attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(attribute) for name, attribute in item.items()}


def as_model(model: type[M], values: Mapping[str, Any]) -> M:
    """The model in an item's values, without its other attributes. Raises ValidationError."""
    fields = model.model_fields.keys() & values.keys()
    return model.model_validate({name: values[name] for name in fields})


class Condition(NamedTuple):
    """A condition expression, such as `attempt = :when_attempt`, with `attempt` in `values`.

    `text` names attributes without `#`, except for the reserved words `#state` and `#status`.
    """

    text: str
    values: Mapping[str, Any] = MappingProxyType({})

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
    """An update expression, built clause by clause, and the condition of the write."""

    def __init__(self) -> None:
        self._sets: list[str] = []
        self._removes: list[str] = []
        self._adds: list[str] = []
        self._condition = ""
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def set(self, changes: Mapping[str, Any]) -> "Update":
        """Set attributes; remove the attributes whose new value is None."""
        for name, value in changes.items():
            if value is None:
                self._removes.append(self._name(name))
            else:
                self._sets.append(f"{self._name(name)} = {self._value(name, value)}")
        return self

    def once(self, changes: Mapping[str, Any]) -> "Update":
        """Set the attributes that the item does not have yet."""
        for name, value in changes.items():
            alias = self._name(name)
            self._sets.append(f"{alias} = if_not_exists({alias}, {self._value(name, value)})")
        return self

    def set_within(self, name: str, entries: Mapping[str, Any]) -> "Update":
        """Set entries of the map `name`, which the item must have; its other entries stay."""
        for number, (entry, value) in enumerate(entries.items()):
            alias = f"#{name}{number}"
            self._names[alias] = entry
            value_alias = self._value(f"{name}{number}", value)
            self._sets.append(f"{self._name(name)}.{alias} = {value_alias}")
        return self

    def add(self, name: str, value: int | frozenset[str]) -> "Update":
        """Add to a number (0 if the item does not have it) or to a set of strings."""
        self._adds.append(f"{self._name(name)} {self._value(name, value)}")
        return self

    def remove(self, *paths: str) -> "Update":
        """Remove attributes or parts of documents, such as `attempts[0].excerpt`."""
        self._removes += paths
        return self

    def append(self, name: str, element: Any) -> "Update":
        """Append to a list, which is empty if the item does not have it."""
        alias = self._name(name)
        new, empty = self._value(name, [element]), self._value("empty", [])
        self._sets.append(f"{alias} = list_append(if_not_exists({alias}, {empty}), {new})")
        return self

    def when(self, condition: str, values: Mapping[str, Any]) -> "Update":
        """Write only if the condition holds; `condition` and `values` as in `Condition`."""
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
        case set() | frozenset():  # of strings
            return {"SS": sorted(value)}
        case _:
            raise TypeError(f"a {type(value).__name__} cannot be stored in DynamoDB")


def _value(attribute: Mapping[str, Any]) -> Any:
    ((kind, content),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return content
        case "N":
            return int(content)
        case "B":  # base64 in answers and in records of a stream
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
            raise TypeError(f"an attribute of type {kind} cannot be read")


# Payloads and bodies are stored compressed: DynamoDB charges by the KB, of which JSON then takes a
# third. A small text alone compresses badly, so each is compressed against texts that most contain.
# The first byte of the result names the dictionary. A dictionary that was ever used must stay; a
# better one gets the next number.
_CURRENT = 1
_DICTIONARIES = {
    # The most frequent texts stand last, where references to it are shortest.
    1: b'"passthrough_params":{"event_data1":"pii_email":"pii_phone":"conversion_time":'
    b'"custom_event":{"custom_event_id":"event_number":"conversion":{"conversion_id":"transaction":'
    b'"revenue":"conversion_timestamp":"nodes_path":"page_group_id":"page_id":"time_on_page":'
    b'"reference_hit_id":"most_recent_page_id":"entrance_id":"entrance_timestamp":"tracking_domain":'
    b'"is_new_visitor":false,"is_entrance":true,"is_unique_node_view":"filtered_traffic":'
    b'"funnel_name":"node_name":"node_type":"offer","lander","referrer":"https://www.'
    b'"subject_type":"Contact","subject_id":"data":{"id":"email":"first_name":"last_name":"phone":'
    b'"url_buffer":{"action_data":{"origin_node_id":"action_number":1,"is_action":true,'
    b'"visitor_tags":["tracking_fields":{"utm_source":"utm_medium":"utm_campaign":"utm_content":'
    b'"gclid":"fbclid":"campaign":"traffic_source":{"traffic_source_id":"name":"Facebook","Google"'
    b'"connection_type":"browser":"os":"device_type":"mobile","desktop","language":"en-US",'
    b'"timezone":"America/New_York","city":"region":"country_name":"United States",'
    b'"country_code":"US","user_agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) '
    b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/ Mobile Safari/537.36"
    b"(iPhone; CPU iPhone OS like Mac OS X) AppleWebKit/605.1.15 Version/ Mobile/15E148 "
    b'Safari/604.1","ip":"session":{"visitor_id":"hit":{"hit_id":"hit_timestamp":17,"funnel":{"funnel_id":'
    b'"node_id":"{"visitor":{"visitor_id":"',
}
# No header and no checksum: DynamoDB keeps what it was given.
_RAW = -zlib.MAX_WBITS


class IncompleteError(ValueError):
    """The packed content ends too early."""


def pack(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=_RAW, zdict=_DICTIONARIES[_CURRENT])
    return bytes([_CURRENT]) + packer.compress(content) + packer.flush()


def unpack(packed: bytes | str) -> bytes:
    """The content as it was before `pack`; a text was never packed. Raises IncompleteError."""
    if isinstance(packed, str):
        return packed.encode()
    unpacker = zlib.decompressobj(wbits=_RAW, zdict=_DICTIONARIES[packed[0]])
    content = unpacker.decompress(packed[1:]) + unpacker.flush()
    if not unpacker.eof:
        raise IncompleteError
    return content
