"""What is told to a tracker goes through a thread of its own: one that is slow or gone holds up no training."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

from solon.tracking.about import without_passwords
from solon.tracking.logbook import Logbook

Deed = Callable[[Logbook], None]
_AGAIN_AFTER = 30.0  # seconds after a failure before it is tried again


class Sender:
    """Hands deeds to a tracker, in their order. What fails is kept and tried again, and said once.

    Args:
        title: of the tracker, for what is said.
        open_it: opens it; may fail, and is then tried again.
        say: takes the line that says so.
        clock: seconds that only rise.
    """

    def __init__(
        self,
        title: str,
        open_it: Callable[[], Logbook],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._title, self._open, self._say, self._clock = title, open_it, say, clock
        self._asked: SimpleQueue[Deed | None] = SimpleQueue()
        self._waiting: deque[Deed] = deque()
        self._logbook: Logbook | None = None
        self._failed_at: float | None = None
        self._has_failed = self._stage_failed = False
        self._thread = threading.Thread(target=self._work, name=f"solon-{title}", daemon=True)
        self._thread.start()

    def put(self, deed: Deed) -> None:
        """Hands one over; returns at once."""
        self._asked.put(deed)

    def close(self, patience: float, *, failed: bool) -> None:
        """Waits until all is there, ``patience`` seconds at most, and says what is not.

        Args:
            patience: in seconds.
            failed: whether the stage did not get to its end, which the tracker is told.
        """
        from solon.report.wording import counted  # what shows reports is not needed to read a recipe

        self._stage_failed = failed
        self._asked.put(None)
        self._thread.join(patience)
        if self._thread.is_alive():
            self._say(
                f"{self._title} has not taken everything after {patience:.0f} s, and is not waited for any longer; "
                "metrics.jsonl has it all"
            )
        elif self._waiting:
            self._say(f"{counted(len(self._waiting), 'line')} did not get to {self._title}; metrics.jsonl has it all")

    def _work(self) -> None:
        is_open = True
        while is_open:
            is_open = self._take(self._asked.get())
            while is_open:
                try:
                    is_open = self._take(self._asked.get_nowait())
                except Empty:
                    break
            if is_open and self._failed_at is not None and self._clock() - self._failed_at < _AGAIN_AFTER:
                continue
            if not self._hand_over(closing=not is_open) and not is_open:
                self._hand_over(closing=True)  # what failed for the first time just now gets another chance

    def _take(self, deed: Deed | None) -> bool:
        if deed is None:
            return False
        self._waiting.append(deed)
        return True

    def _hand_over(self, *, closing: bool) -> bool:
        """Whether all that waited is there now."""
        try:
            if self._logbook is None and self._waiting:
                self._logbook = self._open()
                if self._logbook.where:
                    self._say(f"{self._title}: {without_passwords(self._logbook.where)}")
            while self._waiting:
                assert self._logbook is not None
                self._waiting[0](self._logbook)
                self._waiting.popleft()
            self._failed_at = None
            if closing and self._logbook is not None:
                self._logbook.close(failed=self._stage_failed)
            return True
        except BaseException as error:  # noqa: BLE001 - the boundary: whatever a library raises stops no training
            self._failed_at = self._clock()
            if not self._has_failed:
                self._has_failed = True
                said = without_passwords(" ".join(str(error).split())) or type(error).__name__
                again = "" if closing else "; it is tried again"
                self._say(
                    f"{self._title} takes no numbers: {said[:300]}. The training goes on, and metrics.jsonl has them "
                    f"all{again}"
                )
            return False
