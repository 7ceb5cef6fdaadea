"""The Python modules of the repository as tests read them: names, texts, imports, classes."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[1]
# The folders that ship. Their names are the packages that an import of ours begins with.
PRODUCT = ("functions", "shared")

# From the name of each module to the names of the modules that it imports.
Graph = Mapping[str, set[str]]


class Module(NamedTuple):
    """`name` is dotted; the module of an `__init__.py` has the name of its folder."""

    name: str
    path: Path

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


def modules(*folders: str) -> Iterator[Module]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield Module(".".join(parts).removesuffix(".__init__"), path)


@cache
def imported(text: str) -> frozenset[str]:
    """The dotted names of ours that a module imports anywhere in its text.

    `from shared import clock` gives `shared.clock`, `from shared.clock import now_ms` gives
    `shared.clock.now_ms`. Raises ValueError if an import is relative.
    """
    found = set[str]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"line {node.lineno}: imports are absolute here")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(name for name in found if name.split(".")[0] in {*PRODUCT, "tests"})


def import_graph(found: Iterable[Module]) -> Graph:
    names = {module.name: imported(module.text) for module in found}
    return {name: set(_resolved(used, names)) - {name} for name, used in names.items()}


def classes(text: str) -> list[str]:
    """The names of the classes that a module defines, nested classes included."""
    return [node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ClassDef)]


def repeated(names: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    """The names that stand in more than one place, with their places."""
    places = dict[str, list[T]]()
    for name, place in names:
        places.setdefault(name, []).append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def repeated_classes() -> dict[str, list[str]]:
    """The class names that are defined more than once in the product, with the modules."""
    return repeated(
        (name, module.name) for module in modules(*PRODUCT) for name in classes(module.text)
    )


def _resolved(used: Iterable[str], known: Collection[str]) -> Iterator[str]:
    """The modules that hold the imported names."""
    for name in used:
        while name and name not in known:
            name = name.rpartition(".")[0]
        if name:
            yield name
