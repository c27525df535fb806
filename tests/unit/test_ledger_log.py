"""The log that a killed process leaves beside a ledger: its damage is found, and what was undone is not given back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from solon.data.records import Message, Usage
from solon.errors import StorageError
from solon.ledger import Answered, Call, Ledger
from solon.ledger.log import is_broken
from solon.ledger.salvaging import Saved, salvage
from solon.ledger.schema import PAGE_BYTES
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

GROUPS, FRAME = 30, 24 + PAGE_BYTES
pytestmark = pytest.mark.reliability("ledger-damage")


def answered(number: int) -> Answered:
    """Large enough for a page of its own."""
    request = Request(messages=(Message(role="user", content=f"{number} " + "x" * 5000),), max_tokens=8)
    reply = Reply(text=f"yes {number}", usage=Usage(input_tokens=3, output_tokens=1))
    return Answered.of(Call.of(Scripted(model="judge"), request), reply, 1e-7, sent_at=1.0)


def copied(live: Path, path: Path) -> Path:
    """File and log as they are while a process has them open: what is left when it is killed."""
    path.parent.mkdir(exist_ok=True)
    for ending in ("", "-wal"):
        shutil.copy(f"{live}{ending}", f"{path}{ending}")
    return path


def log_of(path: Path) -> Path:
    return Path(f"{path}-wal")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Thirty replies, each committed by itself, all of them in the log."""
    with Ledger.open(tmp_path / "live.sqlite") as ledger:
        for number in range(GROUPS):
            ledger.apply([answered(number)])
        return copied(ledger.path, tmp_path / "killed" / "ledger.sqlite")


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def texts(path: Path) -> list[str]:
    with Ledger.open(path) as ledger:
        return [entry.reply.text for entry in ledger.entries()]


def last_group(log: Path) -> int:
    """Where the last transaction begins: behind the last frame but one that ends a transaction."""
    data = log.read_bytes()
    ends = [at for at in range(32, len(data), FRAME) if any(data[at + 4 : at + 8])]
    return ends[-2] + FRAME


def test_a_log_that_was_not_damaged_is_read_to_its_end(path: Path, tmp_path: Path) -> None:
    """By SQLite, and by the salvage."""
    assert not is_broken(path)
    assert salvage(path, tmp_path / "new.sqlite").replies == Saved(GROUPS)
    assert texts(path) == [f"yes {number}" for number in range(GROUPS)]


def test_a_bit_that_flips_in_the_log_is_found_and_takes_no_other_reply_with_it(
    full: bool, path: Path, tmp_path: Path, figure: Callable[[str], None]
) -> None:
    """SQLite would leave out all that was committed behind it, say nothing, and write over it.

    Of a frame whose checksum is hit, the next one is lost too. The first flip is in what says whose round it is.
    """
    log, new, rng = log_of(path), tmp_path / "new.sqlite", Random(0)
    sound = log.read_bytes()
    last, flips, lost = last_group(log), 60 if full else 8, 0
    for number in range(flips):
        log.write_bytes(sound)
        flip(log, rng.randrange(32, last) if number else 32 + 9)
        before = path.read_bytes(), log.read_bytes()
        with pytest.raises(StorageError, match=r"ledger salvage .* \(a change in its log is not what was written\)"):
            Ledger.open(path)
        done = salvage(path, new)
        assert (path.read_bytes(), log.read_bytes()) == before
        assert done.replies.saved >= GROUPS - 2
        assert done.broken == ("the log",)
        found = texts(new)
        assert set(found) <= {f"yes {number}" for number in range(GROUPS)}
        assert len(found) == done.replies.saved
        lost += GROUPS - len(found)
        new.unlink()
    figure(f"{flips} of {flips} flips in a killed process's log found; {lost} of {flips * GROUPS:,} replies lost")


@pytest.mark.parametrize("at", [0, 10, 18, 28], ids=["magic", "page size", "salt", "checksum"])
def test_a_log_whose_header_is_damaged_is_found_and_salvaged(at: int, path: Path, tmp_path: Path) -> None:
    """SQLite takes it for one that holds nothing."""
    flip(log_of(path), at)
    with pytest.raises(StorageError, match="a change in its log is not what was written"):
        Ledger.open(path)
    assert salvage(path, tmp_path / "new.sqlite").replies.saved >= GROUPS - 1


def test_what_a_power_cut_has_torn_is_no_damage_and_is_not_given_back(path: Path, tmp_path: Path) -> None:
    """The last transaction was under way: nobody was told that it is on the disk."""
    flip(log_of(path), last_group(log_of(path)) + 1000)
    assert salvage(path, tmp_path / "new.sqlite").replies.saved == GROUPS - 1
    assert texts(path) == [f"yes {number}" for number in range(GROUPS - 1)]


def test_what_was_undone_is_not_given_back_although_its_end_still_stands_in_the_log(path: Path, tmp_path: Path) -> None:
    """A power cut tore a long transaction, and a short one went over its beginning: its end still looks committed."""
    with Ledger.open(path) as ledger:
        ledger.apply([answered(number) for number in range(100, 120)])
        torn = copied(path, tmp_path / "torn" / "ledger.sqlite")
    flip(log_of(torn), last_group(log_of(torn)) + 1000)
    with Ledger.open(torn) as ledger:
        ledger.apply([answered(200)])
        again = copied(torn, tmp_path / "again" / "ledger.sqlite")
    assert b"yes 119" in log_of(again).read_bytes()
    wanted = [f"yes {number}" for number in [*range(GROUPS), 200]]
    done = salvage(again, tmp_path / "new.sqlite")
    assert (done.replies, done.broken) == (Saved(GROUPS + 1), ())
    assert texts(tmp_path / "new.sqlite") == wanted
    assert texts(again) == wanted


@pytest.mark.parametrize("gone", [True, False], ids=["gone", "empty"])
def test_a_log_without_its_ledger_is_not_deleted_but_salvaged(gone: bool, path: Path, tmp_path: Path) -> None:
    """SQLite would delete it: to it, a file of no bytes has no log."""
    if gone:
        path.unlink()
    else:
        path.write_bytes(b"")
        Path(f"{path}-sealed").write_text("as it was closed before the process that was killed")
    before = log_of(path).read_bytes()
    with pytest.raises(StorageError, match=r"what it held last stands in the log .* or delete .*-wal to begin a new"):
        Ledger.open(path)
    assert path.exists() is not gone
    assert log_of(path).read_bytes() == before
    assert salvage(path, tmp_path / "new.sqlite").replies == Saved(GROUPS)
    log_of(path).unlink()
    path.unlink(missing_ok=True)
    assert texts(path) == []


def test_a_ledger_behind_a_link_is_salvaged_with_its_log_and_left_as_it_is(path: Path, tmp_path: Path) -> None:
    """The log lies beside the file, and not beside the link."""
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    assert salvage(link, tmp_path / "new.sqlite").replies == Saved(GROUPS)
    flip(log_of(path), 32 + 1000)
    before = path.read_bytes(), log_of(path).read_bytes()
    with pytest.raises(StorageError, match="a change in its log"):
        Ledger.open(link)
    assert (path.read_bytes(), log_of(path).read_bytes()) == before


def test_who_has_it_open_through_a_link_is_seen(path: Path, tmp_path: Path) -> None:
    """Else two runs would take each other for dead, and ask twice."""
    link = tmp_path / "link.sqlite"
    link.symlink_to(path)
    with Ledger.open(link):
        with pytest.raises(StorageError, match="a process that is alive has the ledger"):
            salvage(path, tmp_path / "new.sqlite")
        assert not Path(f"{link}-owners").exists()
