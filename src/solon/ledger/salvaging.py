"""What is sound of a damaged ledger goes into a new one. The damaged file is read, and nothing else is done to it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from solon.errors import DataError, StorageError
from solon.ledger.checksums import checksum
from solon.ledger.finding import Finds, call_is_sound, count, find, replies
from solon.ledger.log import SIZES, beside
from solon.ledger.owners import anybody_has, copy_notes, owners_of
from solon.ledger.pages import Pages
from solon.ledger.rows import NANO, UNKNOWN
from solon.ledger.schema import PAGE_BYTES, VERSION, connect, make_folders, make_private, prepare, storage
from solon.ledger.seal import is_log_alone
from solon.ledger.store import Ledger

_FIRST_PAGE_BYTES = 4096  # of the ledgers of solon's first versions
_VERSIONS = 1000  # no schema has such a number: it is damaged

_REPLY = "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"
_SENT = "INSERT INTO sent VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_BATCH = "INSERT OR IGNORE INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_COSTS = "SELECT run, name, SUM(nano_usd) FROM replies JOIN models ON models.id = replies.model GROUP BY run, name"


@dataclass(frozen=True, slots=True)
class Saved:
    """How much of something there is in the new ledger, and how much more the damaged one is known to have held."""

    saved: int
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What a salvage has come to.

    Attributes:
        replies: those that are lost are asked again when they are needed.
        usd: what the saved replies cost.
        models: a lost one is a model of which only the id is known until it is asked again; its replies are there.
        calls: under way when their process ended: in doubt now, but those of a batch that is at its provider.
        batches: handed to providers.
        budgets: what is spent is never less than what the saved replies of its runs cost.
        raised: the budgets whose sum had to be raised to that, or made anew.
        broken: the tables that could not be read whole, so that more than is known may be lost of them; of a broken
            log, in which any of them may have stood, the log alone.
    """

    replies: Saved
    usd: float
    models: Saved
    calls: Saved
    batches: Saved
    budgets: Saved
    raised: tuple[str, ...]
    broken: tuple[str, ...]


def salvage(damaged: Path, to: Path) -> Salvaged:
    """Writes what is sound of the ledger ``damaged``, with the log beside it, into the new ledger ``to``.

    Replies that a killed process had noted beside it are taken in as well. They are counted among the calls.

    Raises:
        DataError: ``damaged`` is not there, or ``to`` is there already.
        StorageError: a process has it open, it is of a newer solon or somebody else's, or nothing in it is sound.
            Nothing was written then.
    """
    if not (damaged.is_file() or is_log_alone(damaged)):
        raise DataError(f"there is no ledger at {damaged}")
    if to.exists() or any(beside(to, ending).exists() for ending in ("-wal", "-shm", "-journal")):
        raise DataError(f"{to} is there already, or a log of its name: name a file that is not")
    with ExitStack() as opened:
        with storage(damaged, "Nothing was changed"):
            if anybody_has(damaged):  # what it writes would be missing
                raise StorageError(f"a process that is alive has the ledger {damaged} open: end it, and salvage then")
            pages, finds = opened.enter_context(_opened(damaged))
        connection = opened.enter_context(_made(to))
        done = _write(connection, pages, finds)
        if not (done.replies.saved or done.models.saved or done.calls.saved or done.batches.saved):
            raise StorageError(f"nothing in {damaged} is sound, or it never was a ledger: it is left as it is")
    with storage(to, "What is sound was salvaged into it; replies that wait beside the damaged one were not"):
        noted = copy_notes(damaged, to)
    if noted:
        Ledger.open(to).close()  # which takes them in
        with suppress(OSError):
            owners_of(to).rmdir()
    return done


@contextmanager
def _opened(damaged: Path) -> Iterator[tuple[Pages, Finds]]:
    """The pages, of the size that the file says; where that is lost or wrong, of the one in which most can be read."""
    with ExitStack() as files:
        pages = files.enter_context(Pages(damaged))
        if VERSION < pages.version < _VERSIONS:
            raise StorageError(
                f"ledger {damaged} was written by a newer solon (schema {pages.version}): salvage it with that one"
            )
        finds = find(pages)
        sizes = () if pages.size == PAGE_BYTES and finds.leaves else (PAGE_BYTES, _FIRST_PAGE_BYTES, *SIZES)
        for size in dict.fromkeys(sizes):
            if size in SIZES[:3] and finds.leaves:
                break  # smaller than any that solon has used
            others = files.enter_context(Pages(damaged, size))
            found = find(others)
            if found.leaves > finds.leaves:
                pages, finds = others, found
        yield pages, finds


@contextmanager
def _made(to: Path) -> Iterator[sqlite3.Connection]:
    """A new ledger, which has its name only when it is whole."""
    with storage(to, "Nothing was changed"):
        make_folders(to)
        with TemporaryDirectory(prefix=".salvaging-", dir=to.parent) as folder:
            partial = Path(folder) / to.name
            make_private(partial)
            connection = connect(partial)
            try:
                prepare(connection, partial)
                # straight into the file: with a log it would need twice the room, and would be closed without a word
                # of a disk that is too full to take what stands in the log
                connection.execute("PRAGMA journal_mode = DELETE")
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            finally:
                connection.close()
            if to.exists():
                raise DataError(f"{to} has come to be there meanwhile: name another file")
            partial.rename(to)


def _write(connection: sqlite3.Connection, pages: Pages, finds: Finds) -> Salvaged:
    models = finds.models
    connection.executemany("INSERT INTO models VALUES (?, ?, ?)", [(one, *two) for one, two in models.items()])
    numbers, usd = _write_replies(connection, pages, finds)
    batches = _write_batches(connection, finds)
    calls, reserved = _write_calls(connection, finds, batches)
    raised = _write_budgets(connection, finds, reserved)
    (unknown,) = connection.execute("SELECT COUNT(*) FROM models WHERE description = ?", (UNKNOWN,)).fetchone()
    (budgets,) = connection.execute("SELECT COUNT(*) FROM budgets").fetchone()
    had = count(pages, finds, "replies", "sqlite_autoindex_replies_1", numbers)
    sent = count(pages, finds, "sent", "sent_by_key", list(finds.sent))
    handed = count(pages, finds, "batches", "sqlite_autoindex_batches_1", list(finds.batches))
    return Salvaged(
        replies=Saved(len(numbers), max(0, had - len(numbers))),
        usd=usd / NANO,
        models=Saved(len(models), unknown),
        calls=Saved(calls, max(0, sent - calls)),
        batches=Saved(len(batches), max(0, handed - len(batches))),
        budgets=Saved(budgets, len(set(reserved) - set(finds.budgets))),
        raised=raised,
        broken=("the log",) if pages.log_broken else tuple(sorted(finds.broken)),
    )


def _write_replies(connection: sqlite3.Connection, pages: Pages, finds: Finds) -> tuple[list[int], int]:
    """The numbers that the saved ones had, and what they cost in nano-dollars."""
    numbers, cost = [], 0
    for number, row in replies(pages, finds):
        values: list[Any] = row[:12]
        _know(connection, finds, values[1])
        if connection.execute(_REPLY, (*values, checksum(values))).rowcount:
            numbers.append(number)
            cost += values[9]
    return numbers, cost


def _know(connection: sqlite3.Connection, finds: Finds, model: str) -> None:
    """A row for a model whose description is lost: it is written when the model is asked the next time."""
    if model not in finds.models:
        connection.execute("INSERT OR IGNORE INTO models VALUES (?, ?, ?)", (model, f"model {model}", UNKNOWN))


def _write_batches(connection: sqlite3.Connection, finds: Finds) -> set[int]:
    """The rowids of those that were written. Nobody is at work on any."""
    written = set()
    for number, row in finds.batches.items():
        values: list[Any] = row[1:12]
        values[8] = ""
        _know(connection, finds, values[3])
        if connection.execute(_BATCH, (number, *values)).rowcount:
            written.add(number)
    return written


def _write_calls(connection: sqlite3.Connection, finds: Finds, batches: set[int]) -> tuple[int, dict[str, int]]:
    """How many, and what they have reserved, by budget. Those of no batch are in doubt."""
    written, reserved = 0, dict[str, int]()
    for _, row in sorted(finds.sent.items()):
        values: list[Any] = [*row[1:11], row[11] if len(row) > 11 else None]
        key, model, request, amount, names = values[0], values[1], values[4], values[5], _names(values[6])
        (answered,) = connection.execute("SELECT COUNT(*) FROM replies WHERE key = ?", (key,)).fetchone()
        # found beside a broken tree, it may have been closed long ago
        if (
            (answered and "sent" in finds.broken)
            or not call_is_sound(key, model, request, finds.models)
            or names is None
        ):
            continue
        if values[10] not in batches:
            values[8], values[10] = 1, None
        values[7] = ""
        _know(connection, finds, model)
        connection.execute(_SENT, values)
        written += 1
        for name in names:
            reserved[name] = reserved.get(name, 0) + amount
    return written, reserved


def _names(text: str) -> list[str] | None:
    try:
        names = json.loads(text)
    except ValueError:
        return None
    return names if isinstance(names, list) and all(isinstance(name, str) for name in names) else None


def _write_budgets(connection: sqlite3.Connection, finds: Finds, reserved: dict[str, int]) -> tuple[str, ...]:
    """What is spent is at least what the saved replies of a budget's runs cost, and what calls reserved that are lost.

    Returns those that had to be raised. Where the table is broken, each run whose replies cost anything gets a budget;
    its cap is written when it is asked for the next time.
    """
    costs: dict[str, int] = {}
    for run, model, cost in connection.execute(_COSTS):
        parts = run.split("/")
        for some in range(1, len(parts) + 1):
            name = f"run {'/'.join(parts[:some])}"
            for budget in (name, f"{name}: {model}"):
                costs[budget] = costs.get(budget, 0) + cost
    names = {*finds.budgets, *reserved}
    if "budgets" in finds.broken:
        names |= {name for name, cost in costs.items() if cost}
    raised = []
    for name in sorted(names):
        cap, spent, held = finds.budgets.get(name, (0, 0, 0))
        backed = reserved.get(name, 0)
        least = max(spent + max(0, held - backed), costs.get(name, 0))
        if least > spent or name not in finds.budgets:
            raised.append(name)
        connection.execute("INSERT INTO budgets VALUES (?, ?, ?, ?)", (name, cap, least, backed))
    return tuple(raised)
