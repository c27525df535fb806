"""A clock whose hours pass at once, so that a test of waiting waits for nothing."""

from __future__ import annotations

import asyncio
import heapq

_TURNS = 200
"""Turns of the event loop without which nobody is taken to be asleep: others may still be about to lie down."""


class VirtualClock:
    """Time that stands still while anything is done and jumps to the next sleeper when nothing is. Starts at 0."""

    def __init__(self) -> None:
        self._now = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0
        self._waker: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Returns when ``seconds`` of this clock have passed; those who sleep longer are woken later."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, woken))
        if self._waker is None or self._waker.done():
            self._waker = loop.create_task(self._wake())
        await woken

    async def _wake(self) -> None:
        while self._sleepers:
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            due, _, woken = heapq.heappop(self._sleepers)
            if not woken.done():
                self._now = max(self._now, due)
                woken.set_result(None)
