"""A checksum beside each reply: SQLite has none of its own, and a flipped bit in a reply would be another verdict."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from typing import Any
from zlib import crc32

REPLIES = "SELECT * FROM replies"
"""All of a reply's row, which the checksum is made of, and then the checksum; an older ledger has none."""

_TEXTS, _COLUMNS = 6, 12  # four whole numbers and two times follow the texts
_NUMBERS = struct.Struct(">4q2d")


class Changed(sqlite3.DatabaseError):
    """A row is not what was written into it. Treated as what SQLite itself finds damaged."""

    sqlite_errorname = "SQLITE_CORRUPT"


def checksum(row: Sequence[Any]) -> int:
    """CRC-32 of a row that begins as ``REPLIES`` does; its texts may be bytes."""
    texts = row[:_TEXTS]
    try:
        content = "\x1f".join(texts).encode()
    except TypeError:
        content = b"\x1f".join([text if isinstance(text, bytes) else text.encode() for text in texts])
    return crc32(_NUMBERS.pack(*row[_TEXTS:_COLUMNS]), crc32(content))


def intact(row: Sequence[Any]) -> bool:
    """Whether a row that ends with its checksum is as it was written. One of an older solon has none, and passes."""
    try:
        return len(row) == _COLUMNS or row[_COLUMNS] in (None, checksum(row))
    except (AttributeError, ValueError, struct.error):
        return False  # a number where a text was, or the other way about


def check(row: Sequence[Any]) -> None:
    """Raises ``Changed`` where the row is not ``intact``."""
    if not intact(row):
        raise Changed(f"the reply to the call {row[0][:16]} is not what was written")


def first_changed(connection: sqlite3.Connection) -> str:
    """What is wrong with the first row that is not as it was written; empty when all are. Reads every reply."""
    before = connection.text_factory
    connection.text_factory = bytes  # what was damaged need not be text
    try:
        for number, row in enumerate(connection.execute(REPLIES), 1):
            if not intact(row):
                return f"reply {number} is not what was written"
    finally:
        connection.text_factory = before
    return ""
