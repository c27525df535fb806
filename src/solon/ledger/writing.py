"""How changes are written: any number in one transaction, money reserved and settled in the same one."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from typing import assert_never

from solon.ledger.owners import Owners
from solon.ledger.reading import find
from solon.ledger.rows import (
    Answered,
    Budget,
    Call,
    Change,
    Doubted,
    Dropped,
    Elsewhere,
    Known,
    NoRoom,
    Outcome,
    Sent,
    Ticket,
    nano,
)

_SEND = """
INSERT INTO sent (key, model, run, stage, request, reserved_nano_usd, budgets, owner, doubtful, sent_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?)
"""

_ANSWER = "INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING"

_SET_CAP = """
INSERT INTO budgets VALUES (?, ?, 0, 0)
ON CONFLICT (name) DO UPDATE SET cap_nano_usd = excluded.cap_nano_usd
"""

_RESERVE = """
UPDATE budgets SET reserved_nano_usd = reserved_nano_usd + :amount
WHERE name = :name AND spent_nano_usd + reserved_nano_usd + :amount <= cap_nano_usd
"""

_RELEASE = """
UPDATE budgets SET reserved_nano_usd = reserved_nano_usd - :amount, spent_nano_usd = spent_nano_usd + :spent
WHERE name = :name
"""

_OPEN_BY_OWNER = """
SELECT owner, doubtful, SUM(reserved_nano_usd) FROM sent
WHERE EXISTS (SELECT 1 FROM json_each(sent.budgets) WHERE value = ?)
GROUP BY owner, doubtful
"""


class Writer:
    """The one connection of this process that writes. Not safe for two threads at once."""

    def __init__(self, connection: sqlite3.Connection, owners: Owners) -> None:
        self._db = connection
        self._owners = owners
        self._models: dict[str, str] = {}
        self._caps: dict[str, int] = {}

    def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Writes all changes or, when it raises, none."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(change) for change in changes]
            self._db.execute("COMMIT")
        except BaseException:
            # what was remembered as written may just have been undone
            self._models.clear()
            self._caps.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return outcomes

    def _apply(self, change: Change) -> Outcome:
        match change:
            case Sent():
                return self._send(change)
            case Answered():
                return self._answer(change)
            case Dropped(ticket=ticket):
                self._settle(ticket, spent=0)
                return None
            case Doubted(ticket=ticket):
                self._db.execute("UPDATE sent SET doubtful = 1 WHERE id = ?", (ticket.id,))
                return None
            case _:
                assert_never(change)

    def _send(self, sent: Sent) -> Outcome:
        call = sent.call
        known = find(self._db, call.key)
        if known is not None:
            return Known(known)
        before = self._db.execute("SELECT owner, doubtful FROM sent WHERE key = ?", (call.key,)).fetchall()
        if any(not doubtful and self._owners.alive(owner) for owner, doubtful in before):
            return Elsewhere()
        for number, budget in enumerate(sent.budgets):
            if not self._reserve(budget, sent.reserve):
                for taken in sent.budgets[:number]:
                    self._release(taken.name, sent.reserve, spent=0)
                return self._no_room(budget, sent.reserve)
        names = tuple(budget.name for budget in sent.budgets)
        model, owner = self._model(call), self._owners.me
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
        )
        row = self._db.execute(_SEND, about)
        assert row.lastrowid is not None
        return Ticket(row.lastrowid, sent.reserve, names, len(before))

    def _answer(self, answered: Answered) -> Known:
        call, usage = answered.call, answered.reply.usage
        if answered.ticket is not None:
            self._settle(answered.ticket, spent=answered.cost)
        tokens = (usage.input_tokens, usage.output_tokens, usage.cached_tokens)
        about = (call.key, self._model(call), call.run, call.stage, call.request, answered.text)
        row = self._db.execute(_ANSWER, (*about, *tokens, answered.cost, answered.sent_at, time.time()))
        if row.rowcount:
            return Known(answered.reply)
        first = find(self._db, call.key)
        assert first is not None
        return Known(first)

    def _settle(self, ticket: Ticket, *, spent: int) -> None:
        self._db.execute("DELETE FROM sent WHERE id = ?", (ticket.id,))
        for name in ticket.budgets:
            self._release(name, ticket.reserved, spent=spent)

    def _model(self, call: Call) -> str:
        """The id of the call's model, whose description is written once."""
        known = self._models.get(call.description)
        if known is not None:
            return known
        name = call.description_id
        self._db.execute("INSERT OR IGNORE INTO models VALUES (?, ?, ?)", (name, call.model, call.description))
        self._models[call.description] = name
        return name

    def _reserve(self, budget: Budget, amount: int) -> bool:
        cap = nano(budget.cap_usd)
        if self._caps.get(budget.name) != cap:
            self._db.execute(_SET_CAP, (budget.name, cap))
            self._caps[budget.name] = cap
        return self._db.execute(_RESERVE, {"name": budget.name, "amount": amount}).rowcount == 1

    def _release(self, name: str, amount: int, *, spent: int) -> None:
        self._db.execute(_RELEASE, {"name": name, "amount": amount, "spent": spent})

    def _no_room(self, budget: Budget, needed: int) -> NoRoom:
        cap, spent = self._db.execute(
            "SELECT cap_nano_usd, spent_nano_usd FROM budgets WHERE name = ?", (budget.name,)
        ).fetchone()
        open_calls = self._db.execute(_OPEN_BY_OWNER, (budget.name,)).fetchall()
        doubt = sum(amount for owner, doubtful, amount in open_calls if doubtful or not self._owners.alive(owner))
        return NoRoom(budget.name, cap, needed, spent + doubt, doubt)
