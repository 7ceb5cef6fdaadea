"""Imports run one way: functions use shared, and no module needs itself."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def modules(folder: str) -> Iterator[tuple[str, Path]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield ".".join(path.relative_to(ROOT).with_suffix("").parts), path


def imported(path: Path) -> set[str]:
    """Every name of ours that a file imports, wherever it does so."""
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] in {"shared", "functions", "tests"}}


def is_within(name: str, places: set[str]) -> bool:
    return any(f"{name}.".startswith(f"shared.{place}.") for place in places)


@pytest.mark.parametrize("folder", ["shared", "functions"])
def test_what_ships_never_uses_tests(folder: str) -> None:
    for name, path in modules(folder):
        assert not any(used.startswith("tests") for used in imported(path)), name


def test_shared_never_uses_functions() -> None:
    for name, path in modules("shared"):
        assert not any(used.startswith("functions") for used in imported(path)), name


def test_what_ships_never_uses_the_commands_which_do_not() -> None:
    for folder in ("shared", "functions"):
        for name, path in modules(folder):
            uses = any(is_within(used, {"cli"}) for used in imported(path))
            assert not uses or name.startswith("shared.cli."), name


def test_a_function_uses_no_other_function() -> None:
    for name, path in modules("functions"):
        stage = name.split(".")[1]
        others = {used for used in imported(path) if used.startswith("functions.")}
        assert all(used.startswith(f"functions.{stage}.") for used in others), name


def test_no_module_needs_itself_by_way_of_others() -> None:
    graph = {
        name: {place for used in imported(path) for place in (used, used.rpartition(".")[0])}
        for name, path in (*modules("shared"), *modules("functions"))
    }

    assert list(TopologicalSorter(graph).static_order())


def test_nobody_reads_the_environment_but_the_settings() -> None:
    for folder in ("shared", "functions"):
        for name, path in modules(folder):
            text = path.read_text(encoding="utf-8")
            reads = "os.environ" in text or "getenv" in text
            assert reads is (name == "shared.settings"), name
