"""What a module may ever import, now or later, found in the source of what ships."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path


def reached(start: str, folder: Path) -> set[str]:
    """The modules that `start` imports, those that they import, and so on; also what is imported
    within functions, but not what is imported for types alone. What `folder` lacks is named too."""
    found, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imported(name, folder)
    return found


def source(name: str, folder: Path) -> Path | None:
    place = folder.joinpath(*name.split("."))
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if name and path.is_file()), None)


@cache
def _imported(name: str, folder: Path) -> frozenset[str]:
    path = source(name, folder)
    if path is None:
        return frozenset()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {one for node in _nodes(tree) for one in _named(node, package)}
    modules = {one for one in names if source(one, folder) or not source(_parent(one), folder)}
    return frozenset(place for one in modules for place in _with_parents(one))


def _nodes(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return
    for child in ast.iter_child_nodes(node):
        yield from _nodes(child)


def _named(node: ast.AST, package: str) -> Iterator[str]:
    """`from a import b` may name a module or something in one."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node, package)
        yield base
        yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*(above if node.level else ()), *([node.module] if node.module else ())])


def _parent(name: str) -> str:
    return name.rpartition(".")[0]


def _with_parents(name: str) -> Iterator[str]:
    while name:
        yield name
        name = _parent(name)
