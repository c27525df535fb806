"""Replies that have come and are in no transaction yet: noted, so that a killed process does not take them with it.

A reply waits some milliseconds for the group that it is committed with. Whoever kills the process in between would have
the call asked, and paid, once more. A note is one ``write`` of some hundred bytes into a file beside the process's
lock, before the slot of the call is free: the operating system keeps what was written, however the process ends. Only
the commit waits for the disk, so a power cut may still take a note; its call is then in doubt.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from solon.ledger.rows import Answered, Change

SHEET_BYTES = 1 << 18
"""How long a file of notes may grow before the next go into another one. It is emptied once all in it are committed."""

_PARTS = 6


class Note(NamedTuple):
    """A reply that came to the call of this ticket and key. Times are seconds since 1970, the cost is nano-dollars."""

    ticket: int
    key: str
    cost: int
    sent_at: float
    replied_at: float
    text: str

    def line(self) -> bytes:
        """One line with its checksum. It begins with the end of the line before, which may have been cut off."""
        content = f"{self.ticket} {self.key} {self.cost} {self.sent_at!r} {self.replied_at!r} {self.text}".encode(
            "ascii"
        )
        return b"\n%08x %b" % (crc32(content), content)


def notes_in(content: bytes) -> Iterator[Note | None]:
    """Those that are whole: of one that a disk took only half of, or lost, nothing is believed.

    ``None`` for one that a newer solon has written in another way.
    """
    for line in content.split(b"\n"):
        sum_, _, written = line.partition(b" ")
        if sum_ == b"%08x" % crc32(written):
            yield _read(written)


def _read(written: bytes) -> Note | None:
    try:
        ticket, key, cost, sent_at, replied_at, text = written.decode("ascii").split(" ", _PARTS - 1)
        return Note(int(ticket), key, int(cost), float(sent_at), float(replied_at), text)
    except ValueError:
        return None


class _Sheet:
    """A file of notes.

    Attributes:
        size: its bytes.
        uncommitted: how many of its notes are not committed.
        kept: whether a commit of some of them failed: it is left to whoever opens the ledger next.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = self.uncommitted = 0
        self.kept = False
        self._file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, line: bytes) -> None:
        self.size += os.write(self._file, line)
        self.uncommitted += 1

    def committed(self) -> None:
        self.uncommitted -= 1
        if not self.uncommitted and not self.kept:
            with suppress(OSError):  # what is committed may be noted, too: it is not taken in twice
                os.ftruncate(self._file, 0)
                self.size = 0

    def close(self) -> None:
        if not self.uncommitted and not self.kept:
            with suppress(OSError):
                self.path.unlink()
        os.close(self._file)


class Notes:
    """This process's notes: in a file beside its lock and, while that is long, in a second one. For any thread.

    There is one more for each group whose commit failed.

    Args:
        lock: the path of the process's lock, whose name those of the files begin with.
    """

    def __init__(self, lock: Path) -> None:
        self._path = lock
        self._sheets: list[_Sheet] = []
        self._sheet_of: dict[int, _Sheet] = {}
        self._made = 0
        self._is_closed = False
        self._mutex = threading.Lock()

    def note(self, answered: Answered) -> None:
        """Notes a reply that is about to be committed. One without a ticket was not paid for and is not noted.

        What cannot be noted, because the disk is full, say, is committed as if there were no notes.
        """
        ticket = answered.ticket
        if ticket is None:
            return
        note = Note(ticket.id, answered.call.key, answered.cost, answered.sent_at, time.time(), answered.text)
        with self._mutex:
            if not self._is_closed:
                with suppress(OSError):
                    sheet = self._sheet()
                    sheet.write(note.line())
                    self._sheet_of[ticket.id] = sheet

    def _sheet(self) -> _Sheet:
        """Where the next note goes: the file that the last went into, while that is short, or else the other one."""
        in_use = [sheet for sheet in self._sheets if not sheet.kept]
        if in_use and in_use[-1].size <= SHEET_BYTES:
            return in_use[-1]
        if len(in_use) < 2:
            self._made += 1
            try:
                self._sheets.append(_Sheet(self._path.with_name(f"{self._path.name}-{self._made}")))
            except OSError:
                if not in_use:
                    raise
                return in_use[0]
            return self._sheets[-1]
        if not in_use[0].uncommitted:
            self._sheets.remove(in_use[0])
            self._sheets.append(in_use[0])
            return in_use[0]
        return in_use[-1]

    def committed(self, changes: Sequence[Change]) -> None:
        """These changes are in the ledger; notes of them are needed no more."""
        with self._mutex:
            for sheet in self._sheets_of(changes):
                sheet.committed()

    def failed(self, changes: Sequence[Change]) -> None:
        """These changes could not be written: notes of them are kept for whoever opens the ledger next."""
        with self._mutex:
            for sheet in self._sheets_of(changes):
                sheet.kept = True

    def _sheets_of(self, changes: Sequence[Change]) -> Iterator[_Sheet]:
        for change in changes:
            if isinstance(change, Answered) and change.ticket is not None:
                sheet = self._sheet_of.pop(change.ticket.id, None)
                if sheet is not None:
                    yield sheet

    def close(self) -> None:
        """Closes the files. Those with notes that were not committed stay, for whoever opens the ledger next."""
        with self._mutex:
            self._is_closed = True
            for sheet in self._sheets:
                sheet.close()
            self._sheets.clear()
