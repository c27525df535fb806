"""The tables, and the door to the file: made, recognised, or refused with what to do. Never repaired, never rebuilt."""

from __future__ import annotations

import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from solon.data.whole import remedy_of
from solon.errors import StorageError
from solon.ledger.checksums import first_changed
from solon.ledger.log import beside, is_broken
from solon.ledger.owners import anybody_has

VERSION = 3
APPLICATION_ID = 0x534F4C4E  # "SOLN": tells a ledger from anybody else's SQLite file
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

CHECKSUMS = """
-- of the row: solon.ledger.checksums; NULL in rows of an older solon
ALTER TABLE replies ADD COLUMN checksum INTEGER;
"""

STEPS = (TABLES, BATCHES, CHECKSUMS)
"""What brings a ledger from each version to the next; from 0, an empty file. None of them takes anything away."""


@contextmanager
def storage(path: Path, safe: str) -> Iterator[None]:
    """The one place where SQLite's errors become ours. ``safe`` says what is still there."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "") or ""
        if name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE"):
            what = "the disk is full or a quota is used up: free some space and run the same command again"
        elif name.startswith("SQLITE_BUSY"):
            what = f"another process has kept it locked for {PATIENCE_S:g} s: end that process, or use another ledger"
        elif is_damage(error):
            what = f"it {damaged(path)}"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_PERM", "SQLITE_AUTH", "SQLITE_CANTOPEN")):
            what = "it cannot be written: check the permissions of the file and of its folder"
        else:
            what = "SQLite gave up"
        raise StorageError(f"ledger {path}: {what} ({error}). {safe}") from error
    except OSError as error:
        remedy = remedy_of(error.errno)
        raise StorageError(f"ledger {path}: {error.strerror or error}{remedy}. {safe}") from error


def damaged(path: Path) -> str:
    """What to say of a damaged ledger, and what to do."""
    return (
        f"is damaged or no ledger; it is left as it is: `{salvage_command(path)}` writes what is sound of it into a "
        "new one; or restore it from a backup, with no -wal beside it but that of the backup, or name another ledger"
    )


def salvage_command(path: Path) -> str:
    """What to type."""
    return shlex.join(["solon", "ledger", "salvage", str(path), "--to", "NEW"])


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite has found the file damaged."""
    name = getattr(error, "sqlite_errorname", "") or ""
    # what was text and is none any more has no name
    damage = name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or "Could not decode to UTF-8" in str(error)
    return isinstance(error, sqlite3.Error) and damage


def make_folders(path: Path) -> None:
    """Makes the folders that ``path`` shall lie in, with mode 0700. What exists keeps the mode it has."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(mode=0o700, exist_ok=True)


def make_private(path: Path) -> None:
    """Makes missing folders with mode 0700 and a missing file with 0600. What exists keeps the mode it has."""
    make_folders(path)
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


def inspect(path: Path, *, sealed: bool) -> None:
    """Checks that a file is a sound ledger, or empty. Whatever is found, file and log stay byte for byte as they are.

    Args:
        path: the file.
        sealed: whether it is known to be sound, and need not be read through.

    Raises:
        StorageError: it is somebody else's file, damaged, or of a newer solon.
    """
    if not path.stat().st_size:
        return
    # not while others write: they have looked, and a frame may be half written
    if not anybody_has(path) and is_broken(path) and not anybody_has(path):
        raise StorageError(f"ledger {path} {damaged(path)} (a change in its log is not what was written)")
    with closing(_reading(path)) as connection:
        connection.execute("BEGIN")  # all of one moment: another process may be making it
        (tables,) = connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        version = _version(connection)
        connection.execute("COMMIT")
        if application != APPLICATION_ID and tables:
            raise StorageError(f"{path} is a SQLite file, and not a ledger of solon: name another file")
        _refuse_newer(path, version)
        if not sealed:
            (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
            if verdict == "ok" and version > STEPS.index(CHECKSUMS):
                verdict = first_changed(connection) or "ok"
            if verdict != "ok":
                first = verdict.removeprefix("*** in database main ***").strip()
                raise StorageError(f"ledger {path} {damaged(path)} ({first})")


def _reading(path: Path) -> sqlite3.Connection:
    """A connection that only reads, so that no log is written into the file when it is closed."""
    # where there is no log, one that could write clears away what it needs itself
    log = beside(path, "-wal")
    mode = "ro" if log.exists() and log.stat().st_size else "rw"
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=PATIENCE_S)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Brings a sound ledger of an older version up to date; makes an empty file one. ``path`` names it in messages.

    Raises:
        StorageError: it is of a newer solon; or of an older one, and a process has it open.
    """
    _use_wal(connection)
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        if 0 < version < VERSION and anybody_has(path):
            # an older solon could not record a reply any more that it has paid
            raise StorageError(
                f"ledger {path} was written by an older solon, and a process that is alive has it open: "
                "let it end, or name another ledger"
            )
        if version < VERSION:
            for statement in "".join(STEPS[version:]).split(";\n"):
                if statement.strip():
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
        _refuse_newer(path, version)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _refuse_newer(path: Path, version: int) -> None:
    if version > VERSION:
        raise StorageError(
            f"ledger {path} was written by a newer solon (schema {version}, this one knows {VERSION}): "
            "upgrade solon, or name another ledger"
        )


def _version(connection: sqlite3.Connection) -> int:
    """Of the schema that the file has."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


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
