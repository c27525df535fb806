"""Who is alive: every process that has a ledger open holds a lock on a small file beside it.

The operating system lets the lock go when the process ends, however it ends; so "can I lock it?" answers "is it gone?"
without process numbers, which are used again and mean nothing in another container.
"""

from __future__ import annotations

import fcntl
import os
import secrets
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


class Owners:
    """The folder of lock files beside a ledger, and this process's own lock in it."""

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
        # between its making and its locking, another process may take the file for a dead one's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(lock).st_ino == path.stat().st_ino:
                self.me = name
                return lock
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return -1

    def alive(self, owner: str) -> bool:
        """Whether the process of that name is there; this one is, nobody is not. Clears away what a dead one left."""
        if owner == self.me:
            return True
        if not owner:
            return False
        path = self.folder / owner
        try:
            lock = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            path.unlink(missing_ok=True)
            return False
        finally:
            os.close(lock)

    def sweep(self) -> None:
        """Clears away what dead processes left."""
        for path in sorted(self.folder.iterdir()):
            self.alive(path.name)

    def leave(self) -> None:
        """Lets this process's lock go."""
        if self._lock >= 0:
            (self.folder / self.me).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = -1
