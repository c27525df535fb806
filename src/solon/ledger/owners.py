"""Who is alive: every process that has a ledger open holds a lock on a small file beside it.

The operating system lets the lock go when the process ends, however it ends; so "can I lock it?" answers "is it gone?"
without process numbers, which are used again and mean nothing in another container. What such a file holds are notes
(``solon.ledger.notes``): replies that a process which was killed could not write into the ledger any more.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from solon.ledger.log import beside


def owners_of(ledger: Path) -> Path:
    """The folder of lock files beside a ledger."""
    return beside(ledger, "-owners")


def anybody_has(ledger: Path) -> bool:
    """Whether a process that is alive has the ledger open, as far as solon's locks tell. Changes nothing."""
    folder = owners_of(ledger)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        try:
            lock = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
    return False


def copy_notes(ledger: Path, to: Path) -> None:
    """Lays what processes that are gone have noted beside another ledger, whose next process takes it in."""
    folder = owners_of(ledger)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.is_file() and path.stat().st_size:
            owners_of(to).mkdir(mode=0o700, exist_ok=True)
            copy = owners_of(to) / path.name
            copy.touch(mode=0o600)
            copy.write_bytes(path.read_bytes())


class LockFile:
    """A new file in that folder, locked as long as this process lives. It may be written to.

    Attributes:
        path: it.
        file: its descriptor.
    """

    def __init__(self, folder: Path) -> None:
        while not self._is_taken(folder / secrets.token_hex(8)):
            pass

    def _is_taken(self, path: Path) -> bool:
        self.path = path
        self.file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # between its making and its locking, another process may take the file for a dead one's
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self.file).st_ino == path.stat().st_ino:
                return True
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(self.file)
        return False

    def release(self) -> None:
        """Lets the lock go. A file that holds something stays, for whoever opens the ledger next."""
        if self.file >= 0:
            if not os.fstat(self.file).st_size:
                self.path.unlink(missing_ok=True)
            os.close(self.file)
            self.file = -1


class Owners:
    """The folder of lock files beside a ledger, and this process's own in it.

    Attributes:
        folder: it.
        lock: of this process.
        me: the name by which others know this process.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, exist_ok=True)
        self.lock = LockFile(folder)
        self.me = self.lock.path.name

    def alive(self, owner: str) -> bool:
        """Whether the process of that name is there; this one is, nobody is not. Clears away what a dead one left."""
        if owner == self.me:
            return True
        if not owner:
            return False
        path = self.folder / owner
        with _locked(path) as file:
            if file is not None and not os.fstat(file).st_size:
                path.unlink(missing_ok=True)
            return file is None and path.exists()

    def left(self) -> Iterator[tuple[Path, bytes]]:
        """The files of dead processes that hold something, and what. Clears away those that hold nothing."""
        for path in sorted(self.folder.iterdir()):
            with _locked(path) as file:
                if file is None:
                    continue
                if size := os.fstat(file).st_size:
                    yield path, os.pread(file, size, 0)
                else:
                    path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[int | None]:
    """A file whose process is gone, locked for the moment; ``None`` when it is alive, or the file is not there."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield None
    else:
        yield file
    finally:
        os.close(file)
