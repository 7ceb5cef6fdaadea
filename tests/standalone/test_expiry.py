"""Items go when their time to live has ended, a few at a time; the file uses their room again."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.clock import MS_PER_S
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.sqlite import SqliteTable
from shared.standalone.engine.template import Json
from shared.standalone.expiry import EXPIRED_AT_ONCE, EXPIRY_MS, STEP_MS, Expiry
from tests.standalone.timers import DrivenTimer

TABLE = "Events"
DECLARED: Json = {
    "KeySchema": [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [
                {"AttributeName": "day", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
}


class TableWithExpiry:
    def __init__(self, file: DataFile) -> None:
        self.file = file
        self.timer = DrivenTimer()
        self.table = SqliteTable(file, TABLE, DECLARED)
        self.gone: list[str] = []
        self.steps: list[int] = []
        self.database = Database({TABLE: self.table}, self.timer, lambda *_: None)
        expiry = Expiry([self.table], file, self.timer, self.timer, self.note)
        expiry.start()

    def note(self, table: SqliteTable, item: Json) -> None:
        assert table is self.table
        if not self.file._after_commit:
            self.file.after_commit(lambda: self.steps.append(len(self.gone)))
        self.gone.append(item["sk"]["S"])

    def put(self, first: int, count: int, lives_s: int | None) -> None:
        expires = {}
        if lives_s is not None:
            expires = {"expires_at": {"N": str(self.timer() // MS_PER_S + lives_s)}}
        with self.file.transaction():
            for number in range(first, first + count):
                item = {
                    "pk": {"S": f"W#{number % 7}"},
                    "sk": {"S": f"{number:08}"},
                    "day": {"S": f"D#{number // 1000}"},
                    "content": {"S": "x" * 100},
                }
                self.database.put_item(TableName=TABLE, Item=item | expires)

    def count(self, rows: str) -> int:
        ((count,),) = self.file.execute(f'SELECT count(*) FROM "{rows}"')  # noqa: S608
        return int(count)

    def pages(self) -> int:
        ((pages,),) = self.file.execute("PRAGMA page_count")
        return int(pages)


@pytest.fixture
def items(tmp_path: Path) -> Iterator[TableWithExpiry]:
    with closing(DataFile(tmp_path / "data.sqlite")) as file:
        yield TableWithExpiry(file)


def test_an_item_goes_after_the_end_of_its_time_to_live_and_not_before(
    items: TableWithExpiry,
) -> None:
    items.put(0, 3, lives_s=300)
    items.put(3, 2, lives_s=None)

    items.timer.advance(300_000)
    assert items.gone == []
    items.timer.advance(EXPIRY_MS)

    assert sorted(items.gone) == ["00000000", "00000001", "00000002"]
    assert items.count(TABLE) == items.count(f"{TABLE}.by_day") == 2


def test_many_items_go_in_small_transactions_one_soon_after_the_other(
    items: TableWithExpiry,
) -> None:
    items.put(0, 1_050, lives_s=1)

    items.timer.advance(EXPIRY_MS)
    assert len(items.gone) == EXPIRED_AT_ONCE
    items.timer.advance(10 * STEP_MS)

    assert len(items.gone) == 1_050
    sizes = [after - before for before, after in zip([0, *items.steps], items.steps, strict=False)]
    assert sizes == [EXPIRED_AT_ONCE] * 10 + [50]


def test_a_step_that_fails_is_not_the_last_one(items: TableWithExpiry) -> None:
    items.put(0, 3, lives_s=1)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(items.table, "expired", refuse)
        with pytest.raises(OSError, match="no disk"):
            items.timer.advance(EXPIRY_MS)
    items.timer.advance(EXPIRY_MS)

    assert len(items.gone) == 3


def refuse(*_: object) -> None:
    raise OSError("no disk")


def test_the_file_does_not_grow_when_as_much_goes_as_comes(items: TableWithExpiry) -> None:
    """50,000 items come, and each time about 4,000 of them are there."""
    pages = []
    for day in range(25):
        items.put(day * 2_000, 2_000, lives_s=60)
        items.timer.advance(2 * EXPIRY_MS)
        pages.append(items.pages())

    assert items.count(TABLE) + len(items.gone) == 50_000
    assert items.count(TABLE) <= 4_000
    assert items.count(f"{TABLE}.by_day") == items.count(TABLE)
    assert max(pages) <= 1.2 * max(pages[:5])
