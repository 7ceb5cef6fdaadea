"""A copy of the data file, made while the program runs."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shared.standalone.engine.file import DATA_FILE

# Pages copied in one step; between steps the program goes on.
_PAGES = 1_000


def backup(data: Path, to: Path) -> int:
    """Copy the file as it is at one moment. Returns the bytes of the copy.

    Raises FileNotFoundError without a data file, FileExistsError if the copy would replace one.
    """
    path = data / DATA_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; name the data folder: --data FOLDER")
    if to.exists():
        raise FileExistsError(f"{to} exists already.")
    source = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    with closing(source), closing(sqlite3.connect(to)) as copy:
        source.backup(copy, pages=_PAGES)
    return to.stat().st_size
