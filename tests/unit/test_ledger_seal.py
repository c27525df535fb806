"""A large ledger is not read through when it is as solon left it; and no damage goes by for that."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from solon.data.records import Message
from solon.errors import StorageError
from solon.ledger import Answered, Call, Ledger
from solon.ledger.schema import PAGE_BYTES
from solon.ledger.seal import SMALL_BYTES, is_sealed, seal
from solon.models.base import Reply, Request
from solon.models.scripted import Scripted

REPLIES = 20
LONG = "x" * (SMALL_BYTES // (REPLIES - 1))


def call(number: int) -> Call:
    request = Request(messages=(Message(role="user", content=f"{number}"),), max_tokens=8)
    return Call.of(Scripted(model="judge", default="yes"), request)


def record(ledger: Ledger, *numbers: int) -> None:
    ledger.apply([Answered.of(call(number), Reply(text=LONG), 0.0, sent_at=1.0) for number in numbers])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of 17 million bytes, closed as it should be."""
    path = tmp_path / "ledger.sqlite"
    with Ledger.open(path) as ledger:
        record(ledger, *range(REPLIES))
    return path


def damage(path: Path) -> None:
    """The root page of the table of replies, which every look at one of them goes through."""
    with sqlite3.connect(path) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'replies'").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE_BYTES)
        file.write(b"\xff" * PAGE_BYTES)


def test_a_ledger_that_was_closed_is_sealed_for_its_owner_alone(path: Path) -> None:
    """A million replies are some gigabytes, and reading them takes longer than what there may be to do."""
    assert is_sealed(path)
    assert stat.S_IMODE((path.parent / "ledger.sqlite-sealed").stat().st_mode) == 0o600


def test_damage_behind_an_unbroken_seal_is_named_when_it_is_met_and_found_at_once_from_then_on(path: Path) -> None:
    """The seal is renewed over the damage: as if the disk had done it. So the file is not read through, or the first
    opening would have found it.
    """
    damage(path)
    seal(path)
    with Ledger.open(path) as ledger, pytest.raises(StorageError, match="is damaged or no ledger; it is left as it is"):
        list(ledger.entries())
    with pytest.raises(StorageError, match="is damaged or no ledger; it is left as it is"):
        Ledger.open(path)


def test_a_file_that_was_changed_by_anybody_else_is_checked(path: Path) -> None:
    """The seal holds the time of the last change."""
    damage(path)
    assert not is_sealed(path)
    with pytest.raises(StorageError, match="is damaged or no ledger; it is left as it is"):
        Ledger.open(path)


def test_a_file_put_in_its_place_is_checked_even_with_the_old_times(path: Path, tmp_path: Path) -> None:
    """``cp -p`` and backups keep the time of the last change."""
    times = path.stat()
    copy = tmp_path / "copy"
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.replace(path)
    assert not is_sealed(path)


def test_a_small_file_is_always_checked(tmp_path: Path) -> None:
    """Two changes within a few milliseconds may bear the same time."""
    path = tmp_path / "small.sqlite"
    Ledger.open(path).close()
    assert (path.parent / "small.sqlite-sealed").exists()
    assert not is_sealed(path)


def test_while_anybody_has_it_open_nothing_is_sealed(path: Path) -> None:
    """It may be killed in the middle of writing. The last to close it seals it."""
    one, other = Ledger.open(path), Ledger.open(path)
    record(one, REPLIES)
    one.close()
    assert not is_sealed(path)
    other.close()
    assert is_sealed(path)


def test_a_killed_process_leaves_no_seal(path: Path) -> None:
    """What it was doing to the file, nobody knows."""
    script = """
import os, sys
from solon.ledger import Budget, Call, Ledger, Sent
from solon.data.records import Message
from solon.models.base import Request
from solon.models.scripted import Scripted
ledger = Ledger.open(sys.argv[1])
call = Call.of(Scripted(), Request(messages=(Message(role="user", content="hello"),), max_tokens=8))
ledger.apply([Sent(call, 0)])
os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", script, path], check=False).returncode == 9
    assert not is_sealed(path)
    Ledger.open(path).close()
    assert is_sealed(path)
