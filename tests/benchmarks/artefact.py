"""What ships: the folder that every function's artefact is, built here, and how large it is."""

import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from tests.benchmarks.figures import Figure, Table
from tests.local.emulator import PYTHON
from tests.template import template

STATE = Path(".local/bench")
MAX_ZIPPED_MB = 8.0
# boto3 and what it needs come with the Lambda runtime.
RUNTIME = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")


def table() -> Table:
    folder = built()
    figures = (
        Figure(what="zipped", value=zipped_mb(folder), unit="MB", at_most=MAX_ZIPPED_MB),
        Figure(what="unpacked, with bytecode", value=unpacked_mb(folder), unit="MB"),
    )
    return Table(
        title="Artefact",
        about="Every function ships the same folder, without boto3, with bytecode. Built for the "
        "Python and the platform of this machine; for arm64 it differs by the compiled core of "
        "pydantic.",
        figures=figures,
    )


@cache
def built() -> Path:
    """The artefact for this machine's Python, by the Makefile's own rule."""
    folder = STATE.absolute() / "artefact"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (function, *_) = template().functions()
    version = subprocess.run(
        [PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    flags = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    environment = {name: value for name, value in os.environ.items() if name not in flags}
    subprocess.run(
        ["make", f"build-{function}", f"ARTIFACTS_DIR={folder}"],
        env=environment | {"FUNCTION_PLATFORM": "host", "FUNCTION_PYTHON": version},
        check=True,
        stdout=sys.stderr,
    )
    return folder


@cache
def runtime() -> Path:
    """What the Lambda runtime adds, from this environment."""
    folder = STATE.absolute() / "runtime"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in RUNTIME:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
        (folder / source.name).symlink_to(source)
    return folder


def zipped_mb(folder: Path) -> float:
    archive = STATE / "artefact.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for path in sorted(folder.rglob("*")):
            target.write(path, path.relative_to(folder))
    return archive.stat().st_size / 1e6


def unpacked_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
