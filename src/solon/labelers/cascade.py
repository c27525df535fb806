"""A cheap labeler first, an expensive one only where the cheap one is not to be relied on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from solon.data.records import Candidates, Constitution, Judgment, Question, Scored
from solon.errors import SolonError
from solon.labelers.base import Account, Label, Labeler, Revise
from solon.labelers.boundary import answered
from solon.labelers.cascade_account import CascadeAccount
from solon.labelers.votes import (
    VOTING_OPTIONS,
    as_share,
    cast_by,
    check_all_judge,
    scales_differ,
    scored,
    share,
    side,
    told_apart,
)
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler

Doubt = Literal["failed", "inconsistent", "unsure"]
_OTHER_SIDE = {"above": "below", "below": "above", "even": "even"}


class Cascade(Labeler):
    """Asks a cheap labeler, and an expensive one where the cheap one failed, contradicts itself, or is unsure.

    Cheap models answer many questions as well as expensive ones (the LLM cascade of FrugalGPT, Chen et al. 2023,
    arXiv:2305.05176). Where FrugalGPT trains a scorer to tell which, this goes by what the cheap labeler says itself:
    its probability, and whether it says the same in both orders. So both orders of a comparison go the same way: a
    doubt about one escalates both.

    Attributes:
        first: the cheap labeler, which also decides which questions are asked.
        then: the expensive one, which shows as many responses. Where it is asked, its verdict counts, even if it fails.
        sure: least probability, as the cheap labeler states it, at which its verdict is relied on; of a comparison, in
            either order. A labeler that states none is relied on unless it fails or contradicts itself.
        threshold: of ratings, the score around which ``band`` lies.
        band: ratings no further than this from ``threshold`` are unsure; 0 trusts them all. Not for comparisons.
    """

    kind: ClassVar[str] = "cascade"

    first: AnyLabeler
    then: AnyLabeler
    sure: float = Field(default=0.9, ge=0, le=1)
    threshold: float = Field(default=0.5, ge=0, le=1)
    band: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_all_judge((self.first, self.then))
        try:
            shown = (self.first.options, self.then.options)
        except SolonError:  # a labeler that reads a file: its own problems() says what is wrong with it
            return self
        if shown[0] != shown[1]:
            raise ValueError(
                f"both labelers must show the same number of responses: first shows {shown[0]}, then shows {shown[1]}"
            )
        if shown[0] not in VOTING_OPTIONS:
            raise ValueError(f"a cascade's labelers rate one response or compare two, and these show {shown[0]}")
        if shown[0] == 2 and self.band > 0:
            raise ValueError("band is for labelers that rate one response, and these compare two: take it out")
        return self

    @property
    def options(self) -> int:
        """As its labelers."""
        return self.first.options

    def models(self) -> tuple[ChatModel, ...]:
        """Those of the first, then those of the other."""
        return (*self.first.models(), *self.then.models())

    async def label(self, question: Question) -> Judgment:
        """Asks the cheap labeler, a comparison in both orders, and the expensive one if there is a doubt.

        The other order is a question of its own, whose judgment carries its cost; the stream asks a model once for
        what is asked twice. The votes of the judgment are the cheap verdict and, if it was asked for, the other.

        Raises:
            PluginError: a labeler gave what is no verdict.
            ModelRejected, ModelDown: a judge is not there; the stage stops.
        """
        cheap, *other = await asyncio.gather(*(answered(self.first, order) for order in _orders(question)))
        names = told_apart((self.first.name, self.then.name))
        doubt, cheap = self.doubt(cheap, *other), cast_by(names[0], cheap)
        if doubt is None:
            return question.judged(cheap.outcome, labeler=self.name, rationale=cheap.rationale, votes=(cheap,))
        expensive = cast_by(names[1], await answered(self.then, question))
        scored(expensive)  # what is no verdict must not become one
        return question.judged(
            expensive.outcome, labeler=self.name, rationale=expensive.rationale, votes=(cheap, expensive)
        )

    def doubt(self, *cheap: Judgment) -> Doubt | None:
        """Why the cheap verdict is not relied on, if it is not.

        Args:
            cheap: the judgment of a rating, or those of both orders of a comparison.
        """
        verdicts = [scored(judgment) for judgment in cheap]
        given = [verdict for verdict in verdicts if verdict is not None]
        if len(given) < len(verdicts):
            return "failed"
        sides = [side(share(verdict)) for verdict in given]
        if len(sides) == 2 and sides[1] != _OTHER_SIDE[sides[0]]:
            return "inconsistent"
        if any(verdict.probability is not None and verdict.probability < self.sure for verdict in given):
            return "unsure"
        if self.band > 0 and abs(share(given[0]) - self.threshold) <= self.band:
            return "unsure"
        return None

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """The cheap labeler's examination, each of its questions answered by the cascade."""
        return await self.first.examine(candidates, constitution, label=label or self.label)

    def account(self) -> Account:
        """The share that was escalated, why, and what it saved."""
        return CascadeAccount(self.first, self.then, self.doubt)

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise | None:
        """Lets both labelers revise their verdicts; where one gives logits and one shares, all become shares.

        Which questions were escalated stays as it was.
        """
        revisions = (self.first.conclude(_votes(judgments, 0)), self.then.conclude(_votes(judgments, 1)))

        def voted(judgment: Judgment) -> tuple[Judgment, ...]:
            pairs = zip(judgment.votes, revisions, strict=False)  # the cheap verdict may be the only one
            return tuple(vote if revise is None else revise(vote) for vote, revise in pairs)

        mixed = self.options == 1 and scales_differ(map(voted, judgments()), 2)
        if not mixed and not any(revisions):
            return None

        def revised(judgment: Judgment) -> Judgment:
            votes = voted(judgment)
            if not votes:
                return judgment
            outcome = votes[-1].outcome
            if mixed and isinstance(outcome, Scored):
                outcome = as_share(outcome)
            return judgment.model_copy(update={"votes": votes, "outcome": outcome})

        return revised

    def expected_questions(self, completions: int, principles: int) -> int:
        """Those of the cheap labeler; each may go to the other one too."""
        return self.first.expected_questions(completions, principles)

    @property
    def longest_reply(self) -> int:
        """The longer of the two."""
        return max(self.first.longest_reply, self.then.longest_reply)


def _orders(question: Question) -> tuple[Question, ...]:
    return (question, question.reversed()) if len(question.options) == 2 else (question,)


def _votes(judgments: Callable[[], Iterator[Judgment]], place: int) -> Callable[[], Iterator[Judgment]]:
    return lambda: (judgment.votes[place] for judgment in judgments() if len(judgment.votes) > place)
