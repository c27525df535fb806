"""Who is alive: every process that has a ledger open holds a lock on a small file beside it.

The operating system lets the lock go when the process ends, however it ends; so "can I lock it?" answers "is it gone?"
without process numbers, which are used again and mean nothing in another container. Files whose names begin with the
process's are its notes (``solon.ledger.notes``): replies that it could not write into the ledger before it was killed.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from solon.ledger.log import beside

_OURS = re.compile("[0-9a-f]{16}(-[0-9]+)?")
"""A lock, or the notes that belong to it."""


def owners_of(ledger: Path) -> Path:
    """The folder of lock files beside a ledger."""
    return beside(ledger, "-owners")


def anybody_has(ledger: Path) -> bool:
    """Whether a process that is alive has the ledger open, as far as solon's locks tell. Changes nothing."""
    for path in _files(owners_of(ledger)):
        with _free(path) as file:
            if file is None and path.exists():
                return True
    return False


def copy_notes(ledger: Path, to: Path) -> bool:
    """Lays what processes that are gone have noted beside another ledger, to be taken in; whether there was any."""
    copied = False
    for path in _files(owners_of(ledger)):
        if content := path.read_bytes():
            owners_of(to).mkdir(mode=0o700, exist_ok=True)
            copy = owners_of(to) / path.name
            copy.touch(mode=0o600)
            copy.write_bytes(content)
            copied = True
    return copied


def owner_of(notes: Path) -> str:
    """The process that a file of notes belongs to; of a lock, its own."""
    return notes.name.partition("-")[0]


def _files(folder: Path) -> list[Path]:
    """Locks and notes, a lock after the notes that belong to it. Nothing else that lies there."""
    found = sorted(folder.iterdir(), reverse=True) if folder.is_dir() else ()
    return [path for path in found if _OURS.fullmatch(path.name) and path.is_file() and not path.is_symlink()]


class Owners:
    """The folder of lock files beside a ledger, and this process's own in it.

    Attributes:
        folder: it.
        me: the name by which others know this process, which is that of its lock file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.me = ""
        self._lock = -1
        while self._lock < 0:
            self._lock = self._take(secrets.token_hex(8))

    def _take(self, name: str) -> int:
        path = self.folder / name
        lock = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            # until it is locked, another process may take the file for a dead one's
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == path.stat().st_ino:
                self.me = name
                return lock
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        return -1

    def alive(self, owner: str) -> bool:
        """Whether the process of that name is there; this one is, nobody is not."""
        if owner == self.me:
            return True
        if not owner:
            return False
        path = self.folder / owner
        with _free(path) as file:
            return file is None and path.exists()

    def left(self) -> list[Path]:
        """The notes of processes that are gone. Clears away their locks, and notes that hold nothing."""
        notes = []
        for path in _files(self.folder):
            owner = self.folder / owner_of(path)
            if owner.name == self.me:
                continue
            # looked at and cleared away while the lock is held: until then, its process may write, or be about to begin
            with suppress(OSError), _free(owner) as lock:  # what cannot be looked at is another user's
                if lock is None and owner.exists():
                    continue
                if path.stat().st_size:
                    notes.append(path)
                else:
                    path.unlink()
        return notes

    def leave(self) -> None:
        """Lets this process's lock go."""
        if self._lock >= 0:
            (self.folder / self.me).unlink(missing_ok=True)
            fcntl.flock(self._lock, fcntl.LOCK_UN)  # a child that was forked may have the file open, too
            os.close(self._lock)
            self._lock = -1


@contextmanager
def _free(path: Path) -> Iterator[int | None]:
    """A file whose process is gone, open for reading and locked for the moment, beside others who look at it as well.

    ``None`` when the process is alive, or the file is not there.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield file
    finally:
        os.close(file)
