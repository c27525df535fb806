"""Batches in the ledger: their requests are calls under way, tied to something that outlives the process."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pytest

from solon.data.records import Message, Usage
from solon.ledger import (
    Answered,
    Budget,
    Call,
    Decided,
    Dropped,
    Elsewhere,
    Ended,
    Gathered,
    InBatch,
    Known,
    Ledger,
    Left,
    NoRoom,
    Resumed,
    Sent,
    Submitted,
    TakenOver,
    Ticket,
)
from solon.ledger.schema import APPLICATION_ID, TABLES
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

MODEL = Scripted(model="judge", default="yes")
CAP = Budget("run r", 100e-9)
LABEL = "0123456789abcdef"


def call(text: str) -> Call:
    request = Request(messages=(Message(role="user", content=text),), max_tokens=8)
    return Call.of(MODEL, request, run="r", stage="label")


def gathered(*texts: str, label: str = LABEL, reserve: int = 10) -> Gathered:
    return Gathered(label, "openai", tuple(Sent(call(text), reserve, (CAP,)) for text in texts))


def gather(ledger: Ledger, *texts: str, label: str = LABEL, reserve: int = 10) -> tuple[object, ...]:
    (decided,) = ledger.apply([gathered(*texts, label=label, reserve=reserve)])
    assert isinstance(decided, Decided)
    return decided.outcomes


def answered(text: str, ticket: Ticket | None, nano_usd: int = 4) -> Answered:
    reply = Reply(text="yes", usage=Usage(input_tokens=1, output_tokens=1), batched=True)
    return Answered.of(call(text), reply, nano_usd * 1e-9, sent_at=1.0, ticket=ticket)


def money(path: Path) -> tuple[int, int]:
    """Spent and reserved, in nano-dollars."""
    with sqlite3.connect(path) as connection:
        (row,) = connection.execute("SELECT spent_nano_usd, reserved_nano_usd FROM budgets")
    connection.close()
    return row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "l.sqlite"


def test_a_batch_is_recorded_with_its_requests_and_their_reservations_at_once(path: Path):
    """Before anything goes out."""
    with Ledger.open(path) as ledger:
        outcomes = gather(ledger, "a", "b")
        assert [type(outcome) for outcome in outcomes] == [Ticket, Ticket]
        (batch,) = ledger.batches()
        assert (batch.label, batch.id, batch.provider, batch.model) == (LABEL, None, "openai", "judge")
        assert (batch.run, batch.stage, batch.requests, batch.open) == ("r", "label", 2, 2)
        assert (batch.phase, batch.at_work) == ("submitting", True)
    assert money(path) == (0, 20)


def test_each_request_of_a_batch_is_decided_on_by_itself(path: Path):
    """Answered before, under way elsewhere, no room, and those that go out."""
    with Ledger.open(path) as ledger, Ledger.open(path) as other:
        ledger.apply([answered("known", None)])
        other.apply([Sent(call("elsewhere"), 70, (CAP,))])
        outcomes = gather(ledger, "known", "elsewhere", "a", "b", "c", "d")
        (batch,) = ledger.batches()
    assert [type(outcome) for outcome in outcomes] == [Known, Elsewhere, Ticket, Ticket, Ticket, NoRoom]
    assert batch.requests == 3


def test_where_nothing_goes_out_there_is_no_batch(path: Path):
    """An empty batch would wait for ever."""
    with Ledger.open(path) as ledger:
        ledger.apply([answered("a", None)])
        gather(ledger, "a")
        assert ledger.batches() == []


def test_replies_of_a_batch_are_paid_from_its_reservations(path: Path):
    """4 of the 10 that were reserved for each; what was not answered is free again when the batch has ended."""
    with Ledger.open(path) as ledger:
        first, second, _ = gather(ledger, "a", "b", "c")
        ledger.apply([Submitted(LABEL, "batch_1"), answered("a", first), Dropped(second)])
        assert [(batch.id, batch.phase, batch.open) for batch in ledger.batches()] == [("batch_1", "submitted", 1)]
        assert money(path) == (4, 10)
        ledger.apply([Ended(LABEL, "collected")])
        (batch,) = ledger.batches()
        assert (batch.phase, batch.open, batch.at_work) == ("collected", 0, False)
        assert batch.ended_at == pytest.approx(time.time(), abs=60)
        assert ledger.in_doubt() == []
    assert money(path) == (4, 0)


def test_a_reply_that_comes_twice_is_paid_once(path: Path):
    """Two processes may have read the same results."""
    with Ledger.open(path) as ledger:
        (ticket,) = gather(ledger, "a")
        ledger.apply([answered("a", ticket)])
        ledger.apply([answered("a", ticket)])
    assert money(path) == (4, 0)


def test_a_batch_of_a_dead_process_is_taken_over_by_whoever_asks_the_same(path: Path):
    """With the tickets of what is still to come."""
    with Ledger.open(path) as dead:
        first, _, _ = gather(dead, "a", "b", "c")
        dead.apply([Submitted(LABEL, "batch_1"), answered("a", first)])
    with Ledger.open(path) as ledger:
        outcomes = gather(ledger, "a", "b", "c", "d", label="f" * 16)
        assert [type(outcome) for outcome in outcomes] == [Known, InBatch, InBatch, Ticket]
        assert outcomes[1] == InBatch(LABEL)
        (resumed,) = ledger.apply([TakenOver(LABEL)])
        assert isinstance(resumed, Resumed)
        assert (resumed.id, resumed.requests) == ("batch_1", 3)
        assert [key for key, _ in resumed.open] == [call("b").key, call("c").key]
        _, ticket = resumed.open[0]
        assert ledger.open_call(ticket) == call("b")
        ledger.apply([answered("b", ticket), Ended(LABEL, "collected")])
        assert ledger.open_call(ticket) is None
    assert money(path) == (8, 10)


def test_a_batch_that_somebody_waits_for_is_not_taken_over(path: Path):
    """Two who collect the same would count it twice."""
    with Ledger.open(path) as first, Ledger.open(path) as second:
        gather(first, "a")
        assert gather(second, "a", label="f" * 16) == (Elsewhere(),)
        assert second.apply([TakenOver(LABEL)]) == [None]
        first.apply([Left(LABEL)])
        assert gather(second, "a", label="f" * 16) == (InBatch(LABEL),)
        assert isinstance(second.apply([TakenOver(LABEL)])[0], Resumed)
        assert first.apply([TakenOver(LABEL)]) == [None]
        assert gather(first, "a", label="e" * 16) == (Elsewhere(),)


def test_requests_at_the_provider_are_not_in_doubt_and_those_of_a_lost_batch_are(path: Path):
    """What can be collected is no double payment; what nobody knows of may be one, and counts as spent."""
    with Ledger.open(path) as dead:
        gather(dead, "a", "b")
        dead.apply([Submitted(LABEL, "batch_1")])
    with Ledger.open(path) as ledger:
        assert ledger.in_doubt() == []
        ledger.apply([TakenOver(LABEL), Ended(LABEL, "lost")])
        assert [doubt.reserved_usd for doubt in ledger.in_doubt()] == [10e-9, 10e-9]
        outcomes = gather(ledger, "a", "b", label="f" * 16)
        assert [outcome.in_doubt for outcome in outcomes] == [1, 1]
        refused = gather(ledger, "c", label="e" * 16, reserve=61)[0]
        assert isinstance(refused, NoRoom)
        assert (refused.spent, refused.in_doubt) == (20, 20)
    assert money(path) == (0, 40)


def test_a_batch_whose_arrival_nobody_knows_is_in_doubt_until_it_is_found(path: Path):
    """Its process was killed in between."""
    with Ledger.open(path) as dead:
        gather(dead, "a")
    with Ledger.open(path) as ledger:
        assert len(ledger.in_doubt()) == 1
        (resumed,) = ledger.apply([TakenOver(LABEL)])
        assert resumed.id is None
        ledger.apply([Submitted(LABEL, "batch_1")])
        assert ledger.in_doubt() == []


def test_a_refused_batch_owes_nothing(path: Path):
    """All reservations are free again."""
    with Ledger.open(path) as ledger:
        gather(ledger, "a", "b")
        ledger.apply([Ended(LABEL, "refused")])
        assert [(batch.phase, batch.open) for batch in ledger.batches()] == [("refused", 0)]
    assert money(path) == (0, 0)


def test_a_batch_that_was_left_after_its_last_reply_is_collected(path: Path):
    """Its process was killed before it could say so; nothing is to come."""
    with Ledger.open(path) as dead:
        (ticket,) = gather(dead, "a")
        dead.apply([Submitted(LABEL, "batch_1"), answered("a", ticket)])
    with Ledger.open(path) as ledger:
        assert [batch.phase for batch in ledger.batches()] == ["collected"]


def test_a_single_call_of_what_is_in_a_batch_counts_the_batch_as_in_doubt(path: Path):
    """`batch` was switched off: it is asked by itself, and paid twice if the batch is done. That is shown."""
    with Ledger.open(path) as dead:
        gather(dead, "a")
        dead.apply([Submitted(LABEL, "batch_1")])
    with Ledger.open(path) as ledger:
        (outcome,) = ledger.apply([Sent(call("a"), 10, (CAP,))])
        assert isinstance(outcome, Ticket)
        assert outcome.in_doubt == 1


def test_batches_are_listed_by_run(path: Path):
    """A ledger serves many runs."""
    with Ledger.open(path) as ledger:
        gather(ledger, "a")
        assert len(ledger.batches(run="r")) == 1
        assert ledger.batches(run="another") == []
        assert not ledger.has_replies(MODEL and call("a").description)
        ledger.apply([answered("x", None)])
        assert ledger.has_replies(call("a").description)


@pytest.mark.reliability("ledger-schema")
def test_a_ledger_of_the_first_version_is_brought_up_to_date_with_all_that_it_holds(path: Path):
    """It was paid for. An older solon then refuses it, and says why."""
    known = Reply(text="yes", usage=Usage(input_tokens=3, output_tokens=1))
    with Ledger.open(path) as ledger:  # the rows that version 1 wrote, in its tables
        ledger.apply([Answered.of(call("known"), known, 4e-9, sent_at=1.0)])
        ledger.apply([Sent(call("doubtful"), 30, (CAP,))])
    rows = {}
    with sqlite3.connect(path) as connection:
        for table in ("models", "replies", "sent", "budgets"):
            rows[table] = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.close()
    old = path.with_name("old.sqlite")
    with sqlite3.connect(old) as connection:
        connection.executescript(TABLES)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        for table, values in rows.items():
            width = len(connection.execute(f"SELECT * FROM {table}").description)
            marks = ", ".join("?" * width)
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", [value[:width] for value in values])
    connection.close()
    with Ledger.open(old) as ledger:
        assert ledger.get(call("known").key) == known
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("doubtful").key]
        assert [type(outcome) for outcome in gather(ledger, "a")] == [Ticket]
    assert money(old) == (0, 40)
    with sqlite3.connect(old) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()
