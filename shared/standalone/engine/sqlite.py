"""Tables in the data file: their items, and the keys of each index in a table beside them.

A change happens within the caller's transaction of the file, so no index lags behind. Keys are
blobs and integers of SQLite, which orders them as DynamoDB does.
"""

import marshal
from collections.abc import Iterator, Mapping
from typing import Any

from shared.standalone.engine.file import DataFile
from shared.standalone.engine.sizes import size
from shared.standalone.engine.tables import (
    Bounds,
    Key,
    Place,
    Schema,
    expires_s,
    place_in,
    projected_names,
    schema_of,
    shown,
)
from shared.standalone.engine.template import Json
from shared.standalone.engine.values import Item, UnsupportedError, plain

# Rows that a query reads at a time.
_CHUNK = 50
# Rows that are read at a time when all are.
_MANY = 1_000
# The version that every Python from 3.4 on reads.
_MARSHAL = 4
_WIDEST = 1 << 63


def packed(item: Item) -> bytes:
    return marshal.dumps(item, _MARSHAL)


def unpacked(content: bytes) -> Item:
    item: Item = marshal.loads(content)  # noqa: S302 -- written by `packed`
    return item


class SqliteIndex:
    """The items of a table by `schema`. `rows` is what SQLite reads them from, in the order of
    `columns`: the partition, then what places an entry in it."""

    def __init__(
        self, file: DataFile, schema: Schema, names: frozenset[str] | None, rows: str, columns: str
    ) -> None:
        self.schema = schema
        self._file = file
        self._names = names
        self._partition, _, self._place = columns.partition(", ")
        self._range = self._place.partition(",")[0]
        self._select = f"SELECT {self._range}, pk, sk, item FROM {rows} WHERE "  # noqa: S608
        self._read: dict[Place, Item] = {}

    def catch_up(self, now: int) -> None:
        """It is never behind."""

    def read(self, partition: Any, bounds: Bounds) -> Iterator[tuple[Place, Item]]:
        self._read.clear()
        while True:
            rows = self._file.execute(*self._query(partition, bounds))
            for order, pk, sk, content in rows:
                place, item = (order, (pk, sk)), shown(unpacked(content), self._names)
                self._read[place] = item
                yield place, item
            if len(rows) < _CHUNK:
                return
            bounds = bounds._replace(after=place)

    def size(self, place: Place) -> int:
        return size(self._read[place])

    def _query(self, partition: Any, bounds: Bounds) -> tuple[str, list[Any]]:
        where, values = [f"{self._partition} = ?"], [partition]
        for sign, limit in ((">=", bounds.low), ("<=", bounds.high)):
            if limit is not None:
                where.append(f"{self._range} {sign} ?")
                values.append(limit)
        if bounds.after is not None:
            order, key = bounds.after
            after = [order] if self._place == "sk" else [order, *key]
            marks = ", ".join("?" * len(after))
            where.append(f"({self._place}) {'>' if bounds.forward else '<'} ({marks})")
            values += after
        way = "ASC" if bounds.forward else "DESC"
        order_by = ", ".join(f"{name} {way}" for name in self._place.split(", "))
        return (
            f"{self._select}{' AND '.join(where)} ORDER BY {order_by} LIMIT {_CHUNK}",
            values,
        )


class SecondaryIndex(SqliteIndex):
    def __init__(self, file: DataFile, table: "SqliteTable", declared: Json) -> None:
        name = f"{table.name}.{declared['IndexName']}"
        self._own = f'"{name}"'
        is_new = not file.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,))
        file.execute(
            f"CREATE TABLE IF NOT EXISTS {self._own} (hash, range, pk, sk, "
            "PRIMARY KEY (hash, range, pk, sk)) WITHOUT ROWID"
        )
        super().__init__(
            file,
            schema_of(declared["KeySchema"]),
            projected_names(table.schema, declared),
            f"{self._own} JOIN {table.rows} USING (pk, sk)",
            "hash, range, pk, sk",
        )
        if is_new:
            for key, item in table.all():
                self.change(key, None, item)

    def change(self, key: Key, old: Item | None, new: Item | None) -> None:
        if old is not None and new is not None and self._is_same_place(old, new):
            return
        before = None if old is None else place_in(self.schema, old)
        after = None if new is None else place_in(self.schema, new)
        if before is not None:
            self._file.execute(
                f"DELETE FROM {self._own} WHERE (hash, range, pk, sk) = (?, ?, ?, ?)",  # noqa: S608
                (*before, *key),
            )
        if after is not None:
            place = map(_storable, (*after, *key))
            self._file.execute(f"INSERT INTO {self._own} VALUES (?, ?, ?, ?)", tuple(place))  # noqa: S608

    def _is_same_place(self, old: Item, new: Item) -> bool:
        return all(old.get(name) == new.get(name) for name in self.schema)


class SqliteTable:
    def __init__(self, file: DataFile, name: str, declared: Json) -> None:
        self.name = name
        self.schema = schema_of(declared["KeySchema"])
        self.rows = f'"{name}"'
        self._file = file
        with file.transaction():
            for statement in (
                f"CREATE TABLE IF NOT EXISTS {self.rows} (pk, sk, expires_at INTEGER, item BLOB, "
                "PRIMARY KEY (pk, sk)) WITHOUT ROWID",
                f'CREATE INDEX IF NOT EXISTS "{name}.expires_at" ON {self.rows} (expires_at) '
                "WHERE expires_at IS NOT NULL",
            ):
                file.execute(statement)
            self.primary = SqliteIndex(file, self.schema, None, self.rows, "pk, sk")
            self.indexes = {
                one["IndexName"]: SecondaryIndex(file, self, one)
                for one in declared.get("GlobalSecondaryIndexes", [])
            }
        self._get = f"SELECT item FROM {self.rows} WHERE pk = ? AND sk = ?"  # noqa: S608
        self._insert = f"INSERT INTO {self.rows} VALUES (?3, ?4, ?1, ?2)"  # noqa: S608
        self._update = f"UPDATE {self.rows} SET expires_at = ?, item = ? WHERE pk = ? AND sk = ?"  # noqa: S608
        self._delete = f"DELETE FROM {self.rows} WHERE pk = ? AND sk = ?"  # noqa: S608

    @property
    def items(self) -> Mapping[Key, Item]:
        """Every item: for tests and tools, a large table does not fit into memory."""
        rows = self._file.execute(f"SELECT pk, sk, item FROM {self.rows}")  # noqa: S608
        return {(pk, sk): unpacked(content) for pk, sk, content in rows}

    def all(self) -> Iterator[tuple[Key, Item]]:
        """Every item, a part of them at a time."""
        select = f"SELECT pk, sk, item FROM {self.rows} "  # noqa: S608
        order = f"ORDER BY pk, sk LIMIT {_MANY}"
        rows = self._file.execute(select + order)
        while rows:
            for pk, sk, content in rows:
                yield (pk, sk), unpacked(content)
            rows = self._file.execute(f"{select} WHERE (pk, sk) > (?, ?) {order}", (pk, sk))

    def key_of(self, item: Item) -> Key:
        return plain(item[self.schema.hash]), plain(item[self.schema.range])

    def get(self, key: Item) -> Item | None:
        return self.find(self.key_of(key))

    def find(self, key: Key) -> Item | None:
        rows = self._file.execute(self._get, key)
        return unpacked(rows[0][0]) if rows else None

    def write(self, old: Item | None, new: Item | None, now: int, lag_ms: int = 0) -> None:
        """Within a transaction of the file. An index shows it at once, whatever `lag_ms` says."""
        if (item := new or old) is None or old == new:
            return
        key = self.key_of(item)
        if new is None:
            self._file.execute(self._delete, key)
        else:
            place = tuple(map(_storable, key))
            statement = self._insert if old is None else self._update
            self._file.execute(statement, (expires_s(new), packed(new), *place))
        for index in self.indexes.values():
            index.change(key, old, new)

    def expired(self, before_s: int, limit: int) -> list[Item]:
        """Items whose time to live ended before that moment (Unix time in seconds)."""
        rows = self._file.execute(
            f"SELECT item FROM {self.rows} WHERE expires_at < ? LIMIT ?",  # noqa: S608
            (before_s, limit),
        )
        return [unpacked(content) for (content,) in rows]


def sqlite_tables(file: DataFile, declared: Mapping[str, Json]) -> dict[str, SqliteTable]:
    """The tables of the template by name. What the file does not have is made: a new index of a
    table has the items that are there."""
    return {name: SqliteTable(file, name, properties) for name, properties in declared.items()}


def _storable(key: Any) -> bytes | int:
    if isinstance(key, bytes) or (isinstance(key, int) and -_WIDEST <= key < _WIDEST):
        return key
    raise UnsupportedError(f"{key!r} as a key")
