"""Notices that a model is down, so that a stage stops instead of failing its rows one by one."""

from __future__ import annotations

from collections import deque

WINDOW = 50
SHARE = 0.9
FIRST = 20


class Circuit:
    """Open once the first ``FIRST`` finished calls, or ``SHARE`` of the last ``WINDOW``, all ended unavailable."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self.failed = 0
        self.finished = 0
        self.open = False

    def count(self, *, unavailable: bool) -> None:
        """Counts a call that has ended: answered, or unavailable after all its retries."""
        self._last.append(unavailable)
        self.finished += 1
        self.failed += unavailable
        none_yet = self.finished >= FIRST and self.failed == self.finished
        full = len(self._last) == WINDOW
        self.open = self.open or none_yet or (full and sum(self._last) >= SHARE * WINDOW)
