"""The import queue: notices of S3 through EventBridge, and jobs that are to be continued.

Source: Amazon S3 User Guide, "Event message structure" (EventBridge).
"""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.imports.models import ImportJob, ImportSource
from shared.input.json_body import parse_json
from shared.input.validation import invalid

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

MAX_BYTES = 256 * 1024


class _Named(BaseModel):
    """A part of a notice; its other fields may hold anything."""

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


class ImportQueue:
    """`sqs` makes the client. It is called with the first message, which few runs send."""

    def __init__(self, sqs: Callable[[], "SQSClient"], url: str) -> None:
        self._sqs = sqs
        self._url = url

    def send(self, job: ImportJob) -> None:
        self._sqs().send_message(QueueUrl=self._url, MessageBody=message_of(job))


def job_in(message: str, now: int) -> ImportJob:
    """The job that a notice begins or that a run continues. Raises InvalidError."""
    values = parse_json(message.encode(), MAX_BYTES)
    try:
        if isinstance(values, dict) and "detail-type" in values:
            return _new_job(_Notice.model_validate(values).detail, now)
        return ImportJob.model_validate(values)
    except ValidationError as error:
        raise invalid(error) from None


def message_of(job: ImportJob) -> str:
    """In ASCII: SQS does not take every character that a key or a reason may hold."""
    return json.dumps(job.model_dump(mode="json"))


def _new_job(detail: _Detail, now: int) -> ImportJob:
    source = ImportSource(
        bucket=detail.bucket.name, key=detail.created.key, etag=detail.created.etag
    )
    return ImportJob(source=source, started_at=now)
