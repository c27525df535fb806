"""What a check of a verifier is: a score in [0, 1] for a response, or ``Failed`` where that cannot be said."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from solon.data.records import Failed
from solon.plugins.base import Settings
from solon.sandbox.worker import Job, Program, Result

Run: TypeAlias = Callable[[Job], Awaitable[Result]]
"""Runs a job in a sandbox."""


@dataclass(frozen=True)
class Verdict:
    """What a check says of a response.

    Attributes:
        score: in [0, 1].
        says: where it is not 1, why, in a few words.
    """

    score: float
    says: str = ""


class CheckKind(Settings):
    """Base of the kinds of checks."""

    program: ClassVar[Program | None] = None

    async def score(self, text: str, reference: str | None, run: Run) -> Verdict | Failed:
        """What it says of a response.

        Raises:
            PatternTimeout, SandboxFailed, PluginError: it could not be applied.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement score()")


def short(text: str) -> str:
    """A text in a rationale: on one line, in quotes, cut where it is long."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 60 else f"{flat[:57]}...")
