"""How many calls of one provider may be under way: found by asking, slowed by the server, shared by all its models.

The first call goes alone, so that a wrong key is noticed once and not sixty-four times; then all slots open. Each time
the server says "too many" the slots are halved and everybody pauses; successes widen them again a little
(additive increase, multiplicative decrease: Chiu and Jain 1989). Where the user knows what the account is allowed in a
minute, two buckets fill at that rate and every request takes its share before it goes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol

from solon.models.base import Limits
from solon.stream.bucket import Bucket
from solon.stream.clock import Clock
from solon.stream.findings import Findings, Found

ALONE_S = 10.0
"""How long the first call goes alone: a refused key comes back quicker than this, even where a provider's library has
to be imported for it (2 to 5 seconds); a long reply may take longer."""

WIDER = 0.25
"""Slots gained in a round of successes. A whole slot a round meets the limit so often that a sixth of the requests is
refused, against a tenth (40 requests a second, 50 ms each)."""

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 60.0


class Line(Protocol):
    """The requests of one model that wait for a slot, first come, first served."""

    def tokens(self) -> float | None:
        """Tokens that the next of them will take, about; ``None`` when none may go now."""
        ...

    def go(self) -> None:
        """Sends the next of them: a slot is taken for it."""
        ...


class Limiter:
    """The slots of one provider. Its models take turns at them.

    Args:
        name: of the provider, for people.
        clock: the time.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._lines: deque[Line] = deque()
        self._most = 0
        self._allowed = 0.0
        self._alone = True
        self._busy = 0
        self._requests: Bucket | None = None
        self._tokens: Bucket | None = None
        self._timers: set[asyncio.Task[None]] = set()
        self._wakes_at = float("inf")
        self._paused_until = float("-inf")
        self._narrowed_at = float("-inf")
        self._refusals = 0
        self._findings = Findings()

    def join(self, line: Line, most: int, limits: Limits) -> None:
        """Another model of this provider.

        Args:
            line: its requests.
            most: its own concurrency. The provider has as many slots as all its models together, as long as it does
                not say that this is too many.
            limits: what its account is allowed. Of several models' limits the lowest counts: the account is the same.
        """
        self._lines.append(line)
        self._most += most
        self._allowed += most
        now = self._clock.now()
        self._requests = _lower(self._requests, limits.requests_per_minute, now)
        self._tokens = _lower(self._tokens, limits.tokens_per_minute, now)

    @property
    def slots(self) -> int:
        """How many calls may be under way now."""
        return 1 if self._alone else max(1, int(self._allowed))

    @property
    def counts_tokens(self) -> bool:
        """Whether it matters how many tokens a request takes."""
        return self._tokens is not None

    def admit(self) -> None:
        """Lets all go for whom there is room now. To be called whenever a line has grown."""
        slots = self.slots
        while self._busy < slots:
            line, tokens = self._next()
            if line is None:
                return
            now = self._clock.now()
            opens = self._opens(tokens, now)
            if opens > now:
                self._lines.rotate(1)  # it keeps its turn
                self._wake(opens)
                return
            self._take(tokens, now)
            line.go()

    def left(self) -> None:
        """A call has ended, however it did: its slot is free."""
        self._findings.busy(-1, self._clock.now())
        self._busy -= 1
        self._alone = False
        self.admit()

    def succeeded(self) -> None:
        """The server answered: one more slot after four times as many successes as there are slots."""
        self._findings.answered(self._clock.now())
        self._refusals = 0
        if self._allowed < self._most:
            self._allowed = min(self._most, self._allowed + WIDER / self._allowed)

    def counted(self, expected: float, tokens: float) -> None:
        """A request was expected to take so many tokens and took so many."""
        if self._tokens is not None:
            self._tokens.give_back(expected - tokens, self._clock.now())

    def throttled(self, sent_at: float, retry_after: float | None) -> bool:
        """The server said "too many" to a call sent at ``sent_at``; whether that narrowed the slots.

        Calls that were under way when the slots were last narrowed tell nothing new, so they only lengthen the pause
        when the server names one.
        """
        now = self._clock.now()
        self._findings.refused(now)
        news = sent_at > self._narrowed_at
        if news:
            self._refusals += 1
            self._narrowed_at = now
            self._allowed = max(1.0, min(self._allowed, max(self._busy, 1)) / 2)
        if news or retry_after is not None:
            own = FIRST_PAUSE_S * 2 ** min(self._refusals - 1, 16) if retry_after is None else retry_after
            self._pause(now + min(own, LONGEST_PAUSE_S))
        return news

    def found(self) -> Found:
        """What was learned of the provider so far."""
        return self._findings.found(self._name, self._most)

    def close(self) -> None:
        """Lets the timers go."""
        for timer in self._timers:
            timer.cancel()

    def _next(self) -> tuple[Line | None, float]:
        """Whose turn it is, and the tokens that its next request takes."""
        for _ in range(len(self._lines)):
            line = self._lines[0]
            self._lines.rotate(-1)
            tokens = line.tokens()
            if tokens is not None:
                return line, tokens
        return None, 0.0

    def _opens(self, tokens: float, now: float) -> float:
        """When a request of so many tokens may go."""
        if now < self._paused_until:
            return self._paused_until
        wait = 0.0 if self._requests is None else self._requests.wait(1, now)
        return now + (wait if self._tokens is None else max(wait, self._tokens.wait(tokens, now)))

    def _take(self, tokens: float, now: float) -> None:
        if self._requests is not None:
            self._requests.take(1, now)
        if self._tokens is not None:
            self._tokens.take(tokens, now)
        self._findings.busy(1, now)
        self._busy += 1
        if self._alone:
            self._wake(now + ALONE_S, self._open)

    def _open(self) -> None:
        self._alone = False

    def _pause(self, until: float) -> None:
        if until > self._paused_until:
            self._paused_until = until
            self._wake(until)

    def _wake(self, at: float, first: Callable[[], None] | None = None) -> None:
        """Admits again at that time, unless it is going to do so earlier: then it will see for itself."""
        if first is None and self._wakes_at <= at:
            return
        if first is None:
            self._wakes_at = at

        async def wait() -> None:
            await self._clock.sleep(at - self._clock.now())
            if first is None:
                self._wakes_at = float("inf")
            else:
                first()
            self.admit()

        timer = asyncio.get_running_loop().create_task(wait())
        self._timers.add(timer)
        timer.add_done_callback(self._timers.discard)


def _lower(bucket: Bucket | None, per_minute: int | None, now: float) -> Bucket | None:
    """The tighter of two limits; ``None`` where there is none."""
    if per_minute is None or (bucket is not None and bucket.per_minute <= per_minute):
        return bucket
    return Bucket(per_minute, now)
