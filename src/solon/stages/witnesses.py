"""Who watches the label stage beside its tally."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pydantic import JsonValue

from solon.data.records import Candidates, Judgment
from solon.labelers.base import Account


class Witness(Protocol):
    """Watches a stage: is shown each prompt with all judgments on it, and says in the end what it saw.

    Its memory must not grow with the number of judgments.
    """

    def add(self, candidates: Candidates, judgments: Sequence[Judgment]) -> None:
        """Takes notice of one prompt."""
        ...

    def summary(self) -> dict[str, JsonValue]:
        """What ``run.json`` and the report hold of it; shares and statistics with their n."""
        ...


class Accountant:
    """A labeler's own account as a witness."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def add(self, candidates: Candidates, judgments: Sequence[Judgment]) -> None:
        """Hands on the judgments."""
        del candidates
        self._account.add(judgments)

    def summary(self) -> dict[str, JsonValue]:
        """The account's."""
        return self._account.summary()
