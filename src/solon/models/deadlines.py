"""Breaks off what takes too long, with one timer for all that is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Deadlines:
    """Gives each of many deeds the same time.

    A timer for each would take a tenth of what a request to a fast server takes. They all have the same time, so that
    whoever began first is due first.

    Args:
        seconds: how long each may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._due: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None

    async def within(self, deed: Awaitable[T]) -> T:
        """What the deed returns, if it is done in time. Of one task, one at a time.

        Raises:
            TimeoutError: it was not, and has been cancelled.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        before = task.cancelling()
        self._due[task] = due = loop.time() + self._seconds
        if self._timer is None:
            self._timer = loop.call_at(due, self._look)
        try:
            return await deed
        except asyncio.CancelledError:
            # somebody else may have cancelled the task as well
            if task in self._late and task.uncancel() <= before:
                raise TimeoutError from None
            raise
        finally:
            del self._due[task]
            self._late.discard(task)

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        for task, due in self._due.items():
            if due > loop.time():
                self._timer = loop.call_at(due, self._look)
                return
            if task not in self._late:
                self._late.add(task)
                task.cancel()
