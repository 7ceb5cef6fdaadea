"""An import: an object of JSON Lines, how far it has come, and the report beside it."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from shared import ids
from shared.clock import Timestamp
from shared.errors import InvalidError
from shared.imports.lines import Position
from shared.model import Model

REPORT_SUFFIX = ".report.json"
# The limit of S3.
MAX_KEY_BYTES = 1024
# A report and a message list so many; all are counted.
MAX_REFUSED = 100


class ImportSource(Model):
    """One version of an object: a later upload with the same key has another etag."""

    bucket: str
    key: str
    etag: str

    @property
    def workspace_id(self) -> str:
        """The first segment of the key; empty if the key has only one."""
        return self.key.rpartition("/")[0].partition("/")[0]

    @property
    def is_packed(self) -> bool:
        return self.key.endswith(".gz")

    @property
    def report_key(self) -> str:
        key = self.key + REPORT_SUFFIX
        if len(key.encode()) > MAX_KEY_BYTES:
            raise InvalidError.at("key", "is too long, there is no room for the name of its report")
        return key

    def line_id(self, number: int) -> str:
        """Always the same for a line of an object."""
        digest = ids.sha256_hex(f"{self.bucket}\0{self.key}\0{self.etag}")[:32]
        return f"s3-{digest}-{number}"


class RefusedLine(Model):
    """A line that is no event, and the reason, which never quotes the line."""

    line: int
    code: str
    message: Annotated[str, StringConstraints(max_length=500)]


class Tally(Model):
    """The results of the lines that were read."""

    accepted: int = 0
    repeated: int = 0
    refused: int = 0
    refused_lines: tuple[RefusedLine, ...] = ()


class ImportJob(Model):
    """Everything that another run needs to continue."""

    source: ImportSource
    started_at: int
    position: Position = Field(default_factory=Position)
    tally: Tally = Field(default_factory=Tally)


class ImportState(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class FileReport(Model):
    """`refused_lines` are the first refused lines; `reason` says why a failed import stopped."""

    state: ImportState
    reason: str | None = None
    bucket: str
    key: str
    etag: str
    workspace_id: str
    lines: int
    accepted: int
    repeated: int
    refused: int
    refused_lines: tuple[RefusedLine, ...]
    started_at: Timestamp
    updated_at: Timestamp
    duration_ms: int
