"""A program that writes numbers into a data file and says which of them are on disk.

`python -m tests.standalone.writer FILE`: several threads write until it is killed; each number that
is on disk is a line of its output.
"""

import os
import sys
import threading
from itertools import count
from pathlib import Path

from shared.standalone.engine.file import DataFile

THREADS = 4
TABLES = (
    "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, content BLOB)",
    "CREATE TABLE IF NOT EXISTS twins (number INTEGER PRIMARY KEY)",
)
CONTENT = b"x" * 1_000


def make_tables(file: DataFile) -> None:
    with file.transaction():
        for statement in TABLES:
            file.execute(statement)


def write(file: DataFile, number: int) -> None:
    """Two rows, so that half a transaction can be seen."""
    with file.transaction():
        file.execute("INSERT INTO numbers VALUES (?, ?)", (number, CONTENT))
        file.execute("INSERT INTO twins VALUES (?)", (number,))


def numbers(file: DataFile) -> list[int]:
    """In their order; AssertionError if a transaction is there in part."""
    rows = file.execute("SELECT number FROM numbers ORDER BY number")
    assert file.execute("SELECT number FROM twins ORDER BY number") == rows
    assert file.execute("PRAGMA integrity_check") == [("ok",)]
    return [number for (number,) in rows]


def main(path: str) -> None:
    file = DataFile(Path(path))
    make_tables(file)
    ((written,),) = file.execute("SELECT coalesce(max(number), 0) FROM numbers")
    fresh, lock = count(written + 1), threading.Lock()

    def run() -> None:
        while True:
            with lock:  # so that the numbers are written in their order
                number = next(fresh)
                write(file, number)
            file.wait_until_durable()
            os.write(1, f"{number}\n".encode())  # a line is whole, whichever thread writes

    threads = [threading.Thread(target=run) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    while threads[0].is_alive():
        threads[0].join(0.05)
        file.checkpoint()


if __name__ == "__main__":
    main(sys.argv[1])
