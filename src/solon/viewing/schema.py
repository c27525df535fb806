"""The scratch database of a view: gone when it is closed, on disk where it does not fit into its cache."""

from __future__ import annotations

import sqlite3

CACHE_KIB = 32_768
"""Of the database that is held in memory, whatever there is in all."""

_STATEMENTS = (
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
    f"PRAGMA cache_size = -{CACHE_KIB}",
    # records as JSON in ASCII, which holds half of a surrogate pair too; `folded` is for searching, and ahead
    # of them, so that a search need not read past them
    "CREATE TABLE prompt (place INTEGER PRIMARY KEY, id TEXT UNIQUE, topic TEXT, folded TEXT, record TEXT)",
    "CREATE TABLE completion (place INTEGER PRIMARY KEY, id TEXT UNIQUE, folded TEXT, record TEXT)",
    "CREATE TABLE judgment (place INTEGER PRIMARY KEY, record TEXT)",
    (
        "CREATE TABLE item (place INTEGER PRIMARY KEY, id TEXT, prompt INTEGER, principles TEXT, labeler TEXT,"
        " first TEXT, second TEXT, first_place INTEGER, second_place INTEGER,"
        " lean REAL, orders_differ INTEGER, panel_differs INTEGER, reasons TEXT,"
        " drawn INTEGER, UNIQUE (id, labeler))"
    ),
    "CREATE TABLE item_judgment (item INTEGER, judgment INTEGER, PRIMARY KEY (item, judgment)) WITHOUT ROWID",
    "CREATE INDEX item_judgment_back ON item_judgment (judgment)",
    "CREATE TABLE item_judge (item INTEGER, judge TEXT, PRIMARY KEY (judge, item)) WITHOUT ROWID",
    "CREATE TABLE item_principle (item INTEGER, principle TEXT, PRIMARY KEY (principle, item)) WITHOUT ROWID",
    "CREATE TABLE rationale (item INTEGER, folded TEXT)",
    "CREATE INDEX rationale_of ON rationale (item)",
    "CREATE INDEX drawing ON item (drawn)",
    "CREATE TABLE mine (item TEXT PRIMARY KEY, said TEXT, value REAL, revealed INTEGER) WITHOUT ROWID",
)


def scratch() -> sqlite3.Connection:
    """An empty database in a file that the system takes away when it is closed."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for statement in _STATEMENTS:
        connection.execute(statement)
    connection.execute("BEGIN")
    return connection


def held(text: str) -> str:
    """A text as SQLite can hold it: half of a surrogate pair becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", " ")


def folded(text: str) -> str:
    """A text as it is searched: as it is held, and case folded."""
    return held(text.casefold())
