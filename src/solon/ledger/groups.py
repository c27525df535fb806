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
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import TypeAlias, assert_never

from pydantic_core import to_json

from solon.ledger.budgets import Budgets
from solon.ledger.checksums import REPLIES, checksum
from solon.ledger.owners import Owners
from solon.ledger.reading import reply_of, texts_of
from solon.ledger.rows import Answered, Call, Doubted, Dropped, Elsewhere, Known, NoRoom, Outcome, Sent, Ticket

Single: TypeAlias = Sent | Answered | Dropped | Doubted

_SIZES = (64, 32, 16, 8, 4, 2, 1)
"""Rows of a statement. Few sizes, because SQLite compiles each once; at most 999 values, as older ones allow."""

_SEND = """
INSERT INTO sent (key, model, run, stage, request, reserved_nano_usd, budgets, owner, doubtful, sent_at) VALUES {}
"""
_SEND_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"

_ANSWER = "INSERT INTO replies VALUES {} ON CONFLICT (key) DO NOTHING"
_ANSWER_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"

_DOUBT = "UPDATE sent SET doubtful = 1 WHERE id IN (SELECT value FROM json_each(?))"
_STILL_OPEN = "SELECT id FROM sent WHERE id IN (SELECT value FROM json_each(?))"
_CLOSE = "DELETE FROM sent WHERE id IN (SELECT value FROM json_each(?))"
_BEFORE = "SELECT key, owner, doubtful FROM sent WHERE key IN (SELECT value FROM json_each(?))"
_REPLIES_TO = f"{REPLIES} WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608 - nothing of it comes from outside


class Groups:
    """Writes groups of changes, within the transaction of the ``Writer`` that it belongs to.

    Args:
        connection: the one that writes.
        owners: who is alive.
        budgets: the caps.
        model: the id of a call's model, whose description it writes where it is new.
        take_in: writes what dead processes have noted; whether there was anything.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        owners: Owners,
        budgets: Budgets,
        model: Callable[[Call], str],
        take_in: Callable[[], bool],
    ) -> None:
        self._db = connection
        self._owners = owners
        self._budgets = budgets
        self._model = model
        self._take_in = take_in

    def apply(self, changes: Sequence[Single]) -> list[Outcome]:
        """Writes all of them; one outcome a change, in their order."""
        self._budgets.look_again()
        sent: list[Sent] = []
        answered: list[Answered] = []
        dropped: list[tuple[Ticket, int]] = []
        paid: list[tuple[Ticket, int]] = []
        doubted: list[int] = []
        for change in changes:
            match change:
                case Sent():
                    sent.append(change)
                case Answered(ticket=ticket):
                    answered.append(change)
                    if ticket is not None:
                        paid.append((ticket, change.cost))
                case Dropped(ticket=ticket):
                    dropped.append((ticket, 0))
                case Doubted(ticket=ticket):
                    doubted.append(ticket.id)
                case _:
                    assert_never(change)
        self._close(dropped + paid)
        if doubted:
            self._db.execute(_DOUBT, (_listed(doubted),))
        known, decided = iter(self._answer(answered)), iter(self._send(sent))
        return [
            next(known) if isinstance(change, Answered) else next(decided) if isinstance(change, Sent) else None
            for change in changes
        ]

    def _close(self, closed: Sequence[tuple[Ticket, int]]) -> None:
        """Ends open calls and counts what they cost. One that has ended already is not counted twice."""
        if not closed:
            return
        ids = _listed([ticket.id for ticket, _ in closed])
        reserved: Counter[str] = Counter()
        spent: Counter[str] = Counter()
        if any(ticket.budgets for ticket, _ in closed):
            still_open = {id_ for (id_,) in self._db.execute(_STILL_OPEN, (ids,))}
            for ticket, cost in closed:
                if ticket.id in still_open:
                    still_open.remove(ticket.id)
                    for name in ticket.budgets:
                        reserved[name] += ticket.reserved
                        spent[name] += cost
        self._db.execute(_CLOSE, (ids,))
        for name, amount in reserved.items():
            self._budgets.release(name, amount, spent=spent[name])

    def _answer(self, answered: Sequence[Answered]) -> list[Known]:
        now = time.time()
        rows: list[list[object]] = []
        for call, reply, text, cost, sent_at, _ in answered:
            usage = reply.usage
            row: list[object] = [call.key, self._model(call), call.run, call.stage, call.request, text]
            row += usage.input_tokens, usage.output_tokens, usage.cached_tokens, cost, sent_at, now
            row.append(checksum(row))
            rows.append(row)
        written = sum(done.rowcount for done in self._insert(_ANSWER, _ANSWER_ROW, rows))
        if written == len(rows):
            return [Known(one.reply) for one in answered]
        # some were there before: the first reply to a call is the one that counts
        first = dict(self._replies(_listed([one.call.key for one in answered])))
        return [_first(one, first[one.call.key]) for one in answered]

    def _send(self, sent: Sequence[Sent]) -> list[Outcome]:
        if not sent:
            return []
        keys = _listed([one.call.key for one in sent])
        decided, in_doubt = self._before(keys)
        decided.update((key, Known(reply_of(text))) for key, text in self._replies(keys))
        again = Elsewhere()  # what is told of the same call once more in this group
        outcomes: list[Outcome] = []
        going: list[tuple[int, Sent]] = []
        for number, one in enumerate(sent):
            key = one.call.key
            outcome = decided.get(key)
            if outcome is None:
                decided[key] = again
                going.append((number, one))
            outcomes.append(outcome)
        going = self._reserve(going, outcomes)
        for (number, _), ticket in zip(going, self._tickets([one for _, one in going], in_doubt), strict=True):
            outcomes[number] = ticket
        return outcomes

    def _replies(self, keys: str) -> Iterator[tuple[str, str]]:
        return texts_of(self._db.execute(_REPLIES_TO, (keys,)))

    def _before(self, keys: str) -> tuple[dict[str, Outcome], Counter[str]]:
        """Those that somebody is waiting for now; and how often each was sent before, its end unknown."""
        elsewhere: dict[str, Outcome] = {}
        in_doubt: Counter[str] = Counter()
        for key, owner, doubtful in self._db.execute(_BEFORE, (keys,)).fetchall():
            in_doubt[key] += 1
            if not doubtful and self._owners.alive(owner):
                elsewhere[key] = Elsewhere()
        if len(elsewhere) < len(in_doubt) and self._take_in():
            return self._before(keys)
        return elsewhere, in_doubt

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

    def _tickets(self, sent: Sequence[Sent], in_doubt: Mapping[str, int]) -> list[Ticket]:
        """Writes them down. The ids of the rows are counted up within a transaction, in the order of the values."""
        now, me = time.time(), self._owners.me
        rows, budgets = [], []
        for call, reserve, of_call in sent:
            names = tuple([budget.name for budget in of_call]) if of_call else ()
            budgets.append(names)
            listed = json.dumps(names) if names else "[]"
            rows.append((call.key, self._model(call), call.run, call.stage, call.request, reserve, listed, me, now))
        last = self._insert(_SEND, _SEND_ROW, rows)[-1].lastrowid if rows else 0
        assert last is not None
        return [
            Ticket(id_, one.reserve, names, in_doubt.get(one.call.key, 0))
            for id_, one, names in zip(range(last - len(rows) + 1, last + 1), sent, budgets, strict=True)
        ]

    def _insert(self, statement: str, row: str, rows: Sequence[Sequence[object]]) -> list[sqlite3.Cursor]:
        """Writes the rows; one cursor a statement."""
        done: list[sqlite3.Cursor] = []
        start = 0
        for size in _SIZES:
            while len(rows) - start >= size:
                values = list(chain.from_iterable(rows[start : start + size]))
                done.append(self._db.execute(_with_rows(statement, row, size), values))
                start += size
        return done


def _listed(values: Sequence[str | int]) -> str:
    """JSON, of which a statement takes any number as one value."""
    return to_json(values).decode()


def _first(one: Answered, text: str) -> Known:
    return Known(one.reply) if text == one.text else Known(reply_of(text), earlier=True)


@lru_cache
def _with_rows(statement: str, row: str, rows: int) -> str:
    return statement.format(", ".join([row] * rows))
