"""How much answers differ from each other, before and after: a model that says the same everywhere has collapsed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar

from pydantic import Field

from solon.data.records import Completion, Metric, digest
from solon.evaluation.base import Evidence, OfAnswers, Pair
from solon.evaluation.itemised import itemised_means
from solon.evaluation.paired import Unit, named, pairs_of
from solon.statistics.diversity import compression, distinct, entropy, identical, self_bleu

_MEASURES: dict[str, tuple[Callable[[Sequence[str]], float | None], Unit]] = {
    **{f"distinct_{n}": (partial(distinct, n=n), "share") for n in (1, 2, 3)},
    "self_bleu": (self_bleu, "share"),
    "compression": (compression, "score"),
    "word_entropy": (entropy, "nats"),
    "repeated_answers": (identical, "share"),
}

_BOUNDS: dict[Unit, tuple[float, float]] = {"share": (0.0, 1.0), "nats": (0.0, math.inf), "score": (0.0, math.inf)}


class Diversity(OfAnswers):
    """Measures of groups of answers to different prompts; the mean over groups.

    Every measure of diversity depends on how many answers it is taken of. So answers are put into groups of one size,
    by the hash of their prompt, the same groups before and after: the numbers of runs with more or fewer prompts can be
    compared, and a group is one item of ``n``. Prompts that fill no last group are left out, unless there is no other.

    Attributes:
        group_size: answers in a group.
    """

    kind: ClassVar[str] = "diversity"

    group_size: int = Field(default=20, ge=2, le=1000)

    async def evaluate(self, evidence: Evidence) -> list[Metric]:
        """``distinct_1`` to ``_3``, ``self_bleu``, ``compression``, ``word_entropy`` (nats) and ``repeated_answers``.

        Raises:
            MissingExtra: sacrebleu or scipy is not installed.
        """
        groups = self._groups(pairs_of(evidence, self.decoding, "diversity"))
        texts = [(_texts([pair.before for pair in own]), _texts([pair.after for pair in own])) for own in groups]
        items = [f"group {digest([pair.prompt.id for pair in own])}" for own in groups]
        note = f"groups of {len(groups[0])} answers"
        metrics = []
        for name, (measure, unit) in _MEASURES.items():
            values = [(measure(before), measure(after)) for before, after in texts]
            # answers of two words have no three in a row: nothing failed, there is nothing to measure
            told = {item: both for item, both in zip(items, values, strict=True) if None not in both}
            without = len(values) - len(told)
            said = f"{note}; {without} without any" if without else note
            metrics += itemised_means(
                evidence,
                named(name, self.decoding),
                list(told),
                list(told.values()),
                unit,
                said,
                within=_BOUNDS[unit],
            )
        return metrics

    def _groups(self, pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
        shuffled = sorted(pairs, key=lambda pair: digest([pair.prompt.id]))
        full = len(shuffled) // self.group_size
        return [shuffled[number * self.group_size :][: self.group_size] for number in range(full)] or [shuffled]


def _texts(completions: Sequence[Completion]) -> list[str]:
    return [completion.text for completion in completions]
