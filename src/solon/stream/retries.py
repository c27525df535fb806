"""How often and how patiently a call is tried again. The only place in solon where anything is retried."""

from __future__ import annotations

from random import Random

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from solon.errors import ModelUnavailable
from solon.plugins.base import Settings

TIMED_OUT_TRIES = 2
"""How often a request is sent at most that a well model lets run out of time: each time may be on the bill, and holds
up the end of the stage by a whole time-out."""


class Retries(Settings):
    """Exponential backoff with jitter that is seeded by the call, so that a run is the same twice.

    Attributes:
        tries: how often a call is sent at most, not counting those times when the server only asked for fewer requests.
        first_wait_s: before the second try; each further wait is ``factor`` times as long, up to ``longest_wait_s``.
        quick_wait_s: the longest wait while the model is well (most calls are answered): then it is this request that
            it does not like, and waiting would only hold up the end of the stage.
        jitter: each wait is multiplied by a number drawn evenly from 1 - jitter to 1 + jitter.
        patience_s: how long a call may take in all, with every wait, before it counts as unavailable: a call that is
            only ever throttled ends here and nowhere else.
        seed: of the jitter.
    """

    tries: PositiveInt = 6
    first_wait_s: NonNegativeFloat = 0.5
    factor: float = Field(default=2.0, ge=1)
    longest_wait_s: NonNegativeFloat = 30.0
    quick_wait_s: NonNegativeFloat = 0.05
    jitter: float = Field(default=0.5, ge=0, lt=1)
    patience_s: PositiveFloat = 3600.0
    seed: int = 0

    def wait(self, key: str, failures: int, retry_after: float | None = None, *, well: bool = False) -> float:
        """Seconds to wait after so many failures (1 or more) of the call ``key``; at least what the server asks.

        ``well`` says that the model answers most of its calls.
        """
        longest = min(self.longest_wait_s, self.quick_wait_s) if well else self.longest_wait_s
        wait = min(longest, self.first_wait_s * self.factor ** min(failures - 1, 64))
        drawn = wait * Random(f"{self.seed}:{key}:{failures}").uniform(1 - self.jitter, 1 + self.jitter)
        return max(drawn, retry_after or 0.0)


class Attempts:
    """The tries of one call, from its first at ``now``. ``failures`` counts those that were used up."""

    __slots__ = ("_deadline", "_key", "_retries", "_timed_out", "failures")

    def __init__(self, retries: Retries, key: str, now: float) -> None:
        self._retries = retries
        self._key = key
        self._deadline = now + retries.patience_s
        self._timed_out = 0
        self.failures = 0

    def wait(self, error: ModelUnavailable, now: float, *, well: bool) -> float | None:
        """Seconds until it may be tried again after this error; ``None`` when it has been tried enough.

        A call that was throttled used up no try and waits for nothing here: the limiter makes it wait, together with
        all others.

        Args:
            error: of the last try.
            now: seconds.
            well: whether the model answers most of its calls.
        """
        if error.throttled:
            return None if now + (error.retry_after or 0.0) > self._deadline else 0.0
        self.failures += 1
        self._timed_out += error.timed_out
        if error.timed_out and well and self._timed_out >= TIMED_OUT_TRIES:
            return None
        wait = self._retries.wait(self._key, self.failures, error.retry_after, well=well)
        return None if self.failures >= self._retries.tries or now + wait > self._deadline else wait
