"""The tables, and the door to the file: made, recognised, or refused with what to do. Never repaired, never rebuilt."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from solon.errors import StorageError

VERSION = 2
APPLICATION_ID = 0x534F4C4E  # "SOLN": tells a ledger from anybody else's SQLite file
DAMAGED = "is damaged or no ledger; it is left as it is: restore it from a backup, or name another ledger"
PAGES_IN_LOG = 4000  # 32 MB
CACHE_KIB = 8_000
PAGE_BYTES = 8192
"""Of a new ledger. A judge's reply with its request has two thousand bytes or some more. A page of 4,096 holds one of
these and wastes the rest; pages larger than this make the log longer, since each key goes into another one."""
PATIENCE_S = 30.0  # how long another process may hold the write lock

TABLES = """
CREATE TABLE models (
    id TEXT PRIMARY KEY,          -- first 16 digits of the SHA-256 of the description
    name TEXT NOT NULL,
    description TEXT NOT NULL     -- canonical JSON of ChatModel.describe()
);
CREATE TABLE replies (
    key TEXT PRIMARY KEY,         -- SHA-256 of the canonical JSON of model and request
    model TEXT NOT NULL REFERENCES models (id),
    run TEXT NOT NULL,
    stage TEXT NOT NULL,
    request TEXT NOT NULL,        -- JSON, pure ASCII
    reply TEXT NOT NULL,          -- JSON, pure ASCII
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    nano_usd INTEGER NOT NULL,
    sent_at REAL NOT NULL,        -- seconds since 1970
    replied_at REAL NOT NULL
);
CREATE TABLE sent (               -- calls under way, and calls in doubt
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    model TEXT NOT NULL REFERENCES models (id),
    run TEXT NOT NULL,
    stage TEXT NOT NULL,
    request TEXT NOT NULL,
    reserved_nano_usd INTEGER NOT NULL,
    budgets TEXT NOT NULL,        -- JSON list of budget names
    owner TEXT NOT NULL,          -- lock file of the process that sent it; in doubt when that process is gone
    doubtful INTEGER NOT NULL,    -- 1: in doubt although its process lives
    sent_at REAL NOT NULL
);
CREATE INDEX sent_by_key ON sent (key);
CREATE TABLE budgets (
    name TEXT PRIMARY KEY,
    cap_nano_usd INTEGER NOT NULL,
    spent_nano_usd INTEGER NOT NULL,
    reserved_nano_usd INTEGER NOT NULL
);
"""

BATCHES = """
CREATE TABLE batches (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,   -- names the submission, to the provider too
    remote TEXT,                  -- the provider's name for it; NULL until it is known to have arrived
    provider TEXT NOT NULL,
    model TEXT NOT NULL REFERENCES models (id),
    run TEXT NOT NULL,
    stage TEXT NOT NULL,
    requests INTEGER NOT NULL,
    phase TEXT NOT NULL,          -- submitting, submitted, collected, refused, lost
    owner TEXT NOT NULL,          -- lock file of the process that waits for it; empty when none does
    submitted_at REAL NOT NULL,   -- seconds since 1970
    ended_at REAL
);
ALTER TABLE sent ADD COLUMN batch INTEGER REFERENCES batches (id);
CREATE INDEX sent_by_batch ON sent (batch) WHERE batch IS NOT NULL;
"""

STEPS = (TABLES, BATCHES)
"""What brings a ledger from each version to the next; from 0, an empty file. None of them takes anything away."""


@contextmanager
def storage(path: Path, safe: str) -> Iterator[None]:
    """The one place where SQLite's errors become ours. ``safe`` says what is still there."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name.startswith("SQLITE_FULL") or (name.startswith("SQLITE_IOERR") and "WRITE" in name):
            what = "the disk is full or a quota is used up: free some space and run the same command again"
        elif name.startswith("SQLITE_BUSY"):
            what = f"another process has kept it locked for {PATIENCE_S:.0f} s: end that process, or use another ledger"
        elif is_damage(error):
            what = f"it {DAMAGED}"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CANTOPEN")):
            what = "it cannot be written: check the permissions of the file and of its folder"
        else:
            what = "SQLite gave up"
        raise StorageError(f"ledger {path}: {what} ({error}). {safe}") from error
    except OSError as error:
        raise StorageError(f"ledger {path}: {error.strerror or error}. {safe}") from error


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite has found the file damaged."""
    name = getattr(error, "sqlite_errorname", "") or ""
    return isinstance(error, sqlite3.Error) and name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


def make_private(path: Path) -> None:
    """Makes missing folders with mode 0700 and a missing file with 0600. What exists keeps the mode it has."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def connect(path: Path) -> sqlite3.Connection:
    """A connection without implicit transactions, usable from any thread by one at a time."""
    connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a file that is empty; any other keeps what it has
    connection.execute("PRAGMA synchronous = FULL")
    # pages that many groups of changes touch go back into the file less often: a third less work for the disk
    connection.execute(f"PRAGMA wal_autocheckpoint = {PAGES_IN_LOG}")
    connection.execute(f"PRAGMA cache_size = {-CACHE_KIB}")
    return connection


def prepare(connection: sqlite3.Connection, path: Path, *, sealed: bool) -> None:
    """Checks that the file is a sound ledger, brings that of an older version up to date, makes an empty file one.

    Args:
        connection: to it.
        path: names it in messages.
        sealed: whether it is known to be sound, and need not be read through.

    Raises:
        StorageError: it is somebody else's file, damaged, or of a newer solon.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
    if application != APPLICATION_ID and tables:
        raise StorageError(f"{path} is a SQLite file, and not a ledger of solon: name another file")
    if not sealed:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise StorageError(f"ledger {path} {DAMAGED} ({verdict})")
    _use_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version < VERSION:
            for statement in "".join(STEPS[version:]).split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        elif version > VERSION:
            raise StorageError(
                f"ledger {path} was written by a newer solon (schema {version}, this one knows {VERSION}): "
                "upgrade solon, or name another ledger"
            )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switches to write-ahead logging. SQLite does not wait for the lock here, so two first openers would collide."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            if not error.sqlite_errorname.startswith("SQLITE_BUSY") or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            if mode != "wal":
                raise StorageError(
                    "the ledger's file system does not support write-ahead logging: put it on a local disk"
                )
            return
