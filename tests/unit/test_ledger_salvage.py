"""What is sound of a ledger is salvaged, row by row; what cannot be is said, and nothing is overwritten."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from solon.data.records import Message, Usage
from solon.errors import DataError, StorageError
from solon.ledger import Answered, Budget, Call, Gathered, Ledger, NoRoom, Sent, Submitted, Ticket
from solon.ledger.salvaging import Saved, salvage
from solon.ledger.schema import PAGE_BYTES
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

CAP = Budget("run r", 1e-6)


def call(number: int) -> Call:
    request = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
    return Call.of(Scripted(model="judge"), request, run="r", stage="label")


def answered(number: int, ticket: Ticket | None = None) -> Answered:
    reply = Reply(text=f"yes {number}", usage=Usage(input_tokens=3, output_tokens=1))
    return Answered.of(call(number), reply, 100e-9, sent_at=1.0, ticket=ticket)


def root(path: Path, table: str) -> int:
    """Where the page of a small table begins."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return int(page - 1) * PAGE_BYTES


def wipe(path: Path, *tables: str) -> None:
    """The pages of tables are lost."""
    places = [root(path, table) for table in tables]
    with path.open("r+b") as file:
        for place in places:
            file.seek(place)
            file.write(bytes(PAGE_BYTES))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Three replies paid from a budget, a call whose process has ended, and a batch that is at its provider."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        for number in range(3):
            (ticket,) = ledger.apply([Sent(call(number), 200, (CAP,))])
            assert isinstance(ticket, Ticket)
            ledger.apply([answered(number, ticket)])
        ledger.apply([Sent(call(3), 200, (CAP,))])
        gathered = Gathered("0123456789abcdef", "openai", (Sent(call(4), 50, (CAP,)), Sent(call(5), 50, (CAP,))))
        ledger.apply([gathered, Submitted("0123456789abcdef", "batch_1")])
    return path


def money(path: Path) -> tuple[int, int]:
    """Spent and reserved, in nano-dollars."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT spent_nano_usd, reserved_nano_usd FROM budgets WHERE name = 'run r'")
        spent, reserved = rows.fetchone()
    return int(spent), int(reserved)


@pytest.mark.reliability("ledger-damage")
def test_a_sound_ledger_is_salvaged_whole(path: Path, tmp_path: Path) -> None:
    """Batches stay at their provider, to be collected; other calls under way are in doubt, and charged."""
    done = salvage(path, tmp_path / "new.sqlite")
    assert (done.replies, done.models, done.calls) == (Saved(3), Saved(1), Saved(3))
    assert (done.batches, done.budgets, done.raised, done.broken) == (Saved(1), Saved(1), (), ())
    assert done.usd == pytest.approx(300e-9)
    with Ledger.open(path) as before, Ledger.open(tmp_path / "new.sqlite") as after:
        assert list(after.entries()) == list(before.entries())
        assert after.in_doubt() == before.in_doubt()
        assert [doubt.key for doubt in after.in_doubt()] == [call(3).key]
        assert [(one.id, one.open, one.phase) for one in after.batches()] == [("batch_1", 2, "submitted")]
    assert money(tmp_path / "new.sqlite") == (300, 300)
    with Ledger.open(tmp_path / "new.sqlite") as after:
        (refused,) = after.apply([Sent(call(9), 500, (CAP,))])
    assert isinstance(refused, NoRoom)


@pytest.mark.reliability("ledger-damage")
def test_what_was_spent_is_made_up_again_where_the_budgets_are_lost(path: Path, tmp_path: Path) -> None:
    """Else a run would pay its cap twice: what replies cost, and what is reserved, is known from them."""
    wipe(path, "budgets")
    done = salvage(path, tmp_path / "new.sqlite")
    assert "run r" in done.raised
    assert "budgets" in done.broken
    assert money(tmp_path / "new.sqlite") == (300, 300)


def test_what_lost_calls_had_reserved_counts_as_spent(path: Path, tmp_path: Path) -> None:
    """Nobody knows what became of them, nor which they were: 300 of it were reserved."""
    wipe(path, "sent")
    done = salvage(path, tmp_path / "new.sqlite")
    assert done.calls == Saved(0, lost=3)
    assert money(tmp_path / "new.sqlite") == (600, 0)


@pytest.mark.reliability("ledger-damage")
def test_replies_outlive_the_description_of_their_model(path: Path, tmp_path: Path) -> None:
    """They are found again by a run that knows the model, and it writes the description when it asks the model."""
    wipe(path, "models")
    done = salvage(path, tmp_path / "new.sqlite")
    assert (done.replies, done.models) == (Saved(3), Saved(0, lost=1))
    with Ledger.open(tmp_path / "new.sqlite") as ledger:
        assert ledger.knows(call(0).description)
        assert ledger.has_replies(call(0).description)
        assert ledger.get(call(0).key) == answered(0).reply
        assert [entry.model for entry in ledger.entries()] == [f"model {call(0).description_id}"] * 3
        ledger.apply([answered(7)])
        assert [entry.model for entry in ledger.entries()] == ["judge"] * 4


def test_what_was_salvaged_can_be_salvaged_again(path: Path, tmp_path: Path) -> None:
    """A model whose description was lost is no damage the second time."""
    wipe(path, "models")
    salvage(path, tmp_path / "new.sqlite")
    again = salvage(tmp_path / "new.sqlite", tmp_path / "newer.sqlite")
    assert (again.replies, again.models, again.calls, again.broken) == (Saved(3), Saved(0, lost=1), Saved(3), ())


@pytest.mark.parametrize("old", [b"yes 1", b'"content":"1"'], ids=["the reply", "the request"])
def test_a_reply_with_another_letter_in_it_is_found_when_it_is_opened_and_not_salvaged(
    old: bytes, path: Path, tmp_path: Path
) -> None:
    """It is JSON as before, and SQLite sees nothing in it."""
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, old.replace(b"1", b"2")))
    with pytest.raises(StorageError, match="reply 2 is not what was written"):
        Ledger.open(path)
    assert salvage(path, tmp_path / "new.sqlite").replies == Saved(2, lost=1)
    with Ledger.open(tmp_path / "new.sqlite") as ledger:
        assert ledger.get(call(1).key) is None


def test_a_reply_that_changes_while_the_ledger_is_open_is_not_handed_out(path: Path) -> None:
    """The disk need not wait for the next opening."""
    with Ledger.open(path) as ledger:
        with closing(sqlite3.connect(path)) as other:
            other.execute("UPDATE replies SET reply = replace(reply, 'yes', 'yet')")
            other.commit()
        with pytest.raises(StorageError, match=r"is damaged .* is not what was written"):
            ledger.get(call(0).key)
        with pytest.raises(StorageError, match="is not what was written"):
            ledger.apply([Sent(call(0), 1), Sent(call(1), 1)])
        with pytest.raises(StorageError, match="is not what was written"):
            list(ledger.entries())


def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    """A file of the new name, or a log that would be written into it."""
    (tmp_path / "there.sqlite").write_text("precious")
    (tmp_path / "log.sqlite-wal").write_text("precious")
    for name in ("there", "log"):
        with pytest.raises(DataError, match="is there already, or a log of its name"):
            salvage(path, tmp_path / f"{name}.sqlite")
    with pytest.raises(DataError, match="there is no ledger at"):
        salvage(tmp_path / "nowhere.sqlite", tmp_path / "new.sqlite")
    assert (tmp_path / "there.sqlite").read_text() == "precious"
    assert not (tmp_path / "new.sqlite").exists()


def test_a_ledger_that_a_process_has_open_is_not_salvaged(path: Path, tmp_path: Path) -> None:
    """What it writes next would be missing."""
    with Ledger.open(path), pytest.raises(StorageError, match="a process that is alive has the ledger"):
        salvage(path, tmp_path / "new.sqlite")


def test_somebody_elses_database_is_not_salvaged(tmp_path: Path) -> None:
    """Its rows are no replies."""
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        connection.execute("INSERT INTO theirs VALUES ('precious')")
        connection.commit()
    with pytest.raises(StorageError, match="is sound, or it never was a ledger"):
        salvage(tmp_path / "other.sqlite", tmp_path / "new.sqlite")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other.sqlite"]


@pytest.mark.reliability("ledger-damage")
def test_an_emptied_ledger_is_no_new_one(path: Path) -> None:
    """A file that lost its bytes in a crash held what was paid for; a deleted one was deleted by somebody."""
    path.write_bytes(b"")
    with pytest.raises(StorageError, match="is empty, and was not when it was closed"):
        Ledger.open(path)
    assert path.read_bytes() == b""
    path.unlink()
    Ledger.open(path).close()
