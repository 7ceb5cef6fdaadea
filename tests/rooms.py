"""The rooms of shared/: their order from top to bottom, and the imports that break it.

A room is a folder of shared/, at any depth, or a module that stands in shared/ itself. Names are
dotted and relative to shared/: `deliveries`, `apis.funnelflux`, `clock`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tests.sources import Graph

# Each room, from top to bottom, and what it may use beside itself and the ground: rooms below it,
# or one module of such a room.
ROOMS: dict[str, set[str]] = {
    "cli": {"endpoints.breaker", "standalone.admin", "workspaces.models"},
    "standalone": set(),
    "moving": {
        "apis.checks",
        "apis.funnelflux",
        "configs",
        "dialects",
        "events.models",
        "events.own_types",
        "outbound.redaction",
        "workspaces",
    },
    "privacy": {"deliveries", "events", "repair.event_scan", "visitors", "workspaces"},
    "replays": {"configs", "deliveries", "dialects", "endpoints.store", "events", "workspaces"},
    "imports": {"events", "workspaces.models"},
    "apis.clickfunnels": {
        "configs.models",
        "configs.triggers",
        "deliveries.models",
        "dialects",
        "events.models",
        "web.problems",
        "workspaces.models",
    },
    "apis.flowestate": {
        "configs.models",
        "configs.triggers",
        "dialects",
        "web.problems",
        "workspaces.models",
    },
    "apis.funnelytics": {"events", "visitors", "workspaces.models"},
    "apis.funnelflux": {"apis.checks", "configs", "dialects", "events"},
    "apis": {"attempts.placeholders", "configs", "events", "outbound.ssrf"},
    "actions": {"events.context", "web", "workspaces.models"},
    "visitors": {"events.log"},
    "repair": {"deliveries", "events", "workspaces.models"},
    "attempts": {
        "configs",
        "deliveries",
        "dialects",
        "endpoints",
        "events",
        "outbound",
        "workspaces",
    },
    "endpoints": {"configs", "deliveries", "dialects", "events", "outbound.response"},
    "deliveries": {"configs", "dialects", "events", "outbound.response", "workspaces.models"},
    "web": {"workspaces"},
    "configs": {"events", "outbound.redaction", "workspaces.models"},
    "dialects": {"events", "workspaces.models"},
    "events": {"workspaces.models"},
    "workspaces": set(),
    "outbound": set(),
}
# What every room may use, from top to bottom too.
GROUND = (
    "jobs",
    "tables",
    "input",
    "aws",
    "observability",
    "ids",
    "remembered",
    "clock",
    "settings",
    "errors",
    "model",
    "version",
)
ORDER = (*ROOMS, *GROUND)


class Arrow(NamedTuple):
    """From one room to another; `imports` are the pairs of modules that make it."""

    source: str
    target: str
    imports: list[tuple[str, str]]


def room_of(module: str, order: Iterable[str] = ORDER) -> str | None:
    """The innermost room that holds the module; None if no room does."""
    holding = [room for room in order if f"{module}.".startswith(f"shared.{room}.")]
    return max(holding, key=len, default=None)


def upward(graph: Graph, order: Sequence[str] = ORDER) -> list[Arrow]:
    """The arrows from a room to a room above it."""
    found = dict[tuple[str, str], list[tuple[str, str]]]()
    for module, target in _pairs(graph):
        source_room, target_room = room_of(module, order), room_of(target, order)
        if source_room is None or target_room is None:
            continue
        if order.index(source_room) > order.index(target_room):
            found.setdefault((source_room, target_room), []).append((module, target))
    return [Arrow(*rooms, imports) for rooms, imports in found.items()]


def rings(graph: Graph) -> list[list[str]]:
    """The groups of folders that import one another, directly or by way of others.

    The innermost folders are compared, and those that stand in shared/ itself: `apis/funnelflux`
    and `apis/flowestate`, and `apis` as a whole.
    """
    found = [*_rings(_between(graph, _folder_in(graph))), *_rings(_between(graph, _top_folder))]
    return [ring for place, ring in enumerate(found) if ring not in found[:place]]


def _pairs(graph: Graph) -> list[tuple[str, str]]:
    return [(module, target) for module in graph for target in sorted(graph[module])]


def _folder_in(graph: Graph) -> Callable[[str], str]:
    """From a module to its folder; a module of shared/ itself stands for itself."""
    folders = {module.rpartition(".")[0] for module in graph}

    def folder(module: str) -> str:
        parent = module.rpartition(".")[0]
        return module if module in folders or "." not in parent else parent

    return folder


def _top_folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _between(graph: Graph, place_of: Callable[[str], str]) -> Graph:
    """The same graph between places; without the arrows inside a place."""
    every = {*graph, *(target for _, target in _pairs(graph))}
    arrows: dict[str, set[str]] = {place_of(module): set() for module in every}
    for module, target in _pairs(graph):
        arrows[place_of(module)].add(place_of(target))
    return {place: targets - {place} for place, targets in arrows.items()}


def _rings(graph: Graph) -> list[list[str]]:
    reached = {place: _reached(place, graph) for place in graph}
    found = {
        tuple(sorted(other for other in reached[place] if place in reached[other]))
        for place in graph
    }
    return sorted(list(ring) for ring in found if ring)


def _reached(start: str, graph: Graph) -> set[str]:
    """Every place that one or more arrows lead to; `start` itself only if it is in a ring."""
    found, waiting = set[str](), [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting += new
    return found
