"""The messages of the import queue: notices of S3 through EventBridge, and jobs that go on.

Source: Amazon S3 User Guide, "Event message structure" (EventBridge).
"""

import json

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.imports.models import ImportJob, ImportSource
from shared.input.json_body import parse_json
from shared.input.validation import invalid

MAX_BYTES = 256 * 1024


class _Named(BaseModel):
    """A part of a notice; what is not read of it may be anything."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Bucket(_Named):
    name: str


class _Object(_Named):
    key: str
    etag: str


class _Detail(_Named):
    bucket: _Bucket
    created: _Object = Field(alias="object")


class _Notice(_Named):
    detail: _Detail


def job_in(message: str, now: int) -> ImportJob:
    """Raises InvalidError for what is neither."""
    values = parse_json(message.encode(), MAX_BYTES)
    try:
        if isinstance(values, dict) and "detail-type" in values:
            return _begun(_Notice.model_validate(values).detail, now)
        return ImportJob.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None


def message_of(job: ImportJob) -> str:
    """In ASCII: SQS does not take every character that a key or a reason may hold."""
    return json.dumps(job.model_dump(mode="json"))


def _begun(detail: _Detail, now: int) -> ImportJob:
    source = ImportSource(
        bucket=detail.bucket.name, key=detail.created.key, etag=detail.created.etag
    )
    return ImportJob(source=source, started_at=now)
