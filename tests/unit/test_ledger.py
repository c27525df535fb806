"""The ledger: nothing lost, nothing overrun, nothing rebuilt."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from solon.data.records import Message, Usage, digest
from solon.errors import StorageError
from solon.ledger import (
    Answered,
    Budget,
    Call,
    Doubted,
    Dropped,
    Elsewhere,
    Known,
    Ledger,
    NoRoom,
    Sent,
    Ticket,
)
from solon.models.base import ChatModel, Price, Reply, Request
from solon.models.endpoint import Endpoint
from solon.models.scripted import Scripted

MODEL = Scripted(model="judge", default="yes")


def request(text: str = "hello", **fields: object) -> Request:
    return Request(messages=(Message(role="user", content=text),), max_tokens=8, **fields)


def call(text: str = "hello", *, run: str = "r", stage: str = "label", model: Scripted = MODEL) -> Call:
    return Call.of(model, request(text), run=run, stage=stage)


def answered(of: Call, text: str = "yes", *, usd: float = 0.0, ticket: Ticket | None = None, read: int = 3) -> Answered:
    reply = Reply(text=text, usage=Usage(input_tokens=read, output_tokens=1))
    return Answered.of(of, reply, usd, sent_at=1.0, ticket=ticket)


def sent(ledger: Ledger, of: Call, reserve: int = 0, *budgets: Budget) -> object:
    (outcome,) = ledger.apply([Sent(of, reserve, budgets)])
    return outcome


def test_the_key_is_the_digest_of_the_models_description_and_the_request():
    """The formula is the contract: a reply must be found again by any version of solon that keeps it."""
    asked = request(temperature=0.5, seed=7, choices=("A", "B"), attempt=1)
    assert Call.of(MODEL, asked).key == digest({"model": MODEL.describe(), "request": asked.content()})


@pytest.mark.parametrize(
    ("model", "key"),
    [
        (
            Endpoint(base_url="http://localhost:8000/v1", model="m"),
            "47c0331d906f4b71297a8cc3b9e908224481e56e96b25380859d18345f6f7466",
        ),
        (
            Endpoint(base_url="https://api.example.com/v1", model="m", price=Price(input=1, output=1)),
            "3405e065fd864e01d38f0f06b71f975b956f673272545591196efa72f2f25b1c",
        ),
    ],
    ids=["own server", "public server"],
)
def test_a_key_is_what_it_was_in_earlier_versions(model: ChatModel, key: str):
    """These were computed by the first version of solon: what its ledgers hold must not be paid for again."""
    messages = (Message(role="system", content="judge"), Message(role="user", content="é"))
    assert Call.of(model, Request(messages=messages, max_tokens=16, choices=("A", "B"))).key == key


def test_a_recorded_reply_is_there_when_the_ledger_is_opened_again(tmp_path: Path):
    """What was paid for survives the process."""
    reply = Reply(text="yes", stop="length", usage=Usage(input_tokens=3, output_tokens=8), choices={"A": -0.25})
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.get(call().key) is None
        ledger.apply([Answered.of(call(), reply, 0.5, sent_at=1.0)])
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.get(call().key) == reply
        (entry,) = ledger.entries()
    assert (entry.run, entry.stage, entry.model, entry.cost_usd) == ("r", "label", "judge", 0.5)
    assert (entry.request, entry.reply, entry.description) == (request(), reply, MODEL.describe())


def test_text_that_is_no_valid_unicode_comes_back_as_it_went_in(tmp_path: Path):
    """Models emit lone surrogates and NUL; SQLite's text would lose them."""
    odd = 'half \ud800 of a pair, NUL \x00, "quotes", \u202e and 🙂'
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.apply([answered(call(odd), odd)])
        (entry,) = ledger.entries()
    assert entry.reply.text == odd
    assert entry.request.messages[0].content == odd


def test_folders_and_file_are_made_for_their_owner_alone(tmp_path: Path):
    """Prompts and replies may be confidential."""
    path = tmp_path / "new" / "deeper" / "ledger.sqlite"
    Ledger.open(path).close()
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path.parent.parent, path.parent, path)] == [
        0o700,
        0o700,
        0o600,
    ]


@pytest.mark.reliability("ledger-schema")
def test_a_ledger_of_a_newer_solon_is_refused_and_left_as_it_is(tmp_path: Path):
    """An old solon must not write into what it does not understand."""
    path = tmp_path / "ledger.sqlite"
    Ledger.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 4")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"newer solon \(schema 4, this one knows 3\): upgrade solon"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused_and_left_as_it_is(tmp_path: Path):
    """A mistyped path must not put our tables into another program's file."""
    path = tmp_path / "other.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a ledger of solon"):
        Ledger.open(path)
    assert path.read_bytes() == before


@pytest.mark.reliability("ledger-damage")
def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path):
    """Never rebuilt: it may be all that is left of what was paid for."""
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database, but precious\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="is damaged or no ledger; it is left as it is"):
        Ledger.open(path)
    assert path.read_bytes() == before


@pytest.mark.reliability("ledger-damage")
def test_a_damaged_ledger_is_refused_and_left_as_it_is(tmp_path: Path):
    """One page overwritten in the middle is found when the file is opened, not a week later."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        ledger.apply([answered(call(f"question {number}"), "x" * 500) for number in range(200)])
    with path.open("r+b") as file:
        file.seek(5 * 4096)
        file.write(b"\xff" * 3 * 4096)
    before = path.read_bytes()
    with pytest.raises(StorageError, match="is damaged or no ledger; it is left as it is"):
        Ledger.open(path)
    assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path: Path):
    """With what to write instead."""
    with pytest.raises(StorageError, match=r"is a folder: name a file, such as .*ledger\.sqlite"):
        Ledger.open(tmp_path)


def test_a_full_disk_stops_with_what_is_safe_and_loses_nothing(tmp_path: Path):
    """The process may write 400,000 bytes a file, and records replies of 2,000 until it cannot."""
    script = """
import resource, signal, sys
from solon.data.records import Message
from solon.errors import StorageError
from solon.ledger import Answered, Call, Ledger
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted
ledger = Ledger.open(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
for number in range(1000):
    request = Request(messages=(Message(role="user", content=str(number)),), max_tokens=8)
    try:
        ledger.apply([Answered.of(Call.of(Scripted(), request), Reply(text="x" * 2000), 0.0, sent_at=0.0)])
    except StorageError as error:
        print(number, error)
        break
"""
    path = tmp_path / "ledger.sqlite"
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True)
    recorded, message = done.stdout.strip().split(" ", 1)
    assert "the disk is full or a quota is used up: free some space and run the same command again" in message
    assert message.endswith(
        "Every reply recorded before is safe, and is not asked for again; the last 1 could not be recorded"
    )
    assert int(recorded) > 5
    with Ledger.open(path) as ledger:
        assert len(list(ledger.entries())) == int(recorded)


def test_changes_are_written_all_or_none(tmp_path: Path):
    """A flush that is half on disk would make another flush of the rest."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        impossible = Sent(call("second"), 2**70)
        with pytest.raises(OverflowError):
            ledger.apply([answered(call("first")), impossible])
        assert list(ledger.entries()) == []
        ledger.apply([answered(call("first"))])
        assert len(list(ledger.entries())) == 1


def test_the_first_reply_to_a_call_is_the_one_that_counts(tmp_path: Path):
    """Two processes may compute the same local call; both must go on with the same reply."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.apply([answered(call(), "first")])
        (outcome,) = ledger.apply([answered(call(), "second")])
        assert isinstance(outcome, Known)
        assert outcome.reply.text == "first"
        assert len(list(ledger.entries())) == 1


def test_entries_come_in_the_order_of_recording_and_can_be_limited_to_a_run(tmp_path: Path):
    """What `solon ledger show` lists."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.apply([answered(call("b", run="one")), answered(call("a", run="two")), answered(call("c", run="one"))])
        assert [entry.request.messages[0].content for entry in ledger.entries()] == ["b", "a", "c"]
        assert [entry.request.messages[0].content for entry in ledger.entries(run="one")] == ["b", "c"]
        assert list(ledger.entries(run="one", stage="sample")) == []


def test_the_summary_adds_up_replies_tokens_and_dollars_by_model(tmp_path: Path):
    """Two replies of 3 + 1 tokens at $0.25 for one model, one at $1 for another; one call of $0.5 in doubt."""
    other = Scripted(model="another", default="no")
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.apply(
            [answered(call("a"), usd=0.25), answered(call("b"), usd=0.25), answered(call("a", model=other), usd=1)]
        )
        ticket = sent(ledger, call("c"), 500_000_000)
        assert isinstance(ticket, Ticket)
        ledger.apply([Doubted(ticket)])
        first, second = ledger.summary()
    assert (first.model, first.replies, first.cost_usd, first.in_doubt) == ("another", 1, 1.0, 0)
    assert (second.model, second.replies, second.cost_usd) == ("judge", 2, 0.5)
    assert second.usage == Usage(input_tokens=6, output_tokens=2)
    assert (second.in_doubt, second.in_doubt_usd) == (1, 0.5)


# ---------------------------------------------------------------- calls under way


def test_a_call_that_was_answered_or_dropped_is_not_in_doubt(tmp_path: Path):
    """Only what nobody knows the end of."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        one, other = sent(ledger, call("a")), sent(ledger, call("b"))
        assert isinstance(one, Ticket)
        assert isinstance(other, Ticket)
        assert ledger.in_doubt() == []
        ledger.apply([answered(call("a"), ticket=one), Dropped(other)])
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert ledger.in_doubt() == []


def test_a_call_whose_process_was_killed_is_in_doubt_charged_and_may_be_asked_again(tmp_path: Path):
    """The server may have answered and billed it, so it counts as spent; nobody has the reply, so it is asked."""
    script = """
import os, sys
from solon.data.records import Message
from solon.ledger import Budget, Call, Ledger, Sent
from solon.models.base import Request
from solon.models.scripted import Scripted
ledger = Ledger.open(sys.argv[1])
request = Request(messages=(Message(role="user", content="hello"),), max_tokens=8)
model = Scripted(model="judge", default="yes")
ledger.apply([Sent(Call.of(model, request, run="r", stage="label"), 600, (Budget("b", 1e-6),))])
os._exit(9)
"""
    path = tmp_path / "ledger.sqlite"
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 9
    with Ledger.open(path) as ledger:
        (doubt,) = ledger.in_doubt()
        assert (doubt.model, doubt.request, doubt.reserved_usd, doubt.answered) == ("judge", request(), 600e-9, False)
        refused = sent(ledger, call(), 600, Budget("b", 1e-6))
        assert isinstance(refused, NoRoom)
        assert (refused.for_good, refused.spent, refused.in_doubt) == (True, 600, 600)
        again = sent(ledger, call(), 400, Budget("b", 1e-6))
        assert isinstance(again, Ticket)
        assert again.in_doubt == 1
        ledger.apply([answered(call(), ticket=again)])
        assert [doubt.answered for doubt in ledger.in_doubt()] == [True]


@pytest.mark.reliability("shared-ledger")
def test_a_call_that_another_process_has_sent_is_not_sent_again(tmp_path: Path):
    """Each open ledger is a process of its own to the others; two runs that share one ask once."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as one, Ledger.open(path) as other:
        ticket = sent(one, call())
        assert isinstance(ticket, Ticket)
        assert sent(other, call()) == Elsewhere()
        one.apply([answered(call(), "paid once", ticket=ticket)])
        known = sent(other, call())
        assert isinstance(known, Known)
        assert known.reply.text == "paid once"


def test_a_call_whose_sender_has_left_may_be_sent_by_another(tmp_path: Path):
    """A lock that outlived its process would block the call for ever."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as other:
        with Ledger.open(path) as one:
            sent(one, call())
        assert isinstance(sent(other, call()), Ticket)
        assert len(other.in_doubt()) == 1
    assert list((tmp_path / "ledger.sqlite-owners").iterdir()) == []


# ---------------------------------------------------------------- money


def test_a_reservation_that_would_pass_the_cap_is_refused(tmp_path: Path):
    """Cap 1,000: 600 reserved leaves 400, so 500 waits; it fits once the first call turned out to cost 450."""
    budget = Budget("run r", 1000e-9)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        first = sent(ledger, call("a"), 600, budget)
        assert isinstance(first, Ticket)
        assert sent(ledger, call("b"), 500, budget) == NoRoom("run r", cap=1000, needed=500, spent=0, in_doubt=0)
        ledger.apply([answered(call("a"), usd=450e-9, ticket=first)])
        second = sent(ledger, call("b"), 500, budget)
        assert isinstance(second, Ticket)
        refused = sent(ledger, call("c"), 600, budget)
        assert refused == NoRoom("run r", cap=1000, needed=600, spent=450, in_doubt=0)
        assert refused.for_good
        ledger.apply([Dropped(second)])
        assert isinstance(sent(ledger, call("d"), 550, budget), Ticket)


def test_a_refused_reservation_leaves_other_budgets_as_they_were(tmp_path: Path):
    """A call may count under two caps; it is charged under both or neither."""
    wide, narrow = Budget("wide", 100e-9), Budget("narrow", 10e-9)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        assert isinstance(sent(ledger, call("a"), 50, wide, narrow), NoRoom)
        assert isinstance(sent(ledger, call("b"), 100, wide), Ticket)


def test_a_raised_cap_lets_a_stopped_run_go_on(tmp_path: Path):
    """What was spent stays spent."""
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        first = sent(ledger, call("a"), 90, Budget("b", 100e-9))
        assert isinstance(first, Ticket)
        ledger.apply([answered(call("a"), usd=90e-9, ticket=first)])
        assert isinstance(sent(ledger, call("b"), 90, Budget("b", 100e-9)), NoRoom)
        assert isinstance(sent(ledger, call("b"), 90, Budget("b", 180e-9)), Ticket)


@pytest.mark.reliability("budget")
def test_a_cap_is_never_overrun_by_many_at_once(tmp_path: Path):
    """Two ledgers, eight threads, 200 calls of 7 against a cap of 1,000: 142 fit (994), never 143."""
    budget = Budget("b", 1000e-9)
    with Ledger.open(tmp_path / "ledger.sqlite") as one, Ledger.open(tmp_path / "ledger.sqlite") as other:

        def try_one(number: int) -> bool:
            return isinstance(sent((one, other)[number % 2], call(f"{number}"), 7, budget), Ticket)

        with ThreadPoolExecutor(8) as pool:
            granted = list(pool.map(try_one, range(200)))
    assert sum(granted) == 142


def test_a_full_budget_is_looked_into_once_for_a_whole_group(tmp_path: Path):
    """3,000 calls are open and 3,000 more are refused: looking at each of the first for each of the others takes half
    a minute, in which no other process can write. Counted in steps of SQLite's machine, some 50 million of those.
    """
    budget = Budget("b", 3000e-9)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        ledger.apply([Sent(call(f"{number}"), 1, (budget,)) for number in range(3000)])
        ledger._writing.set_progress_handler(step, 1000)
        outcomes = ledger.apply([Sent(call(f"more {number}"), 1, (budget,)) for number in range(3000)])
    assert all(outcome == NoRoom("b", cap=3000, needed=1, spent=0, in_doubt=0) for outcome in outcomes)
    assert steps < 2000


def test_what_comes_to_be_in_doubt_in_a_group_is_counted_in_it(tmp_path: Path):
    """600 of 1,000 are in doubt from the change before on, and one more of 500 does not fit for good."""
    budget = Budget("b", 1000e-9)
    with Ledger.open(tmp_path / "ledger.sqlite") as ledger:
        first = sent(ledger, call("a"), 600, budget)
        assert isinstance(first, Ticket)
        assert sent(ledger, call("b"), 500, budget) == NoRoom("b", cap=1000, needed=500, spent=0, in_doubt=0)
        _, refused = ledger.apply([Doubted(first), Sent(call("b"), 500, (budget,))])
    assert refused == NoRoom("b", cap=1000, needed=500, spent=600, in_doubt=600)
