"""How batches are written: their rows are calls under way like any other, tied to a batch that outlives its process."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from typing import Protocol, assert_never

from solon.ledger.owners import Owners
from solon.ledger.rows import (
    Call,
    Decided,
    Elsewhere,
    Ended,
    Gathered,
    InBatch,
    Known,
    Left,
    NoRoom,
    Resumed,
    Sent,
    Submitted,
    TakenOver,
    Ticket,
)

_OPEN = """
INSERT INTO batches (label, provider, model, run, stage, requests, phase, owner, submitted_at)
VALUES (?, ?, ?, ?, ?, ?, 'submitting', ?, ?)
"""

_AT_WORK = """
SELECT id, remote, owner, submitted_at, requests FROM batches
WHERE label = ? AND phase IN ('submitting', 'submitted')
"""

_OPEN_CALLS = "SELECT id, key, reserved_nano_usd, budgets FROM sent WHERE batch = ? AND NOT doubtful ORDER BY id"

_END = "UPDATE batches SET phase = ?, ended_at = ?, owner = '' WHERE id = ?"


class Send(Protocol):
    """Decides on one request that shall go out with a batch."""

    def __call__(self, sent: Sent, batch: int | None = None) -> Ticket | Known | Elsewhere | NoRoom | InBatch:
        """What the ledger says to it."""
        ...


class Settle(Protocol):
    """Closes an open call."""

    def __call__(self, ticket: Ticket, *, spent: int) -> None:
        """Frees its reservation and counts what was spent, in nano-dollars."""
        ...


class BatchWriter:
    """Writes what becomes of batches, within the transaction of the ``Writer`` that it belongs to."""

    def __init__(
        self, connection: sqlite3.Connection, owners: Owners, send: Send, settle: Settle, model: Callable[[Call], str]
    ) -> None:
        self._db = connection
        self._owners = owners
        self._send, self._settle, self._model = send, settle, model

    def apply(self, change: Gathered | Submitted | TakenOver | Left | Ended) -> Decided | Resumed | None:
        """Writes one change."""
        match change:
            case Gathered():
                return self._gather(change)
            case Submitted(label=label, id=remote):
                self._db.execute("UPDATE batches SET remote = ?, phase = 'submitted' WHERE label = ?", (remote, label))
                return None
            case TakenOver(label=label):
                return self._take_over(label)
            case Left(label=label):
                self._own(label, "")
                return None
            case Ended():
                self._end(change)
                return None
            case _:
                assert_never(change)

    def _gather(self, gathered: Gathered) -> Decided:
        first = gathered.sent[0].call
        about = (gathered.label, gathered.provider, self._model(first), first.run, first.stage)
        batch = self._db.execute(_OPEN, (*about, 0, self._owners.me, time.time())).lastrowid
        outcomes = tuple(self._send(sent, batch) for sent in gathered.sent)
        requests = sum(isinstance(outcome, Ticket) for outcome in outcomes)
        if requests:
            self._db.execute("UPDATE batches SET requests = ? WHERE id = ?", (requests, batch))
        else:
            self._db.execute("DELETE FROM batches WHERE id = ?", (batch,))
        return Decided(outcomes)

    def _take_over(self, label: str) -> Resumed | None:
        row = self._db.execute(_AT_WORK, (label,)).fetchone()
        if row is None or self._owners.alive(row[2]):
            return None
        batch, remote, _, submitted_at, requests = row
        self._own(label, self._owners.me)
        still_open = tuple(
            (key, Ticket(ticket, reserved, tuple(json.loads(budgets))))
            for ticket, key, reserved, budgets in self._db.execute(_OPEN_CALLS, (batch,))
        )
        return Resumed(label, remote, submitted_at, still_open, requests)

    def _own(self, label: str, owner: str) -> None:
        self._db.execute("UPDATE batches SET owner = ? WHERE label = ?", (owner, label))
        self._db.execute(
            "UPDATE sent SET owner = ? WHERE batch = (SELECT id FROM batches WHERE label = ?)", (owner, label)
        )

    def _end(self, ended: Ended) -> None:
        row = self._db.execute(_AT_WORK, (ended.label,)).fetchone()
        if row is None:
            return
        batch = row[0]
        match ended.how:
            case "lost":
                self._db.execute("UPDATE sent SET doubtful = 1 WHERE batch = ?", (batch,))
            case "collected" | "refused":
                for ticket, _, reserved, budgets in self._db.execute(_OPEN_CALLS, (batch,)).fetchall():
                    self._settle(Ticket(ticket, reserved, tuple(json.loads(budgets))), spent=0)
            case _:
                assert_never(ended.how)
        self._db.execute(_END, (ended.how, time.time(), batch))
