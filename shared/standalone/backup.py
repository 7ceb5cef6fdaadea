"""A copy of the data file, made while the program runs."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from shared.standalone.engine.file import DATA_FILE


def backup(data: Path, to: Path) -> int:
    """Copy the file as it is at one moment. Returns the bytes of the copy, which is on disk then.

    The program goes on meanwhile, and its log is not cut. Raises FileNotFoundError without a data
    file or a folder for the copy, FileExistsError if the copy would replace one, and sqlite3.Error,
    for example if there is no room: no part of a copy is left.
    """
    path = data / DATA_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; name the data folder: --data FOLDER")
    if not to.parent.is_dir():
        raise FileNotFoundError(f"{to.parent} does not exist.")
    if to.exists():
        raise FileExistsError(f"{to} exists already.")
    part = to.with_name(f".{to.name}.part")
    try:
        _copy(path, part)
        os.link(part, to)  # unlike a rename, it replaces nothing
    finally:
        part.unlink(missing_ok=True)
    return to.stat().st_size


def _copy(path: Path, part: Path) -> None:
    part.unlink(missing_ok=True)
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(part)) as copy:
        # All in one step: SQLite begins again at each step after another process has written.
        source.backup(copy, pages=-1)
    with part.open("rb") as content:
        os.fsync(content.fileno())
