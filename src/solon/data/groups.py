"""Records that belong together and stand far apart: gathered on disk, read back group by group, never all in memory.

A file may hold the rows of one prompt a million lines from each other, and two prompts may hold the same conversation.
Whoever reads such data puts each record into its group here and then reads the groups, in the order in which they were
begun. The database is scratch: nothing is ever committed, what fits into its cache is never written, and the file is
gone when the block ends.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Self

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from solon.data.records import Record
from solon.data.whole import remedy_of
from solon.errors import StorageError

CACHE_KIB = 4096
"""Of the database that is held in memory, whatever there is in all."""

_ROWS_AT_ONCE = 64
_ROWS_HELD = 256
"""How many records wait to be written together: a statement for each costs as much as reading its row."""

_SETTINGS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    "PRAGMA locking_mode = EXCLUSIVE",
    f"PRAGMA cache_size = -{CACHE_KIB}",
)
_TABLES = (
    "CREATE TABLE names (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE records (number INTEGER NOT NULL, type INTEGER NOT NULL, record TEXT NOT NULL)",
    "CREATE INDEX by_group ON records (number)",
)


class Groups:
    """Groups of records on disk. Open one with ``Groups.open``; its length is how many groups there are."""

    def __init__(self, connection: sqlite3.Connection, path: Path | None, types: tuple[type[Record], ...]) -> None:
        self._connection, self._path, self._types = connection, path, types
        self._count = 0
        self._held: list[tuple[int, int, str]] = []

    @classmethod
    @contextmanager
    def open(cls, path: Path | None, *types: type[Record]) -> Iterator[Self]:
        """An empty one for records of these types, at ``path`` until the block ends; ``None`` is in memory.

        What a killed process left at ``path`` is taken away.

        Raises:
            StorageError: the disk is full or not writable.
        """
        with _storage(path):
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.unlink(missing_ok=True)
            where = ":memory:" if path is None else path
            # by one thread at a time: in a notebook a stage's loop has a thread of its own
            connection = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
        try:
            with _storage(path):
                for statement in (*_SETTINGS, "BEGIN", *_TABLES):
                    connection.execute(statement)
            yield cls(connection, path, types)
        finally:
            connection.close()
            if path is not None:
                path.unlink(missing_ok=True)

    def __len__(self) -> int:
        return self._count

    def find(self, name: str) -> int | None:
        """The group of that name, if there is one."""
        with _storage(self._path):
            row = self._connection.execute("SELECT number FROM names WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def begun(self, name: str) -> int:
        """The group of that name; a name that is new begins the next group."""
        with _storage(self._path):
            row = name, self._count
            is_new = self._connection.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", row).rowcount
        if is_new:
            self._count += 1
            return self._count - 1
        number = self.find(name)
        assert number is not None
        return number

    def name(self, name: str, number: int) -> None:
        """Gives a group one more name, which must be new."""
        with _storage(self._path):
            self._connection.execute("INSERT INTO names VALUES (?, ?)", (name, number))

    def put(self, number: int, record: Record) -> None:
        """Adds a record to a group."""
        self._held.append((number, self._types.index(type(record)), _text(record)))
        if len(self._held) == _ROWS_HELD:
            self._write()

    def __iter__(self) -> Iterator[list[Record]]:
        """The records of each group, in the order in which they were put there. May be read any number of times."""
        self._write()
        with _storage(self._path):
            rows = self._connection.execute("SELECT number, type, record FROM records ORDER BY number, rowid")
        for _, group in groupby(self._rows(rows), key=lambda row: row[0]):
            yield [_record(self._types[which], text) for _, which, text in group]

    def _write(self) -> None:
        held, self._held = self._held, []
        with _storage(self._path):
            self._connection.executemany("INSERT INTO records VALUES (?, ?, ?)", held)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[tuple[int, int, str]]:
        while True:
            with _storage(self._path):
                rows = cursor.fetchmany(_ROWS_AT_ONCE)
            if not rows:
                return
            yield from rows


def _text(record: Record) -> str:
    try:
        return record.model_dump_json(by_alias=True)
    except PydanticSerializationError:
        return json.dumps(record.model_dump(mode="json"))  # ASCII, which also holds half of a surrogate pair


def _record(kind: type[Record], text: str) -> Record:
    try:
        return kind.model_validate_json(text)
    except ValidationError:
        return kind.model_validate(json.loads(text))


@contextmanager
def _storage(path: Path | None) -> Iterator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        full = getattr(error, "sqlite_errorname", "") == "SQLITE_FULL"
        remedy = remedy_of(errno.ENOSPC if full else getattr(error, "errno", None))
        raise StorageError(f"cannot write {path}, which gathers what belongs together: {error}{remedy}") from error
