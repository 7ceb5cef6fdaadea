"""The bucket of imports: an object is read in the version that was announced, or not at all."""

from functools import partial
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from shared.imports import streams
from shared.imports.models import FileReport, ImportSource
from shared.imports.streams import Stream

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# HeadObject has no body, so its errors have status codes only.
_GONE = {"NoSuchKey", "PreconditionFailed", "404", "412"}
_PAST_THE_END = {"InvalidRange", "416"}


class ObjectGoneError(Exception):
    """The object was deleted, or another was uploaded in its place."""


class ImportBucket:
    def __init__(self, s3: "S3Client") -> None:
        self._s3 = s3

    def open(self, source: ImportSource, offset: int) -> Stream:
        """The content from `offset` (unpacked) bytes on. Reading may raise ObjectGoneError."""
        fetch = partial(self._fetch, source)
        return (streams.unpacked if source.is_packed else streams.plain)(fetch, offset)

    def has(self, source: ImportSource) -> bool:
        try:
            self._s3.head_object(Bucket=source.bucket, Key=source.key, IfMatch=f'"{source.etag}"')
        except ClientError as error:
            if _code(error) not in _GONE:
                raise
            return False
        return True

    def write(self, report: FileReport, key: str) -> None:
        self._s3.put_object(
            Bucket=report.bucket,
            Key=key,
            Body=report.model_dump_json(indent=2).encode(),
            ContentType="application/json",
        )

    def _fetch(self, source: ImportSource, offset: int, size: int) -> bytes:
        try:
            answer = self._s3.get_object(
                Bucket=source.bucket,
                Key=source.key,
                IfMatch=f'"{source.etag}"',
                Range=f"bytes={offset}-{offset + size - 1}",
            )
        except ClientError as error:
            if _code(error) in _PAST_THE_END:
                return b""
            if _code(error) in _GONE:
                raise ObjectGoneError from None
            raise
        return answer["Body"].read()


def _code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])
