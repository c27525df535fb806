"""Caps on money: reserved before a request goes out, settled when its end is known, never overrun."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from solon.ledger.owners import Owners
from solon.ledger.rows import Budget, NoRoom, nano

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
SELECT owner, doubtful, batch IS NOT NULL, SUM(reserved_nano_usd) FROM sent
WHERE EXISTS (SELECT 1 FROM json_each(sent.budgets) WHERE value = ?)
GROUP BY owner, doubtful, batch IS NOT NULL
"""


class Budgets:
    """The table of budgets, within the transaction of the ``Writer`` that it belongs to. Amounts in nano-dollars."""

    def __init__(self, connection: sqlite3.Connection, owners: Owners, take_in: Callable[[], bool]) -> None:
        self._db = connection
        self._owners = owners
        self._take_in = take_in
        self._caps: dict[str, int] = {}
        self._doubts: dict[str, tuple[int, int]] = {}

    def look_again(self) -> None:
        """Calls may have come to be in doubt, or have ended. Called before each change; a group of sent ones is one."""
        self._doubts.clear()

    def reserve(self, budgets: tuple[Budget, ...], amount: int) -> Budget | None:
        """Reserves the amount in all of them; or in none, and tells in which there is no room."""
        for number, budget in enumerate(budgets):
            if not self._reserve(budget, amount):
                for taken in budgets[:number]:
                    self.release(taken.name, amount, spent=0)
                return budget
        return None

    def release(self, name: str, amount: int, *, spent: int) -> None:
        """Gives back what was reserved, and counts what was spent of it."""
        self._db.execute(_RELEASE, {"name": name, "amount": amount, "spent": spent})

    def no_room(self, budget: Budget, needed: int) -> NoRoom:
        """What to say of a budget in which so much could not be reserved."""
        doubt, left_out = self._in_doubt(budget.name)
        cap, spent = self._db.execute(
            "SELECT cap_nano_usd, spent_nano_usd FROM budgets WHERE name = ?", (budget.name,)
        ).fetchone()
        return NoRoom(budget.name, cap, needed, spent + doubt, doubt, left_out)

    def _in_doubt(self, name: str) -> tuple[int, int]:
        """What is reserved in it by calls in doubt, and how much of that by batches that nobody is at work on.

        A look at every open call, so one look is for all of a group.
        """
        if name not in self._doubts:
            found = self._find_doubts(name)
            if any(found) and self._take_in():  # what was paid for some of those calls is known after all
                found = self._find_doubts(name)
            self._doubts[name] = found
        return self._doubts[name]

    def _find_doubts(self, name: str) -> tuple[int, int]:
        doubt = left_out = 0
        for owner, doubtful, in_batch, amount in self._db.execute(_OPEN_BY_OWNER, (name,)).fetchall():
            if doubtful or not self._owners.alive(owner):
                doubt += amount
                left_out += amount if in_batch and not doubtful else 0
        return doubt, left_out

    def forget(self) -> None:
        """What was remembered as written may have been undone."""
        self._caps.clear()

    def _reserve(self, budget: Budget, amount: int) -> bool:
        cap = nano(budget.cap_usd)
        if self._caps.get(budget.name) != cap:
            self._db.execute(_SET_CAP, (budget.name, cap))
            self._caps[budget.name] = cap
        return self._db.execute(_RESERVE, {"name": budget.name, "amount": amount}).rowcount == 1
