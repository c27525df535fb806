"""Rates one completion at a time on the constitution's scale, by asking a chat model."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from solon.data.records import Candidates, Constitution, Judgment, Question, Scored
from solon.labelers.prompt import rating_messages
from solon.labelers.verdict_judge import Offer, Said, VerdictJudge


class RatingJudge(VerdictJudge):
    """Asks a judge for a score of each completion, under each principle, on the constitution's scale.

    The score that is recorded is (score - low) / (high - low), in [0, 1]. Where the judge gives log-probabilities, and
    every number of the scale is a single digit, it is the expected value over the probabilities of all scores (G-Eval,
    Liu et al. 2023, arXiv:2303.16634, "Scoring Function"): finer than whole numbers, with far fewer ties. On any other
    scale the judge's text counts, since models differ in whether ``10`` is one token. The judge sees no other
    completion and no reference answer (single answer grading; Zheng et al. 2023, arXiv:2306.05685, section 3.1).
    """

    kind: ClassVar[str] = "rating"

    def questions(self, candidates: Candidates, constitution: Constitution) -> Iterable[Question]:
        """One question a completion and group of principles, on the constitution's scale."""
        for group in self.groups(candidates.prompt, constitution):
            for completion in candidates.completions:
                yield Question(
                    prompt=candidates.prompt, principles=group, options=(completion,), scale=constitution.rating
                )

    def expected_questions(self, completions: int, principles: int) -> int:
        """One a completion and group of principles."""
        return completions * self.expected_groups(principles)

    async def label(self, question: Question) -> Judgment:
        """Asks one question. The score of the outcome is in [0, 1], 0 for the low end of the question's scale.

        Raises:
            ValueError: the question has more than one option.
            ModelRejected, ModelDown: the judge is not there; the stage stops.
        """
        if len(question.options) != 1:
            raise ValueError(f"a question for a rating has 1 option, and this one has {len(question.options)}")
        low, high = question.scale.low, question.scale.high

        def scored(said: Said) -> Scored:
            expected = math.fsum(int(score) * share for score, share in said.shares.items())
            # rounding may carry the end of the scale a hair beyond itself
            share = min(1.0, max(0.0, (expected - low) / (high - low)))
            return Scored(scores=(share,), probability=said.probability)

        messages = rating_messages(question, form=self.form)
        return await self.judged(question, messages, _offer(low, high), scored)


@lru_cache
def _offer(low: int, high: int) -> Offer:
    """The whole numbers of a scale."""
    return Offer(tuple(str(score) for score in range(low, high + 1)), key="score", number=True)
