"""The ledger itself: a SQLite file in WAL mode with synchronous=FULL, shared by any number of processes on one machine.

Its methods are plain calls; who asks many at once hands many changes to one ``apply``, which is one transaction and one
fsync (``solon.stream`` does). See docs/design/ledger.md for why it is made like this.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from solon.errors import StorageError
from solon.ledger import reading
from solon.ledger.log import beside
from solon.ledger.notes import Notes
from solon.ledger.owners import Owners, owners_of
from solon.ledger.rows import Answered, Batch, Call, Change, Doubt, Entry, Outcome, Ticket, Total
from solon.ledger.schema import connect, inspect, is_damage, make_private, prepare, salvage_command, storage
from solon.ledger.seal import is_emptied, is_log_alone, is_sealed, seal, unseal
from solon.ledger.writing import Writer
from solon.models.base import Reply

_SAFE = "Every reply recorded before is safe, and is not asked for again"


class Ledger:
    """What was paid for: every model reply, keyed by the content of its request. Open one with ``Ledger.open``."""

    def __init__(self, path: Path, writer: sqlite3.Connection, reader: sqlite3.Connection, owners: Owners) -> None:
        self.path = path
        self._writing, self._reading, self._owners = writer, reader, owners
        self._writer = Writer(writer, owners)
        self._notes = Notes(owners.folder / owners.me)
        self._lock = threading.Lock()
        self._sound = True

    @classmethod
    def open(cls, path: str | Path) -> Ledger:
        """Opens the ledger at ``path``, or makes one: missing folders with mode 0700, the file with 0600.

        Raises:
            StorageError: it is damaged, no ledger, of a newer solon, locked, or not writable. It is then left as it is.
        """
        path = Path(path)
        if path.is_dir():
            raise StorageError(f"ledger {path} is a folder: name a file, such as {path / 'ledger.sqlite'}")
        with storage(path, "Nothing was changed"):
            if is_log_alone(path):
                raise StorageError(
                    f"ledger {path} is {'empty' if path.exists() else 'gone'}, and what it held last stands in the log "
                    f"beside it: put the file back, or salvage the log (`{salvage_command(path)}`), or delete "
                    f"{beside(path, '-wal')} to begin a new one"
                )
            if is_emptied(path):
                raise StorageError(
                    f"ledger {path} is empty, and was not when it was closed: restore it from a backup, or delete it "
                    "to begin a new one"
                )
            if not path.exists():
                unseal(path)
            make_private(path)
            inspect(path, sealed=is_sealed(path))
            writer = connect(path)
            try:
                prepare(writer, path)
                reader = connect(path)
                ledger = cls(path, writer, reader, Owners(owners_of(path)))
            except BaseException:
                writer.close()
                raise
        try:
            ledger._take_in_notes()
        except BaseException:
            ledger.close()
            raise
        return ledger

    def close(self) -> None:
        """Closes the file. Calls of this process that are still under way are in doubt from now on."""
        with self._lock, self._storage(_SAFE):
            self._reading.close()
            self._writing.close()
            self._notes.close()
            self._owners.leave()
            if self._sound:
                seal(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def get(self, key: str) -> Reply | None:
        """The reply to the call of that key, or ``None``."""
        try:
            return reading.find(self._reading, key)
        except (sqlite3.Error, OSError):
            with self._storage(_SAFE):  # entered only now: a million replies are looked up this way
                raise

    def entries(self, *, run: str | None = None, stage: str | None = None) -> Iterator[Entry]:
        """Every reply, in the order in which they were recorded; if asked, those first paid by one run or stage."""
        with self._storage(_SAFE):
            yield from reading.entries(self._reading, run, stage)

    def in_doubt(self, *, run: str | None = None) -> list[Doubt]:
        """The calls that were sent and of which nobody knows how they ended, oldest first.

        What processes have noted that were killed is taken in before, for which the ledger has to be free to write to.
        """
        self._take_in_notes()
        with self._storage(_SAFE):
            return reading.in_doubt(self._reading, self._owners, run)

    def summary(self, *, run: str | None = None) -> list[Total]:
        """What each model was paid, by the model's name, in alphabetical order. As ``in_doubt``."""
        doubts = self.in_doubt(run=run)
        with self._storage(_SAFE):
            return reading.totals(self._reading, doubts, run)

    def open_call(self, ticket: Ticket) -> Call | None:
        """The call that was sent with this ticket, as long as it has neither a reply nor an error."""
        with self._storage(_SAFE):
            return reading.open_call(self._reading, ticket.id)

    def batches(self, *, run: str | None = None) -> list[Batch]:
        """Every batch that was handed to a provider, oldest first."""
        with self._storage(_SAFE):
            return reading.batches(self._reading, self._owners, run)

    def knows(self, description: str) -> bool:
        """Whether the ledger has ever heard of the model with this description; else it holds none of its replies."""
        with self._storage(_SAFE):
            return reading.knows(self._reading, description)

    def has_replies(self, description: str) -> bool:
        """Whether the ledger holds any reply of the model with this description."""
        with self._storage(_SAFE):
            return reading.has_replies(self._reading, description)

    def apply(self, changes: Sequence[Change]) -> list[Outcome]:
        """Writes all changes in one transaction that is on disk when this returns; one outcome a change, in order.

        May be called from any thread. A ``Sent`` gets a ``Ticket``, ``Known``, ``Elsewhere`` or ``NoRoom``; an
        ``Answered`` gets ``Known`` with the reply that counts, an earlier one if there was one; a ``Gathered`` gets
        ``Decided``; a ``TakenOver`` gets ``Resumed``, or ``None`` when another process was first or the batch has
        ended; the others ``None``.

        Raises:
            StorageError: nothing of it was written.
        """
        with self._lock, self._storage(f"{_SAFE}; the last {len(changes)} could not be recorded"):
            try:
                outcomes = self._writer.apply(changes)
            except BaseException:
                self._notes.failed(changes)
                raise
            self._notes.committed(changes)
        return outcomes

    def note(self, answered: Answered) -> None:
        """Notes a reply that is about to be handed to ``apply``, so that it outlives this process if that is killed.

        Takes some microseconds. A power cut may take the note. May be called from any thread.
        """
        self._notes.note(answered)

    def _take_in_notes(self) -> None:
        """Writes what was noted by processes that are gone.

        What cannot be written now, because the disk is full, say, stays noted: whoever sends such a call takes it in
        before, or is told why that cannot be done.
        """
        try:
            with self._lock, self._storage(_SAFE):
                self._writer.take_in_notes()
        except StorageError as error:
            if is_damage(error.__cause__):
                raise

    @contextmanager
    def _storage(self, safe: str) -> Iterator[None]:
        """``storage``, and what it finds damaged is checked by whoever opens it next."""
        try:
            with storage(self.path, safe):
                yield
        except StorageError as error:
            if is_damage(error.__cause__):
                self._sound = False
                unseal(self.path)
            raise
