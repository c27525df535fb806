"""A limit of so many a minute, as a bucket that fills evenly and holds what comes in a second."""

from __future__ import annotations

_ROUNDING = 1e-9


class Bucket:
    """What may be taken now.

    It holds a second's worth and no more: providers that allow 600 a minute count by the second or so, and refuse the
    600 that come at once.

    Args:
        per_minute: how fast it fills.
        now: when it is full, in seconds.
    """

    __slots__ = ("_at", "_level", "_rate", "_size", "per_minute")

    def __init__(self, per_minute: int, now: float) -> None:
        self.per_minute = per_minute
        self._rate = per_minute / 60
        self._size = self._level = max(1.0, self._rate)
        self._at = now

    def wait(self, amount: float, now: float) -> float:
        """Seconds until so much can be taken; of more than it holds, until it is full: the rest is a debt then."""
        missing = min(amount, self._size) - self._fill(now)
        return missing / self._rate if missing > _ROUNDING * self._size else 0.0

    def take(self, amount: float, now: float) -> None:
        """Takes it, even if there is less."""
        self._level = self._fill(now) - amount

    def give_back(self, amount: float, now: float) -> None:
        """What was taken too much; negative for what was taken too little."""
        self._level = min(self._size, self._fill(now) + amount)

    def _fill(self, now: float) -> float:
        self._level = min(self._size, self._level + self._rate * (now - self._at))
        self._at = now
        return self._level
