"""Notes: a reply that has come outlives its process, however that ends, and counts once."""

from __future__ import annotations

import fcntl
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solon.data.records import Message, Usage
from solon.errors import StorageError
from solon.ledger import Answered, Budget, Call, Elsewhere, Known, Ledger, NoRoom, Sent, Ticket, owners
from solon.ledger.notes import SHEET_BYTES, Note, notes_in
from solon.ledger.owners import Owners, owners_of
from solon.ledger.salvaging import salvage
from solon.ledger.writing import Writer
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

CAP = Budget("run r", 1000e-9)


def call(text: str) -> Call:
    request = Request(messages=(Message(role="user", content=text),), max_tokens=8)
    return Call.of(Scripted(model="judge"), request, run="r", stage="label")


def answered(text: str, ticket: Ticket, reply: str = "yes", *, nano_usd: int = 100) -> Answered:
    usage = Usage(input_tokens=3, output_tokens=1)
    return Answered.of(call(text), Reply(text=reply, usage=usage), nano_usd * 1e-9, sent_at=1.5, ticket=ticket)


def sent(ledger: Ledger, *texts: str, reserve: int = 400) -> list[Ticket]:
    outcomes = ledger.apply([Sent(call(text), reserve, (CAP,)) for text in texts])
    tickets = [outcome for outcome in outcomes if isinstance(outcome, Ticket)]
    assert len(tickets) == len(texts)
    return tickets


def noted(path: Path, *texts: str, reserve: int = 400, reply: str = "yes") -> None:
    """What a process leaves that was killed between a reply and its commit: a closed ledger leaves the same."""
    with Ledger.open(path) as ledger:
        for text, ticket in zip(texts, sent(ledger, *texts, reserve=reserve), strict=True):
            ledger.note(answered(text, ticket, reply))


def money(path: Path) -> tuple[int, int]:
    """Spent and reserved, in nano-dollars."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT spent_nano_usd, reserved_nano_usd FROM budgets")
        spent, reserved = rows.fetchone()
    return int(spent), int(reserved)


def files(path: Path) -> list[int]:
    """Bytes of the files beside the ledger that processes hold or have left, in order of size."""
    return sorted(file.stat().st_size for file in path.with_name(f"{path.name}-owners").iterdir())


def notes_beside(path: Path) -> list[Path]:
    return sorted(path.with_name(f"{path.name}-owners").glob("*-*"))


def committed(ledger: Ledger) -> tuple[Path, bytes]:
    """The file that noted a reply which was then committed, and what stood in it before."""
    (ticket,) = sent(ledger, "a")
    ledger.note(answered("a", ticket))
    (file,) = notes_beside(ledger.path)
    kept = file.read_bytes()
    ledger.apply([answered("a", ticket)])
    return file, kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_ledger_notes import answered, sent
from solon.ledger import Ledger
ledger = Ledger.open(Path(sys.argv[1]))
first, _ = sent(ledger, "asked and answered", "asked")
ledger.note(answered("asked and answered", first))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_has_noted_is_there_when_the_ledger_is_opened_again(path: Path) -> None:
    """Its cost is spent and its call no longer in doubt; the one beside it, which got no reply, is."""
    words = [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL
    with Ledger.open(path) as ledger:
        reply = ledger.get(call("asked and answered").key)
        assert reply is not None
        assert reply.text == "yes"
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("asked").key]
        (entry,) = ledger.entries()
        assert (entry.run, entry.stage, entry.model, entry.sent_at) == ("r", "label", "judge", 1.5)
        assert entry.cost_usd == pytest.approx(100e-9)
        assert entry.reply.usage.input_tokens == 3
        assert files(path) == [0]
    assert money(path) == (100, 400)
    assert files(path) == []


def test_a_row_that_was_noted_is_what_it_would_have_been(path: Path, tmp_path: Path) -> None:
    """To the byte, its checksum included; the time of its coming is that of the note."""
    other = tmp_path / "other.sqlite"
    noted(path, "a")
    with Ledger.open(other) as ledger:
        (ticket,) = sent(ledger, "a")
        ledger.apply([answered("a", ticket)])
    Ledger.open(path).close()
    rows = []
    for one in (path, other):
        with closing(sqlite3.connect(one)) as connection:
            rows.append(connection.execute("SELECT * FROM replies").fetchone())
    assert rows[0][:11] == rows[1][:11]
    assert rows[0][11] <= rows[1][11]
    Ledger.open(path).close()  # reads every row's checksum


@pytest.mark.parametrize("beside", [(), ("another",)], ids=["alone", "in a group"])
def test_a_process_that_is_at_work_finds_the_reply_of_one_that_died(beside: tuple[str, ...], path: Path) -> None:
    """It waits as long as the other is alive, and then asks nobody."""
    with Ledger.open(path) as other:
        one = Ledger.open(path)
        (ticket,) = sent(one, "a")
        one.note(answered("a", ticket))
        asked = [Sent(call(text), 100, (CAP,)) for text in ("a", *beside)]
        assert other.apply(asked)[0] == Elsewhere()
        one.close()
        outcome = other.apply([Sent(call(text), 100, (CAP,)) for text in ("a", *beside)])[0]
        assert isinstance(outcome, Known)
        assert outcome.reply.text == "yes"
        assert other.in_doubt() == []
        assert files(path) == [0]
    assert money(path) == (100, 100 * len(beside))


def test_what_is_in_doubt_is_told_without_what_was_noted(path: Path) -> None:
    """By a process that had the ledger open before the other died."""
    with Ledger.open(path) as other:
        noted(path, "a")
        assert other.in_doubt() == []
        (total,) = other.summary()
        assert (total.replies, total.in_doubt) == (1, 0)


def test_a_budget_has_room_for_what_a_dead_process_did_not_spend(path: Path) -> None:
    """900 of 1,000 are reserved by a call whose reply, noted and not committed, cost 100."""
    with Ledger.open(path) as other:
        noted(path, "a", reserve=900)
        (full,) = other.apply([Sent(call("b"), 200, (CAP,))])
        assert full == NoRoom("run r", cap=1000, needed=200, spent=100, in_doubt=0)
        assert not full.for_good
        sent(other, "b", reserve=900)


def test_what_was_committed_is_not_counted_again(path: Path) -> None:
    """A process was killed after the commit and before its notes were cleared away."""
    with Ledger.open(path) as ledger:
        file, kept = committed(ledger)
        assert files(path) == [0, 0]
    file.write_bytes(kept)
    Ledger.open(path).close()
    assert money(path) == (100, 0)
    assert files(path) == []


def test_an_older_sending_of_the_same_call_stays_in_doubt(path: Path) -> None:
    """It was sent, its process died; another asked again, got its reply, and died after the commit."""
    with Ledger.open(path) as ledger:
        sent(ledger, "a")
    with Ledger.open(path) as ledger:
        file, kept = committed(ledger)
    file.write_bytes(kept)
    with Ledger.open(path) as ledger:
        assert [doubt.answered for doubt in ledger.in_doubt()] == [True]
    assert money(path) == (100, 400)


def test_a_note_counts_for_its_own_call_alone(path: Path) -> None:
    """Notes beside a ledger that was restored from a backup: its tickets now name other calls."""
    noted(path, "a")
    (file,) = notes_beside(path)
    kept = file.read_bytes()
    file.unlink()
    path.unlink()
    with Ledger.open(path) as ledger:
        sent(ledger, "b")
    file.write_bytes(kept)
    with Ledger.open(path) as ledger:
        assert list(ledger.entries()) == []
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("b").key]


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_half_a_note_is_none(kept: float, path: Path) -> None:
    """The call is in doubt, as any that got no reply; the note before it is taken."""
    noted(path, "a", "b")
    (file,) = notes_beside(path)
    content = file.read_bytes()
    first, second = content.strip().split(b"\n")
    file.write_bytes(b"\n" + first + b"\n" + second[: int(len(second) * kept)])
    with Ledger.open(path) as ledger:
        assert ledger.get(call("a").key) is not None
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("b").key]
    assert files(path) == []


def test_a_disk_that_takes_half_a_note_takes_the_next_one_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the commit, which follows, is what tells of a full disk."""
    write = os.write
    with Ledger.open(path) as ledger:
        first, second, third = sent(ledger, "a", "b", "c", reserve=100)
        monkeypatch.setattr(os, "write", lambda file, content: write(file, content[:20]))
        ledger.note(answered("a", first))
        monkeypatch.setattr(os, "write", _no_room)
        ledger.note(answered("b", second))
        monkeypatch.setattr(os, "write", write)
        ledger.note(answered("c", third))
    with Ledger.open(path) as ledger:
        assert ledger.get(call("c").key) is not None
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("a").key, call("b").key]


def _no_room(file: int, content: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_notes_that_could_not_be_taken_in_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a disk that is full all else can still be read; whoever would send the call again is told why he cannot."""
    noted(path, "a")
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "_write_noted", _full)
        with Ledger.open(path) as ledger:
            assert [doubt.key for doubt in ledger.in_doubt()] == [call("a").key]
            with pytest.raises(StorageError, match="disk is full"):
                ledger.apply([Sent(call("a"), 100, (CAP,))])
    with Ledger.open(path) as ledger:
        assert ledger.get(call("a").key) is not None
    assert files(path) == []


def _full(*_: object) -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorname = "SQLITE_FULL"
    raise error


def test_replies_whose_commit_failed_are_there_the_next_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that somebody kept locked for too long costs nothing twice; nor do further replies."""
    with Ledger.open(path) as ledger:
        first, second = sent(ledger, "a", "b")
        ledger.note(answered("a", first))
        with monkeypatch.context() as patched:
            patched.setattr(Writer, "_apply_all", _full)
            with pytest.raises(StorageError):
                ledger.apply([answered("a", first)])
        ledger.note(answered("b", second))
        ledger.apply([answered("b", second)])
    with Ledger.open(path) as ledger:
        assert ledger.get(call("a").key) is not None
        assert ledger.in_doubt() == []
    assert money(path) == (200, 0)


@pytest.mark.parametrize("failures", [0, 3])
def test_files_of_notes_stay_short_under_load(failures: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replies come all the time, so that never all of them are committed; each file is emptied in its turn.

    One with a reply whose commit failed is kept as it is, and others are used.
    """
    long = "x" * 5000
    with Ledger.open(path) as ledger:
        waiting: list[Answered] = []
        for number in range(400):
            (ticket,) = sent(ledger, f"{number}", reserve=0)
            one = answered(f"{number}", ticket, long, nano_usd=0)
            ledger.note(one)
            waiting.append(one)
            if len(waiting) > 8 and number % 100 < failures:
                with monkeypatch.context() as patched:
                    patched.setattr(Writer, "_apply_all", _full)
                    with pytest.raises(StorageError):
                        ledger.apply([waiting.pop(0)])
            elif len(waiting) > 8:
                ledger.apply([waiting.pop(0)])
            assert max(files(path)) < SHEET_BYTES + 2 * 5500
        assert len(notes_beside(path)) <= 2 + 3 * failures
    with Ledger.open(path) as ledger:
        assert len(list(ledger.entries())) == 400
        assert ledger.in_doubt() == []
    assert files(path) == []


def test_notes_may_be_made_while_others_are_committed(path: Path) -> None:
    """The event loop notes; a thread commits."""
    with Ledger.open(path) as ledger:
        tickets = sent(ledger, *(f"{number}" for number in range(200)), reserve=0)
        each = [answered(f"{number}", ticket, nano_usd=0) for number, ticket in enumerate(tickets)]
        ready = [threading.Event() for _ in each]

        def commit() -> None:
            for one, event in zip(each, ready, strict=True):
                assert event.wait(60)
                ledger.apply([one])

        thread = threading.Thread(target=commit)
        thread.start()
        for one, event in zip(each, ready, strict=True):
            ledger.note(one)
            event.set()
        thread.join()
        assert files(path) == [0, 0]


@pytest.mark.parametrize("reply", ["\x00", "\ud800", "two\nlines and\r more", "é \u2028", " "])
def test_whatever_a_model_says_is_noted_as_it_is(reply: str, path: Path) -> None:
    noted(path, "a", reply=reply)
    with Ledger.open(path) as ledger:
        found = ledger.get(call("a").key)
        assert found is not None
        assert found.text == reply


def test_notes_go_along_into_a_salvaged_ledger(path: Path, tmp_path: Path) -> None:
    """Its calls have other numbers there."""
    with Ledger.open(path) as ledger:
        (before,) = sent(ledger, "before", reserve=0)
        ledger.apply([answered("before", before, nano_usd=0)])
    noted(path, "a")
    salvage(path, tmp_path / "new.sqlite")
    with Ledger.open(tmp_path / "new.sqlite") as ledger:
        assert ledger.get(call("a").key) is not None
        assert ledger.in_doubt() == []
    assert money(tmp_path / "new.sqlite") == (100, 0)


def test_who_only_looks_keeps_nobody_from_taking_in(path: Path) -> None:
    """Two may find out at the same time that a process is gone."""
    with Ledger.open(path) as other:
        noted(path, "a")
        lock = path.with_name(f"{path.name}-owners") / notes_beside(path)[0].name.partition("-")[0]
        lock.touch()  # of a process that was killed, and did not close
        with lock.open("rb") as looking:
            fcntl.flock(looking, fcntl.LOCK_SH)
            (outcome,) = other.apply([Sent(call("a"), 100, (CAP,))])
        assert isinstance(outcome, Known)


def test_the_child_of_a_process_that_has_ended_hides_nothing(path: Path) -> None:
    """It was forked while the ledger was open, and has the lock's file open as well."""
    ledger = Ledger.open(path)
    (ticket,) = sent(ledger, "a")
    ledger.note(answered("a", ticket))
    child = os.fork()
    if not child:
        signal.pause()
    try:
        ledger.close()
        with Ledger.open(path) as other:
            assert other.get(call("a").key) is not None
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_what_is_no_note_of_ours_is_left_alone(path: Path) -> None:
    """Whatever else lies in the folder; and what a newer solon has noted stays for that one."""
    noted(path, "a", "b")
    folder = path.with_name(f"{path.name}-owners")
    newer = Note(1, call("c").key, 1, 1.0, 1.0, '{"said": "in another way"}').line()
    newer += b"\n%08x v2 of it" % crc32(b"v2 of it")
    (folder / "README").write_text("mine")
    (folder / f"{'0' * 16}-1").write_bytes(newer)
    (folder / f"{'1' * 16}-1").mkdir()
    (folder / f"{'2' * 16}-1").symlink_to(folder / "README")
    os.mkfifo(folder / f"{'3' * 16}-1")
    others = {"README", *(f"{digit * 16}-1" for digit in "0123")}
    for _ in range(2):
        with Ledger.open(path) as ledger:
            assert {entry.key for entry in ledger.entries()} == {call("a").key, call("b").key}
            sent(ledger, "c", reserve=0)
    assert {file.name for file in folder.iterdir()} == others
    assert (folder / "README").read_text() == "mine"
    assert (folder / f"{'0' * 16}-1").read_bytes() == newer


def test_a_file_that_cannot_be_cleared_away_is_taken_in_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noted(path, "a")
    unlink = Path.unlink

    def refused(self: Path, missing_ok: bool = False) -> None:
        if "-" in self.name:
            raise PermissionError(13, "Permission denied")
        unlink(self, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", refused)
        for _ in range(2):
            with Ledger.open(path) as ledger:
                assert ledger.get(call("a").key) is not None
    Ledger.open(path).close()
    assert money(path) == (100, 0)
    assert files(path) == []


def test_a_reply_that_cannot_be_noted_is_committed_all_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file descriptor is left for the first file of notes, and then there is one for a second, and none again."""
    opened = os.open

    def refused(file: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_APPEND:
            raise OSError(24, "Too many open files")
        return opened(file, flags, mode)

    with Ledger.open(path) as ledger:
        tickets = sent(ledger, *"abcd", reserve=0)
        each = [answered(text, ticket, "x" * SHEET_BYTES) for text, ticket in zip("abcd", tickets, strict=True)]
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refused)
            ledger.note(each[0])
            ledger.apply(each[:1])
        ledger.note(each[1])
        with monkeypatch.context() as patched:
            patched.setattr(os, "open", refused)
            ledger.note(each[2])
        assert len(notes_beside(path)) == 1
        ledger.apply(each[1:2])
        assert ledger.get(call("b").key) is not None
    with Ledger.open(path) as ledger:
        assert [doubt.key for doubt in ledger.in_doubt()] == [call("d").key]


def test_a_process_that_begins_keeps_its_lock(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever clears a lock away holds it: one that is made at that moment cannot be locked, and another is made."""
    with Ledger.open(path):
        pass
    looking = Owners(owners_of(path))
    made = looking.folder / ("0" * 16)
    made.touch()
    unlink = Path.unlink
    tried: list[Path] = []

    def locking(self: Path, missing_ok: bool = False) -> None:
        tried.append(self)
        with self.open("rb") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unlink(self, missing_ok)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", locking)
        looking.left()
    assert tried == [made]
    looking.leave()


def test_what_was_noted_last_is_seen(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process notes into its empty file, and is killed, between two looks of one that takes in."""
    with Ledger.open(path) as other:
        one = Ledger.open(path)
        first, second = sent(one, "a", "b", reserve=0)
        one.note(answered("a", first))
        one.apply([answered("a", first)])
        free = owners._free
        looks: list[Path] = []

        @contextmanager
        def late(file: Path) -> Iterator[int | None]:
            looks.append(file)
            if len(looks) == 1:
                one.note(answered("b", second))
                one.close()
            with free(file) as lock:
                yield lock

        monkeypatch.setattr(owners, "_free", late)
        assert other.in_doubt() == []
        assert other.get(call("b").key) is not None


def test_nothing_is_noted_once_the_ledger_is_closed(path: Path) -> None:
    ledger = Ledger.open(path)
    (ticket,) = sent(ledger, "a")
    ledger.close()
    ledger.note(answered("a", ticket))
    assert files(path) == []


@pytest.mark.parametrize("other_number", [False, True])
def test_a_living_process_keeps_its_call(other_number: bool, path: Path) -> None:
    """Notes beside a restored ledger, in which the same call is under way again, with the same ticket or another."""
    noted(path, "a")
    (file,) = notes_beside(path)
    kept = file.read_bytes()
    file.unlink()
    path.unlink()
    with Ledger.open(path) as living:
        if other_number:
            sent(living, "b", reserve=0)
        (ticket,) = sent(living, "a")
        file.write_bytes(kept)
        Ledger.open(path).close()
        assert living.get(call("a").key) is None
        living.apply([answered("a", ticket)])
    assert money(path) == (100, 0)


numbers = st.integers(min_value=0, max_value=2**63 - 1)
times = st.floats(min_value=0, max_value=1e11)
texts = st.text(st.characters(min_codepoint=32, max_codepoint=126))
notes = st.builds(Note, numbers, st.text("0123456789abcdef", min_size=64, max_size=64), numbers, times, times, texts)


@given(st.lists(notes, max_size=5), st.integers(min_value=0))
def test_notes_that_are_cut_off_anywhere_are_a_beginning_of_them(written: list[Note], cut: int) -> None:
    content = b"".join(note.line() for note in written)
    assert list(notes_in(content)) == written
    read = list(notes_in(content[: cut % (len(content) + 1)]))
    assert read == written[: len(read)]


@given(st.binary())
def test_bytes_that_are_no_notes_hold_none(content: bytes) -> None:
    assert list(notes_in(content)) == []


@given(notes, st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_note_with_a_changed_byte_is_none(note: Note, at: int, by: int) -> None:
    line = bytearray(note.line())
    line[1 + at % (len(line) - 1)] ^= by
    assert list(notes_in(bytes(line))) == []
