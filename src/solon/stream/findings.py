"""What a stream learns of a provider while it asks: how many calls at once it bears, and how many a second."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """What was learned of one provider.

    Attributes:
        provider: its name, for people.
        most: how many calls at once its models are set to.
        answered: how many replies it gave.
        throttled: how often it asked for fewer.
        in_flight: calls under way on average, from the first time that it asked for fewer to the last reply;
            ``None`` when it never did: then the limit is somewhere above ``most``.
        per_second: replies a second in the same time, or in all of it.
    """

    provider: str
    most: int
    answered: int
    throttled: int
    in_flight: float | None
    per_second: float

    def __str__(self) -> str:
        if self.in_flight is None:
            return f"{self.provider}: no limit met with up to {self.most:,} in flight, {self._rate} replies a second"
        slots = max(1, round(self.in_flight))
        return f"{self.provider}: settled at {slots:,} in flight, {self._rate} replies a second"

    @property
    def _rate(self) -> str:
        return f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.2g}"


class Findings:
    """Counts what ``Found`` says, in constant memory."""

    def __init__(self) -> None:
        self._busy = 0
        self._slot_seconds = 0.0
        self._at = 0.0
        self._began: float | None = None
        self._answers = 0
        self._answers_before = 0
        self._refusals = 0
        self._last = 0.0
        self._slot_seconds_at_last = 0.0

    def busy(self, change: int, now: float) -> None:
        """One call more is under way, or one less."""
        if self._began is None:
            self._began = self._at = now
        self._count(now)
        self._busy += change

    def answered(self, now: float) -> None:
        """A reply came."""
        self._count(now)
        self._answers += 1
        self._last, self._slot_seconds_at_last = now, self._slot_seconds

    def refused(self, now: float) -> None:
        """The provider asked for fewer. The first time, the count begins anew."""
        self._refusals += 1
        if self._refusals == 1:
            self._began = self._at = self._last = now
            self._answers_before, self._slot_seconds, self._slot_seconds_at_last = self._answers, 0.0, 0.0

    def found(self, provider: str, most: int) -> Found:
        """What was learned so far."""
        seconds = 0.0 if self._began is None else self._last - self._began
        in_flight = self._slot_seconds_at_last / seconds if seconds > 0 else 1.0
        rate = (self._answers - self._answers_before) / seconds if seconds > 0 else 0.0
        return Found(provider, most, self._answers, self._refusals, in_flight if self._refusals else None, rate)

    def _count(self, now: float) -> None:
        self._slot_seconds += self._busy * (now - self._at)
        self._at = now
