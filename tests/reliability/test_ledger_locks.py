"""Another process holds the ledger's write lock: solon waits, then says so, and nothing is lost."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from solon.data.records import Message
from solon.errors import StorageError
from solon.ledger import Answered, Call, Known, Ledger, schema
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

PATIENCE_S, PATIENT_S, IMPATIENT_S = schema.PATIENCE_S, 60.0, 0.3


def answered(number: int) -> Answered:
    request = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
    return Answered.of(Call.of(Scripted(model="judge"), request), Reply(text=f"yes {number}"), 0.25, sent_at=1.0)


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """As a program does that writes into the file and does not come to an end."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with one reply."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.apply([answered(0)])
    return path


@pytest.mark.reliability("ledger-locked")
def test_a_lock_that_is_never_let_go_is_named_and_what_was_recorded_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[[str], None]
) -> None:
    """At the opening and in the middle of a run. Replies can be read all the while, and recorded when it is gone."""
    monkeypatch.setattr(schema, "PATIENCE_S", IMPATIENT_S)
    said = "another process has kept it locked for 0.3 s: end that process, or use another ledger"
    with Ledger.open(path) as ledger:
        with locked(path):
            with pytest.raises(StorageError, match=said) as failed:
                ledger.apply([answered(1)])
            assert "Every reply recorded before is safe" in str(failed.value)
            with pytest.raises(StorageError, match=said):
                Ledger.open(path)
            assert ledger.get(answered(0).call.key) == answered(0).reply
        ledger.apply([answered(1)])
        kept = [entry.reply.text for entry in ledger.entries()]
    assert kept == ["yes 0", "yes 1"]
    figure(f"waits {PATIENCE_S:.0f} s, then names it; {len(kept)} of 2 replies there when the lock is gone")


@pytest.mark.reliability("ledger-locked")
def test_a_lock_that_is_let_go_in_time_costs_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight writers wait while another process is in the midst of a change; then each of them writes, and once."""
    monkeypatch.setattr(schema, "PATIENCE_S", PATIENT_S)
    outcomes: list[object] = []
    with Ledger.open(path) as ledger:
        with locked(path) as other:

            def write(number: int) -> None:
                outcomes.extend(ledger.apply([answered(number)]))

            writers = [threading.Thread(target=write, args=(number,)) for number in range(1, 9)]
            for writer in writers:
                writer.start()
            writers[0].join(0.05)
            assert outcomes == []
            other.execute("ROLLBACK")
            for writer in writers:
                writer.join()
        assert len(outcomes) == 8
        assert all(isinstance(outcome, Known) and not outcome.earlier for outcome in outcomes)
        assert {entry.reply.text for entry in ledger.entries()} == {f"yes {number}" for number in range(9)}
