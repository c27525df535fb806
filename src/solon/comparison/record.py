"""What a comparison says: one record, which the table, the page and the words are written from."""

from __future__ import annotations

from typing import Any

from pydantic import Field, FiniteFloat, NonNegativeFloat, NonNegativeInt

from solon.data.records import Metric, Noun
from solon.trainers.used import Used

UNTRAINED = "untrained"
"""What the policy is called that every entry began with."""


class Spent(Noun):
    """What one entry took, its data and its training; evaluation is the same for all and left out.

    Attributes:
        used: time and memory of its trainings, added up; of memory the most.
        models: what a training has in memory beside each other, in words.
        trainable, parameters: of the policy, as trained; ``None`` where they were not counted.
        rows: how many rows of a dataset, or prompts, its last training learned from.
        learned: what each of its trainings learned from, in words.
        tokens: sampled for it, before and while it trained; ``None`` where a trainer does not say.
        judged: verdicts and rewards that it learned from.
        usd: what samples and labels cost where nothing is in the ledger yet, and what it has itself paid for rewards.
    """

    used: Used
    models: tuple[str, ...] = ()
    trainable: NonNegativeInt | None = None
    parameters: NonNegativeInt | None = None
    rows: NonNegativeInt = 0
    learned: str = ""
    tokens: NonNegativeInt | None = None
    judged: NonNegativeInt = 0
    usd: NonNegativeFloat = 0.0


class Side(Noun):
    """One of those that are compared.

    Attributes:
        name: the entry's.
        trainers: kinds, in the order in which they train.
        run_dir: of the run that was evaluated, relative to that of the comparison.
        settings: of each trainer.
        spent: what it took; ``None`` where it did not get to its end.
        alarms: names of those that were raised, and how often.
        failed: why it did not get to its end; empty where it did.
        steps: what its last training logged.
    """

    name: str
    trainers: tuple[str, ...]
    run_dir: str
    settings: tuple[dict[str, Any], ...] = ()
    spent: Spent | None = None
    alarms: dict[str, NonNegativeInt] = Field(default_factory=dict)
    failed: str = ""
    steps: tuple[dict[str, float], ...] = ()


class Tested(Noun):
    """A difference of two on the same items.

    Attributes:
        metric: the name of what was measured.
        one, other: who; the difference is the first's number less the other's.
        difference: with its 95 % interval; ``p_value`` of the paired test, before any correction.
        adjusted: the p-value after Holm's correction for all tests of its family; ``None`` where there was no test.
        way: 1 where ``one`` is the better, -1 where it is the worse, 0 where neither is better by itself.
    """

    metric: str
    one: str
    other: str
    difference: Metric
    adjusted: FiniteFloat | None = None
    way: int = 0

    @property
    def counts(self) -> bool:
        """Whether it is more than chance, however many tests were made."""
        return self.adjusted is not None and self.adjusted < 0.05

    def turned(self) -> Tested:
        """So that whoever is better comes first; or whoever has more, where neither is better by itself."""
        if (self.way or self.difference.value) >= 0:
            return self
        found = self.difference
        less = {"value": -found.value, "low": -found.high, "high": -found.low}
        return self.model_copy(
            update={
                "one": self.other,
                "other": self.one,
                "way": -self.way,
                "difference": found.model_copy(update=less),
            }
        )


class Standing(Noun):
    """Where one stands when all answer the same prompts and a judge compares each two.

    Attributes:
        name: who.
        beats_untrained: P(its answer is preferred to the untrained policy's), fitted to all comparisons.
        points: against each of the others, the share of prompts on which its answer was preferred; ties count half.
    """

    name: str
    beats_untrained: Metric
    points: dict[str, Metric]


class Comparison(Noun):
    """All of it.

    Attributes:
        name, seed: of the recipe.
        sides: the entries, in the order of the recipe.
        metrics: by the entry's name, what its evaluation measured.
        against_untrained, between: the tests of each entry against the untrained policy, and of each two entries.
        standings: one for each metric of judges that compare; the untrained policy first.
        same_data: whether all that learned from a dataset of one kind learned from the very same rows.
        warnings: what a reader must know.
    """

    name: str
    seed: int
    solon: str
    recipe: str = ""
    sides: tuple[Side, ...]
    metrics: dict[str, tuple[Metric, ...]] = Field(default_factory=dict)
    against_untrained: tuple[Tested, ...] = ()
    between: tuple[Tested, ...] = ()
    standings: dict[str, tuple[Standing, ...]] = Field(default_factory=dict)
    same_data: bool = True
    warnings: tuple[str, ...] = ()

    @property
    def finished(self) -> tuple[Side, ...]:
        """Those that got to their end."""
        return tuple(side for side in self.sides if not side.failed)
