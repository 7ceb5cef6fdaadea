"""What ships: the folder that every function's artefact is, and the layer that some have besides,
built here, and how large they are."""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules

from shared.standalone.engine.template import template
from tests.benchmarks.figures import Figure, Table
from tests.local.emulator import PYTHON

STATE = Path(".local/bench")
MAX_ZIPPED_MB = 8.0
LAYER = "SchemaLayer"
# boto3 and what it needs come with the Lambda runtime.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def table() -> Table:
    folder = built()
    figures = (
        Figure(what="zipped", value=zipped_mb(folder), unit="MB", at_most=MAX_ZIPPED_MB),
        Figure(what="unpacked, with bytecode", value=unpacked_mb(folder), unit="MB"),
        Figure(what="the layer of schemas, zipped", value=zipped_mb(layer()), unit="MB"),
    )
    return Table(
        title="Artefact",
        about="Every function ships the same folder, with bytecode and without boto3. Functions "
        "that check events against schemas also have a layer. The folder is built for the Python "
        "and the platform of this machine; for arm64 only pydantic's compiled core is different.",
        figures=figures,
    )


@cache
def built() -> Path:
    """The artefact of every function, for this machine's Python."""
    (function, *_) = template().functions()
    return _made(function, STATE.absolute() / "artefact")


@cache
def layer() -> Path:
    return _made(LAYER, STATE.absolute() / "layer")


def folders(function: str) -> tuple[Path, ...]:
    """What a function finds its modules in, but for the runtime's own."""
    layers = template().functions()[f"{function.capitalize()}Function"].get("Layers", ())
    return (built(), *(layer() / "python" for name in layers if name == {"Ref": LAYER}))


def _made(resource: str, folder: Path) -> Path:
    """By the Makefile's own rule."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    version = subprocess.run(
        [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    flags = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in flags}
    subprocess.run(
        ["make", f"build-{resource}", f"ARTIFACTS_DIR={folder}"],
        env=environment | {"FUNCTION_PLATFORM": "host", "FUNCTION_PYTHON": version},
        check=True,
        stdout=sys.stderr,
    )
    return folder


@cache
def runtime() -> Path:
    """What the Lambda runtime adds, from this environment."""
    return _linked("runtime", RUNTIME)


@cache
def whole() -> Path:
    """All that is installed of what ships, from this environment."""
    shipped = (*built().iterdir(), *(layer() / "python").iterdir())
    return _linked("whole", {path.stem for path in shipped} & _importable())


def _linked(kind: str, names: Iterable[str]) -> Path:
    folder = STATE.absolute() / kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in names:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (folder / source.name).symlink_to(source)
    return folder


def _importable() -> set[str]:
    return {module.name for module in iter_modules()}


def zipped_mb(folder: Path) -> float:
    archive = STATE / "artefact.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, path.relative_to(folder))
    return archive.stat().st_size / 1e6


def unpacked_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
