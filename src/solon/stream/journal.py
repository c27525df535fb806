"""Group commit: changes that arrive within a few milliseconds of each other share one transaction and one fsync."""

from __future__ import annotations

import asyncio

from solon.errors import StorageError
from solon.ledger import Ledger
from solon.ledger.rows import Change, Dropped, Outcome, Sent, Ticket

LINGER_S = 0.01
"""How long the first change of a group waits for others. Requests wait here outside of their slot: none stands idle."""


class Journal:
    """Hands the ledger groups of changes, one group at a time, off the event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._group: list[tuple[Change, asyncio.Future[Outcome]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._failure: StorageError | None = None

    def write(self, change: Change) -> asyncio.Future[Outcome]:
        """The ledger's outcome, once the change is on disk. Need not be awaited: ``settle`` waits for all."""
        written: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._group.append((change, written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())
        return written

    async def send(self, sent: Sent) -> Outcome:
        """Journals that a request goes out. When the caller is cancelled meanwhile, its ticket is given back."""
        written = self.write(sent)
        try:
            return await written
        except asyncio.CancelledError:
            if written.done() and not written.cancelled():
                self._give_back(written.result())
            raise

    async def settle(self) -> None:
        """Returns when everything is on disk.

        Raises:
            StorageError: some of it could not be written.
        """
        while self._writing is not None and not self._writing.done():
            await asyncio.shield(self._writing)
        if self._failure is not None:
            raise self._failure

    async def _write(self) -> None:
        while self._group:
            await asyncio.sleep(LINGER_S)
            group, self._group = self._group, []
            try:
                outcomes = await asyncio.to_thread(self._ledger.apply, [change for change, _ in group])
            except StorageError as error:
                self._failure = error
                for _, written in group:
                    if not written.done():
                        written.set_exception(error)
                        written.exception()  # nobody may be waiting for it; ``settle`` tells
                continue
            for (_, written), outcome in zip(group, outcomes, strict=True):
                if written.done():
                    self._give_back(outcome)
                else:
                    written.set_result(outcome)

    def _give_back(self, outcome: Outcome) -> None:
        if isinstance(outcome, Ticket):
            self.write(Dropped(outcome))
