"""Ledgers of older solons are brought up to date with all that they hold; those of newer ones are left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from solon.data.records import Message
from solon.errors import StorageError
from solon.ledger import Budget, Call, Ledger, Sent
from solon.ledger.owners import Owners, owners_of
from solon.ledger.salvaging import salvage
from solon.ledger.schema import APPLICATION_ID, STEPS, VERSION
from solon.models.base import Price, Request
from solon.models.scripted import Scripted
from solon.stream import Stream, ask

QUESTIONS, DOUBTS = 50, 2
TABLES = ("models", "replies", "sent", "budgets")
OLDER = range(1, VERSION)


def request(number: int) -> Request:
    return Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)


def stage(path: Path) -> tuple[list[str], int]:
    """The answers, and how many were asked anew."""
    model = Scripted(
        answer=lambda asked: asked.messages[0].content,
        over_a_network=True,
        price=Price(input=1, output=1),
        concurrency=8,
    )

    async def asked(ledger: Ledger) -> list[str]:
        async with Stream(ledger, run="r", stage="s", max_usd=1) as stream:
            numbers = range(QUESTIONS)
            replies = stream.map(lambda number: ask(model, request(number)), numbers, window=16)
            return [reply.text async for _, reply in replies]

    with Ledger.open(path) as ledger:
        return sorted(asyncio.run(asked(ledger))), len(model.seen)


@pytest.fixture
def today(tmp_path: Path) -> Path:
    """A ledger of this version, with replies, a budget, and calls whose process has ended."""
    path = tmp_path / "today.sqlite"
    assert stage(path)[1] == QUESTIONS
    with Ledger.open(path) as ledger:
        calls = [Call.of(Scripted(model="gone"), request(QUESTIONS + number), run="r") for number in range(DOUBTS)]
        ledger.apply([Sent(call, 7, (Budget("run r", 1.0),)) for call in calls])
    return path


def held(path: Path, version: int) -> dict[str, list[tuple[object, ...]]]:
    """The rows of every table, in the columns that it had in a version."""
    with closing(sqlite3.connect(":memory:")) as old, closing(sqlite3.connect(path)) as connection:
        old.executescript("".join(STEPS[:version]))
        columns = {table: [row[1] for row in old.execute(f"PRAGMA table_info({table})")] for table in TABLES}
        select = {table: f"SELECT {', '.join(names)} FROM {table} ORDER BY 1" for table, names in columns.items()}
        return {table: connection.execute(query).fetchall() for table, query in select.items()}


def of_version(version: int, today: Path) -> Path:
    """A ledger as that version wrote it, with the same rows."""
    path = today.with_name(f"version-{version}.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("".join(STEPS[:version]))
        for table, rows in held(today, version).items():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {version}")
        connection.commit()
    return path


@pytest.mark.reliability("ledger-schema")
def test_an_older_ledger_is_brought_up_to_date_and_the_run_goes_on_with_it(
    today: Path, figure: Callable[[str], None]
) -> None:
    """Every row is there afterwards, the calls in doubt are, the next run asks for nothing; it can be salvaged too."""
    answers, _ = stage(today)
    anew = 0
    for version in OLDER:
        path = of_version(version, today)
        before = held(path, version)
        saved = salvage(path, path.with_name(f"salvaged-{version}.sqlite"))
        assert (saved.replies.saved, saved.calls.saved) == (QUESTIONS, DOUBTS)
        with Ledger.open(path) as ledger:
            assert len(ledger.in_doubt()) == DOUBTS
        assert held(path, version) == before
        found, asked = stage(path)
        assert found == answers
        anew += asked
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
    assert anew == 0
    figure(f"{len(OLDER)} older schemas: all rows kept, {anew} of {len(OLDER) * QUESTIONS} replies asked again")


@pytest.mark.reliability("ledger-schema")
@pytest.mark.parametrize("version", OLDER)
def test_an_older_ledger_that_an_older_solon_is_at_work_on_is_left_to_it(version: int, today: Path) -> None:
    """It could not record what it has paid in a table that has grown. When it has ended, the ledger is brought up."""
    path = of_version(version, today)
    before = held(path, version)
    older = Owners(owners_of(path))
    with pytest.raises(StorageError, match="by an older solon, and a process that is alive has it open: let it end"):
        Ledger.open(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    assert held(path, version) == before
    older.leave()
    assert stage(path)[1] == 0


@pytest.mark.reliability("ledger-schema")
@pytest.mark.parametrize("version", OLDER)
def test_many_who_open_an_older_ledger_at_once_bring_it_up_to_date_once(version: int, today: Path) -> None:
    """Whoever comes second sees what the first has done, and none is refused."""
    path = of_version(version, today)
    with ThreadPoolExecutor(8) as threads:
        opened = list(threads.map(lambda _: Ledger.open(path), range(8)))
    counts = {len(list(ledger.entries())) for ledger in opened}
    for ledger in opened:
        ledger.close()
    assert counts == {QUESTIONS}


@pytest.mark.reliability("ledger-schema")
@pytest.mark.parametrize("version", [VERSION + 1, VERSION + 40])
def test_a_newer_ledger_is_refused_by_all_and_no_byte_of_it_changes(version: int, today: Path) -> None:
    """Whoever opens it, and whoever would salvage it, which is no remedy here."""
    with closing(sqlite3.connect(today)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    before = today.read_bytes()
    with pytest.raises(StorageError, match="newer solon"):
        Ledger.open(today)
    with pytest.raises(StorageError, match="salvage it with that one"):
        salvage(today, today.with_name("new.sqlite"))
    assert today.read_bytes() == before
    assert not today.with_name("new.sqlite").exists()
