"""Notices that a model is lost, so that a stage stops instead of failing its rows one by one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from solon.errors import ModelDown, ModelError, ModelRejected, PromptTooLong

WINDOW = 50
SHARE = 0.9
FIRST = 20
WELL = 0.8
KNOWN_SHARE, KNOWN_MOST = 0.1, 100
"""How many calls have to end unavailable before a model is taken to be down of which the ledger holds replies: as many
as this share of those, and never more than so many; ``FIRST`` that did not even reach it. What a rerun asks for may be
nothing but what is never answered."""


class Circuit:
    """The health of one model.

    It is down once the first ``FIRST`` finished calls all ended unavailable, or ``SHARE`` of the last ``WINDOW`` did
    while as few of the last calls were answered at their first try: a few requests that it never answers end late, and
    so may be all of those that ended last. Where the ledger holds replies of it, it takes more. It is lost as well once
    it refused a request for good (key, quota, model name), as it would every other.

    Args:
        name: of the model, for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last: deque[bool] = deque(maxlen=WINDOW)
        self._bad = 0
        self._failed = 0
        self._finished = 0
        self._open = False
        self._said = ""
        self._rejected: ModelRejected | None = None
        self._known = 0
        self._unreached = 0
        self._tries: deque[bool] = deque(maxlen=WINDOW)
        self._answered = 0

    def knew(self) -> None:
        """Counts a call that the ledger answered: the model was there once."""
        self._known += 1

    def tried(self, *, answered: bool) -> None:
        """Counts the first try of a call. Of a few requests that it never answers it is well all the same, however
        often they are tried; when it is down, every call fails at its first try.
        """
        if len(self._tries) == WINDOW:
            self._answered -= self._tries[0]
        self._tries.append(answered)
        self._answered += answered

    def tried_together(self, *, answered: int, failed: int) -> None:
        """Counts the first tries of a batch, by their shares: nobody knows which of them came first."""
        counted = min(WINDOW, answered + failed)
        bad = round(counted * failed / (answered + failed)) if counted else 0
        for number in range(counted):
            self.tried(answered=number >= bad)

    @property
    def well(self) -> bool:
        """Whether ``WELL`` of the last calls were answered at once, and there were some."""
        return len(self._tries) >= FIRST and self._answered >= WELL * len(self._tries)

    def count(self, *, unavailable: bool, reached: bool = True, said: str = "") -> None:
        """Counts a call that has ended: answered, or unavailable after all its retries.

        Args:
            unavailable: whether it was.
            reached: whether there was a connection, without which it was not this request that the model did not like.
            said: why it was unavailable.
        """
        self._said = said or self._said
        if len(self._last) == WINDOW:
            self._bad -= self._last[0]
        self._last.append(unavailable)
        self._bad += unavailable
        self._finished += 1
        self._failed += unavailable
        self._unreached += not reached
        if self._bad < FIRST:  # as nearly always
            return
        none_yet = self._failed == self._finished
        few_end_well = len(self._last) == WINDOW and self._bad >= SHARE * WINDOW
        few_answered = self._answered <= (1 - SHARE) * len(self._tries) + 1e-9  # rounding
        enough = self._unreached >= FIRST or self._failed >= min(KNOWN_SHARE * self._known, KNOWN_MOST)
        self._open = self._open or (enough and (none_yet or (few_end_well and few_answered)))

    def notice(self, error: ModelError) -> None:
        """Remembers an error that every other request would meet too."""
        if isinstance(error, ModelRejected) and not isinstance(error, PromptTooLong):
            self._rejected = self._rejected or error

    @contextmanager
    def noticing(self) -> Iterator[None]:
        """Notices what the block raises."""
        try:
            yield
        except ModelError as error:
            self.notice(error)
            raise

    def lost(self) -> ModelError | None:
        """Why any further call of this model is pointless; ``None`` when it is not."""
        if self._rejected is not None:
            again = ModelRejected(str(self._rejected))
            again.__cause__ = self._rejected
            return again
        if self._open:
            return ModelDown(
                f"{self._name} is down: {self._failed} of {self._finished} calls failed after all their retries (all "
                f"of them, or {SHARE:.0%} of the last {WINDOW}).{self._last_words} Everything so far is kept; "
                "run the same command again when it answers"
            )
        return None

    @property
    def _last_words(self) -> str:
        stop = "" if self._said.endswith((".", "?")) else "."
        return f" The last: {self._said}{stop}" if self._said else ""

    def check(self) -> None:
        """Raises what makes any further call of this model pointless.

        Raises:
            ModelDown: most recent calls failed.
            ModelRejected: an earlier call was refused for good.
        """
        error = self.lost()
        if error is not None:
            raise error
