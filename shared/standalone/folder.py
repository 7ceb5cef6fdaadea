"""A folder in place of the import bucket: `<workspace_id>/<name>.jsonl` in it is an object."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

from shared.standalone.engine.errors import client_error
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.template import Json

# A file that was written to this long ago is complete.
SETTLED_MS = 2_000

_TABLE = "CREATE TABLE IF NOT EXISTS announced (key TEXT PRIMARY KEY, etag TEXT)"


class BucketFolder:
    """What S3's client gives the handlers, for the files of one folder.

    The ETag of a file says its size and when it was written: a file that is replaced has another.
    """

    def __init__(self, name: str, folder: Path, file: DataFile) -> None:
        with file.transaction():
            file.execute(_TABLE)
        self.name = name
        self._folder = folder
        self._file = file
        folder.mkdir(parents=True, exist_ok=True)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str = "") -> Json:
        path = self._path(Key)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        with part.open("wb") as content:
            content.write(Body)
            content.flush()
            os.fsync(content.fileno())
        part.replace(path)
        return {"ETag": _quoted(_etag(path))}

    def head_object(self, *, Bucket: str, Key: str, IfMatch: str) -> Json:
        path = self._path(Key)
        if not path.is_file():
            raise client_error("HeadObject", "404", "Not Found")
        if _quoted(_etag(path)) != IfMatch:
            raise client_error("HeadObject", "412", "Precondition Failed")
        return {"ETag": IfMatch}

    def get_object(self, *, Bucket: str, Key: str, IfMatch: str, Range: str) -> Json:
        path = self._path(Key)
        if not path.is_file():
            raise client_error("GetObject", "NoSuchKey")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        with path.open("rb") as content:
            if _quoted(_etag(path)) != IfMatch:
                raise client_error("GetObject", "PreconditionFailed")
            if first >= path.stat().st_size:
                raise client_error("GetObject", "InvalidRange")
            content.seek(first)
            body: Any = BytesIO(content.read(last - first + 1))
        return {"Body": body, "ETag": IfMatch}

    def announce(self, now_ms: int, tell: Callable[[Json], None]) -> None:
        """Give the `detail` of a notice for each complete file that was not announced before. What
        `tell` changes in the data file is in one transaction with the note that it was told."""
        for key, etag in self._complete(now_ms):
            if self._file.execute(
                "SELECT 1 FROM announced WHERE key = ? AND etag = ?", (key, etag)
            ):
                continue
            with self._file.transaction():
                tell({"bucket": {"name": self.name}, "object": {"key": key, "etag": etag}})
                self._file.execute("REPLACE INTO announced VALUES (?, ?)", (key, etag))

    def _complete(self, now_ms: int) -> Iterator[tuple[str, str]]:
        """Keys and ETags. A file that is gone meanwhile, or has a name that is no text, is none."""
        for path in sorted(self._folder.glob("*/*")):
            key = path.relative_to(self._folder).as_posix()
            if path.name.startswith(".") or not path.is_file() or not key.isprintable():
                continue
            with suppress(FileNotFoundError):
                if path.stat().st_mtime_ns // 1_000_000 < now_ms - SETTLED_MS:
                    yield key, _etag(path)

    def _path(self, key: str) -> Path:
        """Raises ClientError for a key that leads out of the folder."""
        path = (self._folder / key).resolve()
        if not path.is_relative_to(self._folder.resolve()):
            raise client_error("GetObject", "NoSuchKey")
        return path


def _etag(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size:x}-{found.st_mtime_ns:x}"


def _quoted(etag: str) -> str:
    return f'"{etag}"'
