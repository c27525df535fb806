"""Groups of changes, written in few statements: what comes out is what comes out of them one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from solon.data.records import Message, Usage
from solon.ledger import Answered, Budget, Call, Doubted, Dropped, Elsewhere, Known, Ledger, NoRoom, Sent, Ticket
from solon.ledger.rows import Change, Outcome
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

MODEL = Scripted(model="judge", default="yes")
Write = Callable[[Ledger, Sequence[Change]], list[Outcome]]


def call(text: str) -> Call:
    request = Request(messages=(Message(role="user", content=text),), max_tokens=8)
    return Call.of(MODEL, request, run="r", stage="label")


def answered(text: str, reply: str = "yes", *, usd: float = 0.0, ticket: Outcome = None) -> Answered:
    assert ticket is None or isinstance(ticket, Ticket)
    return Answered.of(call(text), Reply(text=reply, usage=Usage(input_tokens=3)), usd, sent_at=1.0, ticket=ticket)


def sent(text: str, reserve: int = 0, *budgets: Budget) -> Sent:
    return Sent(call(text), reserve, budgets)


def together(ledger: Ledger, changes: Sequence[Change]) -> list[Outcome]:
    return ledger.apply(changes)


def one_by_one(ledger: Ledger, changes: Sequence[Change]) -> list[Outcome]:
    return [outcome for change in changes for outcome in ledger.apply([change])]


def tables(path: Path) -> list[list[tuple[object, ...]]]:
    """All that the ledger holds but for times and names of processes."""
    with sqlite3.connect(path) as connection:
        found = [
            connection.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2").fetchall()
            for table, columns in (
                ("replies", "key, model, run, stage, request, reply, input_tokens, output_tokens, nano_usd"),
                ("sent", "id, key, model, run, stage, request, reserved_nano_usd, budgets, doubtful"),
                ("budgets", "name, cap_nano_usd, spent_nano_usd, reserved_nano_usd"),
                ("models", "id, name, description"),
            )
        ]
    connection.close()
    return found


def history(path: Path, write: Write) -> tuple[list[Outcome], list[list[tuple[object, ...]]]]:
    """Three groups in which everything happens that can: outcomes, and what is left in the ledger."""
    run, own = Budget("run", 1000e-9), Budget("own", 300e-9)
    with Ledger.open(path) as ledger, Ledger.open(path) as other:
        other.apply([sent("elsewhere")])
        first = write(
            ledger,
            [
                answered("known", "from before"),
                *(sent(f"free {number}") for number in range(20)),
                sent("known"),
                sent("elsewhere"),
                sent("paid a", 200, run, own),
                sent("paid b", 200, run, own),  # no room in its own budget
                sent("paid c", 500, run),
                sent("paid d", 400, run),  # no room in the run's
                sent("paid e", 300, run),
            ],
        )
        tickets = dict(zip([f"free {number}" for number in range(20)], first[1:21], strict=True))
        paid_a, paid_c, paid_e = first[23], first[25], first[27]
        assert isinstance(paid_c, Ticket)
        assert isinstance(paid_e, Ticket)
        second = write(
            ledger,
            [
                *(answered(text, f"to {text}", ticket=ticket) for text, ticket in tickets.items()),
                answered("paid a", usd=150e-9, ticket=paid_a),
                Doubted(paid_c),
                Dropped(paid_e),
                answered("known", "too late"),
                answered("local"),
            ],
        )
        third = write(
            ledger, [sent("paid e", 200, run), sent("paid c", 100, run), sent("paid f", 700, run), sent("local")]
        )
    return [*first, *second, *third], tables(path)


def test_a_group_comes_to_the_same_as_its_changes_one_by_one(tmp_path: Path):
    """Every kind of change in three groups: every outcome and every row is the same."""
    outcomes, left = history(tmp_path / "group.sqlite", together)
    assert (outcomes, left) == history(tmp_path / "single.sqlite", one_by_one)
    assert [type(outcome).__name__ for outcome in outcomes[21:28]] == [
        "Known",
        "Elsewhere",
        "Ticket",
        "NoRoom",
        "Ticket",
        "NoRoom",
        "Ticket",
    ]
    assert outcomes[24] == NoRoom("own", cap=300, needed=200, spent=0, in_doubt=0)
    late = outcomes[28 + 23]
    assert isinstance(late, Known)
    assert late.reply.text == "from before"
    # 150 paid for a; 500 of c are in doubt; 200 and 100 are reserved again for e and c, and 700 find no room
    again = outcomes[-3]
    assert isinstance(again, Ticket)
    assert again.in_doubt == 1
    assert left[2] == [("own", 300, 150, 0), ("run", 1000, 150, 800)]
    assert outcomes[-2] == NoRoom("run", cap=1000, needed=700, spent=650, in_doubt=500)


@pytest.mark.parametrize("calls", [2, 63, 64, 65, 200])
def test_each_ticket_belongs_to_its_call_however_many_there_are(calls: int, tmp_path: Path):
    """The ids of many rows are told from the last one."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        tickets = ledger.apply([sent(f"{number}") for number in range(calls)])
        assert len({ticket.id for ticket in tickets if isinstance(ticket, Ticket)}) == calls
        with sqlite3.connect(path) as connection:
            rows = dict(connection.execute("SELECT id, key FROM sent"))
        connection.close()
        assert [rows[ticket.id] for ticket in tickets if isinstance(ticket, Ticket)] == [
            call(f"{number}").key for number in range(calls)
        ]
        ledger.apply([answered(f"{number}", f"to {number}", ticket=ticket) for number, ticket in enumerate(tickets)])
        found = [ledger.get(call(f"{number}").key) for number in range(calls)]
        assert [reply and reply.text for reply in found] == [f"to {number}" for number in range(calls)]
        assert ledger.in_doubt() == []


def test_the_same_call_twice_in_a_group_is_sent_once(tmp_path: Path):
    """Two streams of one process may ask the same in the same moment."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        first, second = ledger.apply([sent("a"), sent("a")])
        assert isinstance(first, Ticket)
        assert second == Elsewhere()


def test_a_call_that_is_dropped_and_sent_again_in_a_group_may_go(tmp_path: Path):
    """A refused request is tried again at once, and both changes may share a transaction."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        (ticket,) = ledger.apply([sent("a", 5, Budget("b", 5e-9))])
        assert isinstance(ticket, Ticket)
        again, _ = ledger.apply([sent("a", 5, Budget("b", 5e-9)), Dropped(ticket)])
        assert isinstance(again, Ticket)
        assert again.in_doubt == 0


def test_a_ticket_that_was_settled_is_not_counted_twice(tmp_path: Path):
    """Whoever settles late, in a group or alone, must not free or spend money again."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        budget = Budget("b", 100e-9)
        (ticket,) = ledger.apply([sent("a", 60, budget)])
        assert isinstance(ticket, Ticket)
        ledger.apply([answered("a", usd=40e-9, ticket=ticket), answered("a", usd=40e-9, ticket=ticket)])
        ledger.apply([Dropped(ticket), Dropped(ticket)])
        refused, fits = ledger.apply([sent("b", 61, budget)]), ledger.apply([sent("c", 60, budget)])
        assert refused == [NoRoom("b", cap=100, needed=61, spent=40, in_doubt=0)]
        assert isinstance(fits[0], Ticket)
