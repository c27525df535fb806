"""Group commit: changes that arrive within a few milliseconds of each other share one transaction and one fsync."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from solon.errors import StorageError
from solon.ledger import Ledger
from solon.ledger.rows import Answered, Change, Outcome

LINGER_S = 0.01
"""The shortest time from one group to the next. A change that comes after a quiet while waits for nobody. Requests wait
here outside of their slot: none stands idle."""

LINGER_S_A_CHANGE = 0.0005
LONGEST_LINGER_S = 0.04
"""Longer, the more changes the last group had: what a group costs by itself is then shared by more of them."""

Told: TypeAlias = Callable[[Outcome | StorageError], None]


class Journal:
    """Hands the ledger groups of changes, one group at a time, off the event loop."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changes: list[Change] = []
        self._told: list[Told] = []
        self._writing: asyncio.Task[None] | None = None
        self._wrote_at = float("-inf")
        self._linger = LINGER_S
        self._waiting: asyncio.Future[None] | None = None
        self._is_urgent = False
        self._has_begun = asyncio.Event()
        self._failure: StorageError | None = None

    def tell(self, change: Change, told: Told) -> None:
        """Writes the change. ``told`` hears the ledger's outcome once it is on disk, or why it is not."""
        self._changes.append(change)
        self._told.append(told)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write())

    def note(self, answered: Answered) -> None:
        """Notes a paid reply in the moment in which it comes; ``tell`` has it committed some milliseconds later."""
        self._ledger.note(answered)

    def hurry(self) -> None:
        """Nobody is about to bring more: what is there goes now, or as soon as the group at work is written."""
        self._is_urgent = bool(self._changes)
        self._go()

    def _go(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def write(self, change: Change) -> asyncio.Future[Outcome]:
        """As ``tell``, to be awaited or not: ``settle`` waits for all."""
        written: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def told(outcome: Outcome | StorageError) -> None:
            if written.done():
                return
            if isinstance(outcome, StorageError):
                written.set_exception(outcome)
                written.exception()  # nobody may be waiting for it; ``settle`` tells
            else:
                written.set_result(outcome)

        self.tell(change, told)
        return written

    async def begun(self) -> None:
        """Returns when the first group is written, or there is none yet."""
        if self._writing is not None:
            await self._has_begun.wait()

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
        loop = asyncio.get_running_loop()
        now = loop.time
        while self._changes:
            if not self._is_urgent:
                self._waiting = loop.create_future()
                timer = loop.call_at(self._wrote_at + self._linger, self._go)
                await self._waiting
                timer.cancel()
            # those who are about to write in this turn of the loop come along
            await asyncio.sleep(0)
            self._is_urgent = False
            changes, self._changes = self._changes, []
            told, self._told = self._told, []
            self._wrote_at = now()
            self._linger = min(LINGER_S + LINGER_S_A_CHANGE * len(changes), LONGEST_LINGER_S)
            try:
                outcomes = await asyncio.to_thread(self._ledger.apply, changes)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
                self._failure = _named(error)
                for tell in told:
                    tell(self._failure)
            else:
                for tell, outcome in zip(told, outcomes, strict=True):
                    tell(outcome)
            self._has_begun.set()


def _named(error: Exception) -> StorageError:
    if isinstance(error, StorageError):
        return error
    named = StorageError(f"the ledger could not record the last replies ({type(error).__name__}: {error})")
    named.__cause__ = error
    return named
