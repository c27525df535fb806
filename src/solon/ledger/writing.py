"""How changes are written: any number in one transaction, money reserved and settled in the same one."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import assert_never

from solon.ledger.batches import BatchWriter
from solon.ledger.budgets import Budgets
from solon.ledger.checksums import checksum
from solon.ledger.groups import Groups, Single
from solon.ledger.notes import Note, notes_in
from solon.ledger.owners import Owners, owner_of
from solon.ledger.reading import find
from solon.ledger.rows import (
    UNKNOWN,
    Answered,
    Call,
    Change,
    Doubted,
    Dropped,
    Elsewhere,
    Ended,
    Gathered,
    InBatch,
    Known,
    Left,
    NoRoom,
    Outcome,
    Sent,
    Submitted,
    TakenOver,
    Ticket,
)

_SEND = """
INSERT INTO sent (key, model, run, stage, request, reserved_nano_usd, budgets, owner, doubtful, sent_at, batch)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)
"""

_ANSWER = "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"

_MODEL = """
INSERT INTO models VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, description = excluded.description WHERE models.description = ?
"""

_NOTED = """
SELECT id, model, run, stage, request, reserved_nano_usd, budgets FROM sent
WHERE key = :key
AND (id = :id AND owner = :owner OR owner = '' AND batch IS NULL AND key NOT IN (SELECT key FROM replies))
ORDER BY id DESC
"""
"""The call that a note answers. A salvaged ledger counts its calls anew and has no owners: there it is the last one."""

_BEFORE = """
SELECT s.owner, s.doubtful, b.label FROM sent s LEFT JOIN batches b ON b.id = s.batch WHERE s.key = ?
"""


class Writer:
    """The one connection of this process that writes. Not safe for two threads at once."""

    def __init__(self, connection: sqlite3.Connection, owners: Owners) -> None:
        self._db = connection
        self._owners = owners
        self._models: dict[str, str] = {}
        self._taken_in: dict[Path, bool] = {}  # in this transaction; whether all of it could be read
        self._budgets = Budgets(connection, owners, self._take_in)
        self._groups = Groups(connection, owners, self._budgets, self.model, self._take_in)
        self._batches = BatchWriter(connection, owners, self.send, self.settle, self.model)

    def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Writes all changes or, when it raises, none."""
        with self._transaction():
            return self._apply_all(changes)

    def take_in_notes(self) -> None:
        """Writes the replies that processes have noted which ended before they could."""
        if self._owners.left():
            with self._transaction():
                self._take_in()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException:
            # what was remembered as written may just have been undone
            self._models.clear()
            self._budgets.forget()
            self._taken_in.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        while self._taken_in:
            path, wholly = self._taken_in.popitem()
            with suppress(OSError):  # taken in once more, it changes nothing
                if wholly:
                    path.unlink(missing_ok=True)

    def _take_in(self) -> bool:
        """The same within a transaction; whether there was anything. Whoever finds a call's process gone asks."""
        new = [path for path in self._owners.left() if path not in self._taken_in]
        for path in new:
            with suppress(OSError):  # another process was quicker, or it is another user's
                read = [self._write_noted(note, owner_of(path)) for note in notes_in(path.read_bytes())]
                self._taken_in[path] = all(read)
        return bool(new)

    def _write_noted(self, note: Note | None, owner: str) -> bool:
        """Whether the note is needed no more. A newer solon may have written what this one cannot read."""
        if note is None:
            return False
        try:
            usage = json.loads(note.text)["usage"]
            tokens = (usage["input_tokens"], usage["output_tokens"], usage["cached_tokens"])
        except (ValueError, KeyError, TypeError):
            return False
        row = self._db.execute(_NOTED, {"key": note.key, "id": note.ticket, "owner": owner}).fetchone()
        if row is not None:  # not committed
            id_, *about, reserved, budgets = row
            self.settle(Ticket(id_, reserved, tuple(json.loads(budgets))), spent=note.cost)
            given = (note.key, *about, note.text, *tokens, note.cost, note.sent_at, note.replied_at)
            self._db.execute(_ANSWER, (*given, checksum(given)))
        return True

    def _apply_all(self, changes: Sequence[Change]) -> list[Outcome]:
        singles = [change for change in changes if isinstance(change, Single)]
        if len(singles) == len(changes) > 1:
            return self._groups.apply(singles)
        return [self._apply(change) for change in changes]

    def _apply(self, change: Change) -> Outcome:
        self._budgets.look_again()
        match change:
            case Sent():
                return self.send(change)
            case Answered():
                return self._answer(change)
            case Dropped(ticket=ticket):
                self.settle(ticket, spent=0)
                return None
            case Doubted(ticket=ticket):
                self._db.execute("UPDATE sent SET doubtful = 1 WHERE id = ?", (ticket.id,))
                return None
            case Gathered() | Submitted() | TakenOver() | Left() | Ended():
                return self._batches.apply(change)
            case _:
                assert_never(change)

    def send(self, sent: Sent, batch: int | None = None) -> Ticket | Known | Elsewhere | NoRoom | InBatch:
        """Decides on one request; ``batch`` is the row of the batch that it shall go out with."""
        call = sent.call
        known = find(self._db, call.key)
        if known is not None:
            return Known(known)
        before = self._db.execute(_BEFORE, (call.key,)).fetchall()
        if any(not doubtful and self._owners.alive(owner) for owner, doubtful, _ in before):
            return Elsewhere()
        if any(label is None for _, _, label in before) and self._take_in():  # replies to a batch are not noted
            return self.send(sent, batch)
        if batch is not None:
            for _, doubtful, label in before:
                if label is not None and not doubtful:
                    return InBatch(label)
        full = self._budgets.reserve(sent.budgets, sent.reserve)
        if full is not None:
            return self._budgets.no_room(full, sent.reserve)
        names = tuple(budget.name for budget in sent.budgets)
        model, owner = self.model(call), self._owners.me
        about = (
            call.key,
            model,
            call.run,
            call.stage,
            call.request,
            sent.reserve,
            json.dumps(names),
            owner,
            time.time(),
            batch,
        )
        row = self._db.execute(_SEND, about)
        assert row.lastrowid is not None
        return Ticket(row.lastrowid, sent.reserve, names, len(before))

    def _answer(self, answered: Answered) -> Known:
        call, usage = answered.call, answered.reply.usage
        if answered.ticket is not None:
            self.settle(answered.ticket, spent=answered.cost)
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        about = (call.key, self.model(call), call.run, call.stage, call.request, answered.text)
        given = (*about, *tokens, answered.cost, answered.sent_at, time.time())
        row = self._db.execute(_ANSWER, (*given, checksum(given)))
        if row.rowcount:
            return Known(answered.reply)
        first = find(self._db, call.key)
        assert first is not None
        return Known(first, earlier=True)

    def settle(self, ticket: Ticket, *, spent: int) -> None:
        """Closes an open call. One that is closed already is not counted twice."""
        if self._db.execute("DELETE FROM sent WHERE id = ?", (ticket.id,)).rowcount:
            for name in ticket.budgets:
                self._budgets.release(name, ticket.reserved, spent=spent)

    def model(self, call: Call) -> str:
        """The id of the call's model, whose description is written once."""
        known = self._models.get(call.description)
        if known is not None:
            return known
        name = call.description_id
        self._db.execute(_MODEL, (name, call.model, call.description, UNKNOWN))
        self._models[call.description] = name
        return name
