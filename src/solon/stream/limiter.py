"""How many calls of one model may be under way: found by asking, slowed by the server, shared by all callers.

The first call goes alone, so that a wrong key is noticed once and not sixty-four times; then all slots open. Each time
the server says "too many" the slots are halved and everybody pauses; successes widen them again a little
(additive increase, multiplicative decrease: Chiu and Jain 1989).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from solon.stream.clock import Clock

ALONE_S = 1.0
"""How long the first call goes alone: a refused key comes back quicker than this, a long reply may take longer."""

WIDER = 0.25
"""Slots gained in a round of successes. A whole slot a round meets the limit so often that a sixth of the requests is
refused, against a tenth (40 requests a second, 50 ms each)."""

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0


class Limiter:
    """Slots for calls under way, given out first come, first served."""

    def __init__(self, most: int, clock: Clock) -> None:
        self._most = most
        self._clock = clock
        self._allowed = float(most)
        self._alone = True
        self._busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timers: set[asyncio.Task[None]] = set()
        self._paused_until = float("-inf")
        self._narrowed_at = float("-inf")
        self._refusals = 0

    @property
    def slots(self) -> int:
        """How many calls may be under way now."""
        return 1 if self._alone else max(1, int(self._allowed))

    async def acquire(self) -> None:
        """Waits for a slot and takes it."""
        if not self._waiting and self._is_free():
            self._take()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Gives a slot back."""
        self._busy -= 1
        self._alone = False
        self._admit()

    def succeeded(self) -> None:
        """The server answered: one more slot after four times as many successes as there are slots."""
        self._refusals = 0
        if self._allowed < self._most:
            self._allowed = min(self._most, self._allowed + WIDER / self._allowed)
            self._admit()

    def throttled(self, sent_at: float, retry_after: float | None) -> bool:
        """The server said "too many" to a call sent at ``sent_at``; whether that narrowed the slots.

        Calls that were under way when the slots were last narrowed tell nothing new, so they only lengthen the pause
        when the server names one.
        """
        now = self._clock.now()
        news = sent_at > self._narrowed_at
        if news:
            self._refusals += 1
            self._narrowed_at = now
            self._allowed = max(1.0, min(self._allowed, max(self._busy, 1)) / 2)
        if news or retry_after is not None:
            own = FIRST_PAUSE_S * 2 ** min(self._refusals - 1, 16) if retry_after is None else retry_after
            self._pause(now + min(own, LONGEST_PAUSE_S))
        return news

    def close(self) -> None:
        """Lets the timers go."""
        for timer in self._timers:
            timer.cancel()

    def _is_free(self) -> bool:
        return self._busy < self.slots and self._clock.now() >= self._paused_until

    def _take(self) -> None:
        self._busy += 1
        if self._alone:
            self._after(ALONE_S, self._open)

    def _admit(self) -> None:
        while self._waiting and self._is_free():
            turn = self._waiting.popleft()
            if not turn.done():
                self._take()
                turn.set_result(None)

    def _open(self) -> None:
        self._alone = False
        self._admit()

    def _pause(self, until: float) -> None:
        if until > self._paused_until:
            self._paused_until = until
            self._after(until - self._clock.now(), self._admit)

    def _after(self, seconds: float, deed: Callable[[], None]) -> None:
        async def wait() -> None:
            await self._clock.sleep(seconds)
            deed()

        timer = asyncio.get_running_loop().create_task(wait())
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)
