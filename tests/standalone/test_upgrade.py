"""A data file of an older template under a newer one."""

from pathlib import Path

from shared.clock import now_ms
from shared.standalone.engine.database import Database
from shared.standalone.engine.file import DataFile
from shared.standalone.engine.sqlite import sqlite_tables
from shared.standalone.engine.template import Json

KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
BY_OWNER = {
    "IndexName": "owner",
    "KeySchema": [
        {"AttributeName": "owner", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "ALL"},
}
OLD: dict[str, Json] = {"Things": {"KeySchema": KEYS}}
NEW: dict[str, Json] = {"Things": {"KeySchema": KEYS, "GlobalSecondaryIndexes": [BY_OWNER]}}
COUNT = 2_500


def database(file: DataFile, declared: dict[str, Json]) -> Database:
    return Database(sqlite_tables(file, declared), now_ms, lambda *_: None)


def owned(database: Database, owner: str) -> int:
    answer = database.query(
        TableName="Things",
        IndexName="owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": owner}},
    )
    return len(answer["Items"])


def test_an_index_that_is_new_has_the_items_that_are_there(tmp_path: Path) -> None:
    file = DataFile(tmp_path / "file")
    old = database(file, OLD)
    with file.transaction():
        for number in range(COUNT):
            owner = {"owner": {"S": f"o-{number % 2}"}} if number % 5 else {}
            item = {"pk": {"S": f"p-{number % 3}"}, "sk": {"S": f"s-{number}"}} | owner
            old.put_item(TableName="Things", Item=item)
    file.close()

    again = DataFile(tmp_path / "file")
    new = database(again, NEW)

    assert owned(new, "o-0") + owned(new, "o-1") == COUNT * 4 // 5
    again.close()
    third = DataFile(tmp_path / "file")
    assert owned(database(third, NEW), "o-1") == COUNT * 2 // 5
    third.close()
