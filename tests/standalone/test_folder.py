"""A folder takes the place of the import bucket: a file that is complete is announced once."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from shared.standalone.engine.file import DataFile
from shared.standalone.engine.template import Json
from shared.standalone.folder import SETTLED_MS, BucketFolder
from tests.fakes import NOW

BUCKET = "ImportBucket"


class FolderOfImports:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "imports"
        self.data = folder / "data.sqlite"
        self.now = NOW
        self.notices: list[Json] = []
        self.open()

    def open(self) -> None:
        self.file = DataFile(self.data)
        self.bucket = BucketFolder(BUCKET, self.folder, self.file)

    def close(self) -> None:
        self.file.close()

    def write(self, key: str, content: str = "{}\n", at: int | None = None) -> Path:
        """As if it was written to at that moment, now by default."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        when_ns = (self.now if at is None else at) * 1_000_000
        os.utime(path, ns=(when_ns, when_ns))
        return path

    def announced(self) -> list[str]:
        """The keys of the notices that come now, after what was written has settled."""
        self.now += SETTLED_MS + 1
        before = len(self.notices)
        self.bucket.announce(self.now, self.notices.append)
        return [notice["object"]["key"] for notice in self.notices[before:]]


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[FolderOfImports]:
    with closing(FolderOfImports(tmp_path)) as folder:
        yield folder


class TestAFile:
    def test_is_announced_once(self, imports: FolderOfImports) -> None:
        imports.write("w1/a.jsonl")

        assert imports.announced() == ["w1/a.jsonl"]
        assert imports.announced() == []
        assert imports.notices[0]["bucket"] == {"name": BUCKET}

    def test_is_announced_once_though_the_program_is_restarted(
        self, imports: FolderOfImports
    ) -> None:
        imports.write("w1/a.jsonl")
        imports.announced()
        imports.close()
        imports.open()

        assert imports.announced() == []

    def test_is_announced_again_when_it_is_replaced(self, imports: FolderOfImports) -> None:
        imports.write("w1/a.jsonl", "{}\n")
        imports.announced()
        imports.write("w1/a.jsonl", '{"n": 2}\n')

        assert imports.announced() == ["w1/a.jsonl"]
        first, second = (notice["object"]["etag"] for notice in imports.notices)
        assert first != second

    def test_is_complete_some_time_after_the_last_write(self, imports: FolderOfImports) -> None:
        imports.write("w1/a.jsonl", at=imports.now + 5_000)

        assert imports.announced() == []
        imports.now += 5_000
        assert imports.announced() == ["w1/a.jsonl"]

    @pytest.mark.parametrize("key", ["top.jsonl", "w1/.hidden.jsonl", "w1/deep/er.jsonl"])
    def test_elsewhere_is_not_announced(self, imports: FolderOfImports, key: str) -> None:
        imports.write(key)

        assert imports.announced() == []

    def test_that_cannot_be_read_does_not_keep_others_from_being_announced(
        self, imports: FolderOfImports
    ) -> None:
        imports.write("w1/z.jsonl")
        (imports.folder / "w1" / "a.jsonl").symlink_to("nothing")
        (imports.folder / "w1" / os.fsdecode(b"\xff.jsonl")).write_text("{}")

        assert imports.announced() == ["w1/z.jsonl"]

    def test_is_announced_again_if_the_notice_was_not_kept(self, imports: FolderOfImports) -> None:
        imports.write("w1/a.jsonl")
        imports.now += SETTLED_MS + 1
        with suppress(sqlite3.OperationalError):
            imports.bucket.announce(imports.now, no_room)

        assert imports.announced() == ["w1/a.jsonl"]

    def test_is_read_in_parts_as_long_as_it_is_the_one_that_was_announced(
        self, imports: FolderOfImports
    ) -> None:
        imports.write("w1/a.jsonl", "0123456789")
        imports.announced()
        asked = {"Bucket": BUCKET, "Key": "w1/a.jsonl", "IfMatch": etag_of(imports.notices[0])}

        assert imports.bucket.get_object(**asked, Range="bytes=2-4")["Body"].read() == b"234"
        assert imports.bucket.get_object(**asked, Range="bytes=8-99")["Body"].read() == b"89"
        assert refused(lambda: imports.bucket.get_object(**asked, Range="bytes=10-19")) == (
            "InvalidRange"
        )
        imports.write("w1/a.jsonl", "another one")
        assert refused(lambda: imports.bucket.get_object(**asked, Range="bytes=2-4")) == (
            "PreconditionFailed"
        )
        assert refused(lambda: imports.bucket.head_object(**asked)) == "412"


class TestAKey:
    @pytest.mark.parametrize("key", ["../data.sqlite", "w1/../../data.sqlite", "/etc/hostname"])
    def test_that_leads_out_of_the_folder_is_refused(
        self, imports: FolderOfImports, key: str
    ) -> None:
        asked = {"Bucket": BUCKET, "Key": key, "IfMatch": '"0-0"'}

        assert refused(lambda: imports.bucket.head_object(**asked)) == "NoSuchKey"
        assert refused(lambda: imports.bucket.get_object(**asked, Range="bytes=0-9")) == "NoSuchKey"
        assert refused(lambda: imports.bucket.put_object(Bucket=BUCKET, Key=key, Body=b"")) == (
            "NoSuchKey"
        )

    def test_that_is_a_link_out_of_the_folder_is_refused(
        self, imports: FolderOfImports, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("secret")
        (imports.folder / "w1").mkdir()
        (imports.folder / "w1" / "a.jsonl").symlink_to(tmp_path / "secret")

        found = {"Bucket": BUCKET, "Key": "w1/a.jsonl", "IfMatch": '"0-0"'}
        assert refused(lambda: imports.bucket.get_object(**found, Range="bytes=0-9")) == "NoSuchKey"

    def test_of_no_file_is_refused(self, imports: FolderOfImports) -> None:
        asked = {"Bucket": BUCKET, "Key": "w1/none.jsonl", "IfMatch": '"0-0"'}

        assert refused(lambda: imports.bucket.head_object(**asked)) == "404"
        assert refused(lambda: imports.bucket.get_object(**asked, Range="bytes=0-9")) == "NoSuchKey"


class TestAReport:
    KEY = "w1/a.jsonl.report.json"

    def test_is_a_file_beside_the_import(self, imports: FolderOfImports) -> None:
        answer = imports.bucket.put_object(Bucket=BUCKET, Key=self.KEY, Body=b'{"lines": 1}')

        assert (imports.folder / self.KEY).read_bytes() == b'{"lines": 1}'
        asked = {"Bucket": BUCKET, "Key": self.KEY, "IfMatch": answer["ETag"]}
        assert imports.bucket.head_object(**asked) == {"ETag": answer["ETag"]}
        assert [path.name for path in (imports.folder / "w1").iterdir()] == [Path(self.KEY).name]

    def test_replaces_an_earlier_one(self, imports: FolderOfImports) -> None:
        for body in (b"1", b"2"):
            imports.bucket.put_object(Bucket=BUCKET, Key=self.KEY, Body=body)

        assert (imports.folder / self.KEY).read_bytes() == b"2"


def etag_of(notice: Json) -> str:
    return f'"{notice["object"]["etag"]}"'


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def no_room(_: Json) -> None:
    raise sqlite3.OperationalError("database or disk is full")
