"""Time as the scheduler sees it, so that a test can let hours pass in no time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits. ``solon.testing.VirtualClock`` is one whose hours pass at once."""

    def now(self) -> float:
        """Seconds since some moment; never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits; 0 or less lets other tasks run once."""
        ...


class SystemClock:
    """The machine's own clock. Changes of the wall clock do not reach it."""

    def now(self) -> float:
        """Seconds since the machine was started, about."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Waits in the running event loop."""
        await asyncio.sleep(seconds)
