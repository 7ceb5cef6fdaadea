"""An S3 bucket: objects that are read in ranges, if they are still the same."""

import re
from hashlib import md5
from io import BytesIO
from typing import Any, BinaryIO

from shared.standalone.engine.errors import client_error
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import UnsupportedError


class Bucket:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put(self, *, Key: str, Body: bytes | BinaryIO, ContentType: str = "") -> Json:
        content = self.objects[Key] = Body if isinstance(Body, bytes) else Body.read()
        return {"ETag": etag(content)}

    def head(self, *, Key: str, IfMatch: str) -> Json:
        """HeadObject has no body, so its errors are only their status."""
        if Key not in self.objects:
            raise client_error("HeadObject", "404", "Not Found")
        if etag(self.objects[Key]) != IfMatch:
            raise client_error("HeadObject", "412", "Precondition Failed")
        return {"ETag": IfMatch}

    def get(self, *, Key: str, IfMatch: str, Range: str) -> Json:
        if Key not in self.objects:
            raise client_error("GetObject", "NoSuchKey")
        content = self.objects[Key]
        if etag(content) != IfMatch:
            raise client_error("GetObject", "PreconditionFailed")
        first, last = _range(Range)
        if first >= len(content):
            raise client_error("GetObject", "InvalidRange")
        body: Any = BytesIO(content[first : last + 1])
        return {"Body": body, "ETag": IfMatch}


def etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _range(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"bytes=(\d+)-(\d+)", text)
    if found is None:
        raise UnsupportedError(f"Range={text}")
    return int(found[1]), int(found[2])
