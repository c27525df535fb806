"""A group of single calls in few statements.

Each statement gives Python's global lock away and has to get it back from the event loop, which is busy with the very
calls that are written; and each has a price of its own. A group of sixty takes a dozen statements this way, and two
hundred when its changes are written one by one. What comes out is the same, but that all that is closed in a group is
closed before anything in it is sent.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias, TypeVar

from solon.ledger.budgets import Budgets
from solon.ledger.checksums import REPLIES, checksum
from solon.ledger.owners import Owners
from solon.ledger.reading import reply_of, texts_of
from solon.ledger.rows import Answered, Call, Doubted, Dropped, Elsewhere, Known, NoRoom, Outcome, Sent, Ticket

Single: TypeAlias = Sent | Answered | Dropped | Doubted

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows of a statement. Few sizes, because SQLite compiles each once; at most 999 values, as older ones allow."""

_SEND = """
INSERT INTO sent (key, model, run, stage, request, reserved_nano_usd, budgets, owner, doubtful, sent_at) VALUES
"""
_SEND_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"

_ANSWER_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

T = TypeVar("T")


class Groups:
    """Writes groups of changes, within the transaction of the ``Writer`` that it belongs to.

    Args:
        connection: the one that writes.
        owners: who is alive.
        budgets: the caps.
        model: the id of a call's model, whose description it writes where it is new.
    """

    def __init__(
        self, connection: sqlite3.Connection, owners: Owners, budgets: Budgets, model: Callable[[Call], str]
    ) -> None:
        self._db = connection
        self._owners = owners
        self._budgets = budgets
        self._model = model

    def apply(self, changes: Sequence[Single]) -> list[Outcome]:
        """Writes all of them; one outcome a change, in their order."""
        self._budgets.look_again()
        answered = [change for change in changes if isinstance(change, Answered)]
        sent = [change for change in changes if isinstance(change, Sent)]
        closed = [(change.ticket, 0) for change in changes if isinstance(change, Dropped)]
        closed += [(change.ticket, change.cost) for change in answered if change.ticket is not None]
        self._close(closed)
        doubted = [change.ticket.id for change in changes if isinstance(change, Doubted)]
        for some in _chunks(doubted):
            self._db.execute(_among("UPDATE sent SET doubtful = 1 WHERE id", len(some)), some)
        known, decided = iter(self._answer(answered)), iter(self._send(sent))
        return [
            next(known) if isinstance(change, Answered) else next(decided) if isinstance(change, Sent) else None
            for change in changes
        ]

    def _close(self, closed: Sequence[tuple[Ticket, int]]) -> None:
        """Ends open calls and counts what they cost. One that has ended already is not counted twice."""
        ids = [ticket.id for ticket, _ in closed]
        still_open: set[int] = set()
        for some in _chunks(ids):
            still_open.update(
                id_ for (id_,) in self._db.execute(_among("SELECT id FROM sent WHERE id", len(some)), some)
            )
            self._db.execute(_among("DELETE FROM sent WHERE id", len(some)), some)
        reserved: Counter[str] = Counter()
        spent: Counter[str] = Counter()
        for ticket, cost in closed:
            if ticket.id in still_open:
                still_open.remove(ticket.id)
                for name in ticket.budgets:
                    reserved[name] += ticket.reserved
                    spent[name] += cost
        for name, amount in reserved.items():
            self._budgets.release(name, amount, spent=spent[name])

    def _answer(self, answered: Sequence[Answered]) -> list[Known]:
        now = time.time()
        given = [
            (
                one.call.key,
                self._model(one.call),
                one.call.run,
                one.call.stage,
                one.call.request,
                one.text,
                one.reply.usage.input_tokens,
                one.reply.usage.output_tokens,
                one.reply.usage.cached_tokens,
                one.cost,
                one.sent_at,
                now,
            )
            for one in answered
        ]
        rows = [(*row, checksum(row)) for row in given]
        written = 0
        for some in _chunks(rows):
            statement = _insert("INSERT INTO replies VALUES", _ANSWER_ROW, len(some)) + " ON CONFLICT (key) DO NOTHING"
            written += self._db.execute(statement, _flat(some)).rowcount
        if written == len(rows):
            return [Known(one.reply) for one in answered]
        # some were there before: the first reply to a call is the one that counts
        first = self._replies([one.call.key for one in answered])
        return [_first(one, first[one.call.key]) for one in answered]

    def _send(self, sent: Sequence[Sent]) -> list[Outcome]:
        keys = list(dict.fromkeys(one.call.key for one in sent))
        replies = self._replies(keys)
        in_doubt, elsewhere = self._before(keys)
        outcomes: list[Outcome] = []
        going: list[tuple[int, Sent]] = []
        for number, one in enumerate(sent):
            key = one.call.key
            outcome: Outcome = None
            if key in replies:
                outcome = Known(reply_of(replies[key]))
            elif key in elsewhere:
                outcome = Elsewhere()
            else:
                elsewhere.add(key)  # for the same call once more in this group
                going.append((number, one))
            outcomes.append(outcome)
        going = self._reserve(going, outcomes)
        for (number, one), ticket in zip(going, self._insert_sent([one for _, one in going]), strict=True):
            names = tuple(budget.name for budget in one.budgets)
            outcomes[number] = Ticket(ticket, one.reserve, names, in_doubt[one.call.key])
        return outcomes

    def _replies(self, keys: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for some in _chunks(keys):
            found.update(texts_of(self._db.execute(_among(f"{REPLIES} WHERE key", len(some)), some)))
        return found

    def _before(self, keys: Sequence[str]) -> tuple[Counter[str], set[str]]:
        """Of each call how often it was sent before, its end unknown; and those that somebody is waiting for now."""
        in_doubt: Counter[str] = Counter()
        elsewhere: set[str] = set()
        for some in _chunks(keys):
            rows = self._db.execute(_among("SELECT key, owner, doubtful FROM sent WHERE key", len(some)), some)
            for key, owner, doubtful in rows.fetchall():
                in_doubt[key] += 1
                if not doubtful and self._owners.alive(owner):
                    elsewhere.add(key)
        return in_doubt, elsewhere

    def _reserve(self, going: list[tuple[int, Sent]], outcomes: list[Outcome]) -> list[tuple[int, Sent]]:
        """Reserves for all at once where there is room for all; else for one after the other, as far as there is."""
        budgets = going[0][1].budgets if going else ()
        together = all(one.budgets == budgets for _, one in going)
        if together and self._budgets.reserve(budgets, sum(one.reserve for _, one in going)) is None:
            return going
        granted = []
        for number, one in going:
            full = self._budgets.reserve(one.budgets, one.reserve)
            if full is None:
                granted.append((number, one))
            else:
                no_room: NoRoom = self._budgets.no_room(full, one.reserve)
                outcomes[number] = no_room
        return granted

    def _insert_sent(self, sent: Sequence[Sent]) -> list[int]:
        """The ids of the rows: they are counted up within a transaction, in the order of the values."""
        now, names = time.time(), ""
        rows = []
        for one in sent:
            call = one.call
            names = json.dumps([budget.name for budget in one.budgets]) if one.budgets else "[]"
            about = (call.key, self._model(call), call.run, call.stage, call.request)
            rows.append((*about, one.reserve, names, self._owners.me, now))
        ids: list[int] = []
        for some in _chunks(rows):
            last = self._db.execute(_insert(_SEND, _SEND_ROW, len(some)), _flat(some)).lastrowid
            assert last is not None
            ids += range(last - len(some) + 1, last + 1)
        return ids


def _first(one: Answered, text: str) -> Known:
    return Known(one.reply) if text == one.text else Known(reply_of(text), earlier=True)


def _chunks(items: Sequence[T]) -> Iterator[Sequence[T]]:
    start = 0
    for size in _SIZES:
        while len(items) - start >= size:
            yield items[start : start + size]
            start += size


def _flat(rows: Sequence[tuple[object, ...]]) -> list[object]:
    return [value for row in rows for value in row]


@lru_cache
def _among(statement: str, values: int) -> str:
    return f"{statement} IN ({', '.join('?' * values)})"


@lru_cache
def _insert(statement: str, row: str, rows: int) -> str:
    return f"{statement} {', '.join([row] * rows)}"
