"""Replies that have come and are in no transaction yet: noted, so that a killed process does not take them with it.

A reply waits some milliseconds for the group that it is committed with. Whoever kills the process in between would have
the call asked, and paid, once more. A note is one ``write`` of some hundred bytes into the process's lock file, before
the slot of the call is free: the operating system keeps what was written, however the process ends. Only the commit
waits for the disk, so a power cut may still take a note; its call is then in doubt.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

from solon.ledger.owners import LockFile, Owners
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


def notes_in(content: bytes) -> Iterator[Note]:
    """Those that are whole: of one that a disk took only half of, or lost, nothing is believed."""
    for line in content.split(b"\n"):
        sum_, _, written = line.partition(b" ")
        if sum_ == b"%08x" % crc32(written) and written.count(b" ") >= _PARTS - 1:
            ticket, key, cost, sent_at, replied_at, text = written.decode("ascii").split(" ", _PARTS - 1)
            yield Note(int(ticket), key, int(cost), float(sent_at), float(replied_at), text)


@dataclass
class _Sheet:
    """A file of notes.

    Attributes:
        size: its bytes.
        open: how many of its notes are not committed.
    """

    lock: LockFile
    size: int = 0
    open: int = 0

    def write(self, line: bytes) -> None:
        self.size += os.write(self.lock.file, line)
        self.open += 1

    def committed(self) -> None:
        self.open -= 1
        if not self.open:
            with suppress(OSError):  # what is committed may be noted, too: it is not taken in twice
                os.ftruncate(self.lock.file, 0)
                self.size = 0


class Notes:
    """This process's notes, in its lock file and, when that is long, in a second one. For any thread."""

    def __init__(self, owners: Owners) -> None:
        self._folder = owners.folder
        self._sheets = [_Sheet(owners.lock)]
        self._sheet_of: dict[int, _Sheet] = {}
        self._lock = threading.Lock()

    def note(self, answered: Answered) -> None:
        """Notes a reply that is about to be committed. One without a ticket was not paid for and is not noted.

        What cannot be noted, because the disk is full, is not: the commit, which comes next, says so.
        """
        call, _, text, cost, sent_at, ticket = answered
        if ticket is None:
            return
        line = Note(ticket.id, call.key, cost, sent_at, time.time(), text).line()
        with self._lock:
            try:
                sheet = self._sheet()
                sheet.write(line)
            except OSError:
                return
            self._sheet_of[ticket.id] = sheet

    def _sheet(self) -> _Sheet:
        """Where the next note goes: where the file is long, into the other one, once that has been emptied."""
        sheet = self._sheets[-1]
        if sheet.size > SHEET_BYTES:
            if len(self._sheets) == 1:
                self._sheets.append(_Sheet(LockFile(self._folder)))
            elif not self._sheets[0].open:
                self._sheets.reverse()
        return self._sheets[-1]

    def committed(self, changes: Sequence[Change]) -> None:
        """These changes are in the ledger; notes of them are needed no more."""
        with self._lock:
            for change in changes:
                if isinstance(change, Answered) and change.ticket is not None:
                    sheet = self._sheet_of.pop(change.ticket.id, None)
                    if sheet is not None:
                        sheet.committed()

    def close(self) -> None:
        """Lets the files go. Those with notes that were not committed stay, for whoever opens the ledger next."""
        with self._lock:
            for sheet in self._sheets:
                sheet.lock.release()
