"""Print how the code is built, in figures: `python -m tests.local.metrics`."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import tests.conftest  # noqa: F401 - made-up credentials: nothing here may reach an account
from tests.local import sizes, way
from tests.local.trace import Called
from tests.rooms import Arrow, rings, upward
from tests.sources import PRODUCT, ROOT, import_graph, modules, repeated_classes

Row = tuple[str, *tuple[int, ...]]


def main() -> None:
    logging.disable(logging.CRITICAL)  # what the handlers log
    ways = way.ways()
    for line in (
        *_ways(ways),
        *_parts(),
        *_imports(),
        *_files(Called(*ways.delivered.values())),
        *_modules(),
        *_names(),
        *_runs(),
    ):
        print(line)


def _ways(ways: way.Ways) -> Iterator[str]:
    head = ("files", "functions", "calls")
    yield from _table("An event that is answered 200 at once", head, _stages(ways.delivered))
    yield from _table("An event that is answered 500, then 200", head, _stages(ways.retried))


def _stages(stages: way.Stages) -> Iterator[Row]:
    for stage, called in (*stages.items(), ("in all", Called(*stages.values()))):
        yield stage, len(called.files), called.functions, called.calls


def _files(called: Called) -> Iterator[str]:
    functions = Counter(Path(code.co_filename) for code in called.codes)
    yield from _list(
        "Files on the way of an event that is answered 200 at once, with the functions called",
        (f"{path.relative_to(ROOT)}: {count}" for path, count in sorted(functions.items())),
    )


def _parts() -> Iterator[str]:
    head = ("files", "lines", "not blank")
    yield from _table("Sizes", head, ((part, *size) for part, size in sizes.sizes().items()))


def _imports() -> Iterator[str]:
    graph = import_graph(modules("shared"))
    arrows = upward(graph)
    yield from _list(
        "Rooms that import from a room above them, with the modules that do",
        (f"{arrow.source} → {arrow.target}: {_importers(arrow)}" for arrow in arrows),
    )
    yield from _list("Rings of folders that import one another", map(", ".join, rings(graph)))


def _importers(arrow: Arrow) -> str:
    return ", ".join(dict.fromkeys(module for module, _ in arrow.imports))


def _modules() -> Iterator[str]:
    small = sizes.small_modules()
    yield from _list(
        f"Modules under {sizes.SMALL_LINES} lines",
        (f"{name}: {small[name]}" for name in sorted(small, key=small.__getitem__)),
    )
    yield from _list(
        "Folders, with their modules",
        (f"{folder}: {count}" for folder, count in sizes.folders().most_common()),
    )


def _names() -> Iterator[str]:
    for title, found in (
        ("Class names that are defined more than once", repeated_classes()),
        ("Module names that are used more than once", sizes.repeated_modules()),
    ):
        yield from _list(title, (f"{name}: {', '.join(found[name])}" for name in sorted(found)))


def _runs() -> Iterator[str]:
    found = sizes.repeated_runs({module.name: module.text for module in modules(*PRODUCT)})
    yield from _list(
        f"Runs of {sizes.RUN_LINES} or more lines that stand in two places",
        (f"{run.one} and {run.other}: {run.lines} lines" for run in found),
    )


def _table(title: str, head: Iterable[str], rows: Iterable[Row]) -> Iterator[str]:
    yield f"{title:40}" + "".join(f"{name:>12}" for name in head)
    for name, *figures in rows:
        yield f"  {name:38}" + "".join(f"{figure:12,}" for figure in figures)
    yield ""


def _list(title: str, lines: Iterable[str]) -> Iterator[str]:
    listed = list(lines)
    yield f"{title}: {len(listed)}"
    yield from (f"  {line}" for line in listed)
    yield ""


if __name__ == "__main__":
    main()
