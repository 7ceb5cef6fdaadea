"""template.yaml as tests read it: the short forms written out, references replaced on demand."""

import re
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

PATH = Path(__file__).parents[3] / "template.yaml"
Json = dict[str, Any]


class _Loader(yaml.CSafeLoader):  # in Python it takes two seconds
    """`!Ref X` becomes `{"Ref": "X"}`, any other `!Name X` becomes `{"Fn::Name": X}`."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Json:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)


class Template:
    def __init__(self, text: str) -> None:
        self.values: Json = yaml.load(text, _Loader)  # noqa: S506 - a kind of SafeLoader
        self.parameters: Json = self.values["Parameters"]
        self.resources: Json = self.values["Resources"]
        self.outputs: Json = self.values["Outputs"]

    def of_type(self, kind: str) -> dict[str, Json]:
        """The properties of every resource of a type, by logical id."""
        return {
            name: resource["Properties"]
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def functions(self) -> Mapping[str, Json]:
        """The functions with what Globals gives each of them."""
        return self._functions

    @cached_property
    def _functions(self) -> dict[str, Json]:
        common = self.values["Globals"]["Function"]
        return {
            name: common | function | {"Environment": _joined(common, function)}
            for name, function in self.of_type("AWS::Serverless::Function").items()
        }

    def parameter(self, name: str, given: Mapping[str, str]) -> Any:
        """What is given for a parameter, or else its default."""
        return given.get(name, self.parameters[name]["Default"])

    def events(self, kind: str) -> list[tuple[str, Json]]:
        """What invokes functions: the function's logical id and the properties of the event."""
        return [
            (name, event["Properties"])
            for name, function in self.functions().items()
            for event in function.get("Events", {}).values()
            if event["Type"] == kind
        ]


def _joined(common: Json, function: Json) -> Json:
    own = function.get("Environment", {}).get("Variables", {})
    return {"Variables": common["Environment"]["Variables"] | own}


@cache
def template() -> Template:
    return Template(PATH.read_text(encoding="utf-8"))


def references(value: Any) -> set[str]:
    """The logical ids and parameters that a value refers to."""
    if isinstance(value, list):
        return set().union(*map(references, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(references, value.values()))
    for name, target in value.items():
        if name == "Ref":
            found.add(target)
        if name == "Fn::GetAtt":
            found.add(target[0])
        if name == "Fn::Sub":
            found |= set(re.findall(r"\$\{(\w+)", target))
    return found


def resolved(value: Any, ref: Callable[[str], Any], attributes: Mapping[str, Json]) -> Any:
    """`value` with its `Ref` and `GetAtt` replaced."""
    match value:
        case {"Ref": name}:
            return ref(name)
        case {"Fn::GetAtt": [name, attribute]}:
            return attributes[name][attribute]
        case dict():
            return {name: resolved(inner, ref, attributes) for name, inner in value.items()}
        case list():
            return [resolved(inner, ref, attributes) for inner in value]
        case _:
            return value
