"""Imports run one way: functions use shared, the rooms of shared use those below them."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What stands at the bottom, and needs nothing but its neighbours.
GROUND = {
    "aws",
    "batch",
    "clock",
    "deadletters",
    "errors",
    "garbage",
    "ids",
    "journal",
    "metrics",
    "model",
    "observability",
    "retention",
    "sdk",
    "settings",
    "transaction",
    "update",
    "version",
}
# Each room, and what it may use beside itself and the ground: other rooms, or modules of them.
ROOMS = {
    "cli": {"configs.store", "delivery.health", "workspaces.models"},
    "actions": {"api", "events.context", "workspaces.models"},
    "events": {"api.paging", "api.validation"},
    "flowestate": {"api.problems", "configs.models", "dialects", "workspaces.models"},
    "clickfunnels": {
        "api.problems",
        "configs.models",
        "delivery.models",
        "dialects",
        "events.models",
        "workspaces.models",
    },
    "visitors": {"api.paging", "delivery.erasure", "events"},
    "funnelytics": {"api.validation", "events", "visitors"},
    "configs": {
        "api.validation",
        "dialects",
        "events.catalogue",
        "events.models",
        "events.operational",
        "events.schema_bounds",
        "workspaces.models",
    },
    "moving": {"api.paging", "configs", "dialects", "workspaces"},
    "workspaces": {"api.validation", "configs.jobs", "configs.keys"},
    "api": {"workspaces"},
    "imports": {"api.body", "api.validation", "events.door", "events.intake"},
    "dialects": {"events.context", "events.models", "workspaces.models"},
    "delivery": {"api.paging", "configs", "dialects", "events", "workspaces"},
    "replays": {"configs", "delivery", "dialects", "events", "workspaces.store"},
}


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


def test_every_room_is_on_the_map() -> None:
    rooms = {path.name for path in (ROOT / "shared").iterdir() if (path / "__init__.py").exists()}
    files = {path.stem for path in (ROOT / "shared").glob("*.py")} - {"__init__"}

    assert rooms == ROOMS.keys()
    assert files == GROUND


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_what_the_map_allows(room: str) -> None:
    allowed = GROUND | ROOMS[room] | {room}

    for name, path in modules(f"shared/{room}"):
        stray = {used for used in imported(path) if not is_within(used, allowed)}
        assert not stray, name


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_allows_nothing_that_is_not_used(room: str) -> None:
    used = set[str]().union(*(imported(path) for _, path in modules(f"shared/{room}")))

    for place in ROOMS[room]:
        assert any(is_within(name, {place}) for name in used), place


@pytest.mark.parametrize("file", sorted(GROUND))
def test_the_ground_uses_no_room(file: str) -> None:
    used = imported(ROOT / "shared" / f"{file}.py")

    assert all(is_within(name, GROUND) for name in used)


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
