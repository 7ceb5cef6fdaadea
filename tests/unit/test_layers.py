"""Imports run one way: functions use shared, the rooms of shared use the rooms below them."""

from graphlib import TopologicalSorter

import pytest

from tests.rooms import GROUND, ORDER, ROOMS, rings, room_of, upward
from tests.sources import PRODUCT, Graph, import_graph, imported, modules


def is_within(name: str, places: set[str]) -> bool:
    return any(f"{name}.".startswith(f"shared.{place}.") for place in places)


def used_by(room: str) -> dict[str, frozenset[str]]:
    """What each module of the room imports, by the name of the module."""
    return {
        module.name: imported(module.text)
        for module in modules("shared")
        if room_of(module.name) == room
    }


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(modules(*PRODUCT))


@pytest.mark.parametrize("folder", PRODUCT)
def test_what_ships_never_uses_tests(folder: str) -> None:
    for module in modules(folder):
        assert not any(used.startswith("tests") for used in imported(module.text)), module.name


def test_shared_never_uses_functions() -> None:
    for module in modules("shared"):
        used = imported(module.text)
        assert not any(name.startswith("functions") for name in used), module.name


def test_what_ships_never_uses_what_does_not() -> None:
    stays = {"cli", "standalone"}
    for module in modules(*PRODUCT):
        uses = any(is_within(used, stays) for used in imported(module.text))
        assert not uses or is_within(module.name, stays), module.name


def test_a_function_uses_no_other_function() -> None:
    for module in modules("functions"):
        used = {name for name in imported(module.text) if name.startswith("functions.")}
        stage = ".".join(module.name.split(".")[:2])
        assert all(f"{name}.".startswith(f"{stage}.") for name in used), module.name


def test_every_module_of_shared_is_in_a_room() -> None:
    outside = {module.name for module in modules("shared") if room_of(module.name) is None}

    # A folder of folders may hold a docstring for all of them.
    holders = {name for name in outside if any(_is_above(name, room) for room in ORDER)}
    assert outside == holders


def test_every_room_holds_a_module() -> None:
    assert {room_of(module.name) for module in modules("shared")} >= set(ORDER)


def test_no_import_runs_up(graph: Graph) -> None:
    assert not upward(graph)


def test_no_folders_import_one_another() -> None:
    assert not rings(import_graph(modules("shared")))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_what_the_map_allows(room: str) -> None:
    allowed = {*GROUND, *ROOMS[room], room}

    for name, used in used_by(room).items():
        assert not {name for name in used if not is_within(name, allowed)}, name


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_allows_nothing_that_is_not_used(room: str) -> None:
    used = set[str]().union(*used_by(room).values())

    for place in ROOMS[room]:
        assert any(is_within(name, {place}) for name in used), place


@pytest.mark.parametrize("room", GROUND)
def test_the_ground_uses_no_room_but_its_own(room: str) -> None:
    for name, used in used_by(room).items():
        assert all(is_within(place, set(GROUND)) for place in used), name


def test_no_module_needs_itself_by_way_of_others(graph: Graph) -> None:
    assert list(TopologicalSorter(graph).static_order())


def test_nobody_reads_the_environment_but_the_settings() -> None:
    for module in modules(*PRODUCT):
        reads = "os.environ" in module.text or "getenv" in module.text
        assert reads is (module.name == "shared.settings"), module.name


def _is_above(module: str, room: str) -> bool:
    return f"shared.{room}".startswith(f"{module}.")
