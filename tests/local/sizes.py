"""How large the parts of the repository are, and which texts and names stand there twice."""

import ast
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations, count
from pathlib import Path
from typing import NamedTuple

from tests.sources import PRODUCT, ROOT, Module, modules, repeated

# A module with fewer lines is a protocol, a contract or a table of constants.
SMALL_LINES = 40
# From this length on, lines that stand in two places count as repeated.
RUN_LINES = 6
# Files by what they are a part of.
_PARTS = {
    "functions": ("functions/**/*.py",),
    "shared": ("shared/**/*.py",),
    "product": ("functions/**/*.py", "shared/**/*.py"),
    "tests": ("tests/**/*.py",),
    "template.yaml": ("template.yaml",),
    "Makefile": ("Makefile",),
    "README.md": ("README.md",),
    "docs": ("docs/**/*.md",),
}


class Size(NamedTuple):
    files: int
    lines: int
    filled: int

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Size":
        """`filled` are the lines that are not blank."""
        split = [text.splitlines() for text in texts]
        filled = sum(bool(line.strip()) for lines in split for line in lines)
        return cls(len(split), sum(map(len, split)), filled)


class Run(NamedTuple):
    """So many lines that stand in two places, `module:line` each."""

    lines: int
    one: str
    other: str


def sizes() -> dict[str, Size]:
    return {
        part: Size.of(path.read_text(encoding="utf-8") for path in _paths(patterns))
        for part, patterns in _PARTS.items()
    }


def small_modules() -> dict[str, int]:
    """The small modules of the product, with their lines; no `__init__.py`."""
    lines = {module.name: len(module.text.splitlines()) for module in _modules()}
    return {name: count for name, count in lines.items() if count < SMALL_LINES}


def folders() -> Counter[str]:
    """The modules in each folder of the product; no `__init__.py`."""
    return Counter(module.name.rpartition(".")[0] for module in _modules())


def repeated_modules() -> dict[str, list[str]]:
    return repeated((module.path.stem, module.name) for module in _modules())


def repeated_runs(texts: Mapping[str, str]) -> list[Run]:
    """The lines that stand in two places, each run at its full length, by the texts of modules.

    Imports and blank lines are left out.
    """
    lines = {name: list(_lines(text)) for name, text in texts.items()}
    windows = repeated(
        ("\n".join(line for _, line in found[at : at + RUN_LINES]), _Place(name, at))
        for name, found in lines.items()
        for at in range(len(found) - RUN_LINES + 1)
    )
    same = {
        pair
        for places in windows.values()
        for pair in combinations(places, 2)
        if not _overlap(*pair)
    }
    begins = sorted(pair for pair in same if _moved(pair, -1) not in same)
    return [
        Run(_length(pair, same), *(f"{name}:{lines[name][at][0]}" for name, at in pair))
        for pair in begins
    ]


class _Place(NamedTuple):
    module: str
    at: int


_Pair = tuple[_Place, _Place]


def _overlap(one: _Place, other: _Place) -> bool:
    return one.module == other.module and abs(one.at - other.at) < RUN_LINES


def _moved(pair: _Pair, by: int) -> _Pair:
    one, other = pair
    return one._replace(at=one.at + by), other._replace(at=other.at + by)


def _length(pair: _Pair, same: Collection[_Pair]) -> int:
    more = next(by for by in count(1) if _moved(pair, by) not in same) - 1
    return RUN_LINES + more


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The numbers of the lines and what stands there, without imports and blank lines."""
    imports = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and number not in imports:
            yield number, line.strip()


def _paths(patterns: Sequence[str]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(ROOT.glob(pattern))


def _modules() -> list[Module]:
    return [module for module in modules(*PRODUCT) if module.path.name != "__init__.py"]
