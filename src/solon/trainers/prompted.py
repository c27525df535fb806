"""What trainers share that answer prompts themselves and have the answers judged while they train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from solon.data.records import Record, Task
from solon.labelers.base import Labeler
from solon.plugins.base import Plugin
from solon.trainers.gradient import GradientTrainer


@dataclass(frozen=True)
class Asked:
    """What a training asks one labeler for, as ``solon plan`` counts it.

    Attributes:
        part: what for, in a word or two.
        key: where the labeler stands below ``train``.
        labeler: who is asked.
        completions: how many of a prompt it is shown at once, as one ``Candidates``.
        prompts: how many prompts in all, repeated ones counted.
    """

    part: str
    key: str
    labeler: Labeler
    completions: int
    prompts: float


class PromptTrainer(GradientTrainer):
    """Base of trainers that write completions to prompts."""

    consumes: ClassVar[type[Record]] = Task

    def completions_of(self, prompts: int) -> tuple[int, int]:
        """How many completions a prompt gets at once, and how many prompts are taken in all, repeated ones counted.

        It is what ``solon plan`` counts by; the default takes each prompt once an epoch.
        """
        return 1, prompts * self.epochs

    def asked(self, prompts: int, held_out: int) -> Iterator[Asked]:
        """Whom it asks for how much.

        Args:
            prompts: how many there are, those held out among them.
            held_out: how many of them are held out.
        """
        raise NotImplementedError(f"trainer {self.kind!r} does not implement asked()")

    @property
    def needs_held_out(self) -> str:
        """The setting that asks for held-out prompts; empty where it goes without."""
        return ""

    def problems(self) -> list[str]:
        """Packages that are not installed, and the problems of its labelers."""
        return [*super().problems(), *Plugin.problems(self)]
