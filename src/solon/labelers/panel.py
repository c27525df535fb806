"""Several labelers vote on each question."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from typing import ClassVar, Literal, Self, assert_never

from pydantic import Field, PositiveInt, model_validator

from solon.data.records import Candidates, Constitution, Failed, Judgment, Question, Scored
from solon.errors import MissingExtra, SolonError
from solon.labelers.base import Account, Label, Labeler, Revise
from solon.labelers.boundary import answered
from solon.labelers.panel_account import PanelAccount
from solon.labelers.votes import (
    VOTING_OPTIONS,
    Side,
    as_share,
    by_majority,
    by_mean,
    cast_by,
    check_all_judge,
    compared,
    no_verdict,
    scales_differ,
    scored,
    share,
    side,
    told_apart,
)
from solon.models.base import ChatModel
from solon.plugins.registry import AnyLabeler
from solon.statistics.dawid_skene import Reliability, reliability


class Panel(Labeler):
    """Asks several labelers every question, and lets them vote.

    Judges of different families have different biases, and a panel of small ones can agree better with people than one
    large judge does, at a fraction of its cost (Verga et al. 2024, arXiv:2404.18796).

    Attributes:
        members: the labelers, at least two, each of which rates one response or each of which compares two. The first
            decides which questions are asked.
        vote: ``majority``: the side that most members are on, and of ratings the median. ``mean``: the mean of their
            probabilities or ratings. ``weighted``: each vote counts as much as its member proves reliable: accuracies
            are estimated from how the members agree over the whole stage (Dawid & Skene 1979; needs three members and
            the ``panel`` extra). Until all is asked, and for a live reward, where it never is, it is the majority's.
        min_votes: members that must give a verdict for the panel to have one; more than half of them when left out. A
            member that failed casts no vote.
    """

    kind: ClassVar[str] = "panel"

    members: tuple[AnyLabeler, ...] = Field(min_length=2)
    vote: Literal["majority", "mean", "weighted"] = "majority"
    min_votes: PositiveInt | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_all_judge(self.members)
        try:
            options = [member.options for member in self.members]
        except SolonError:  # a member that reads a file: its own problems() says what is wrong with it
            options = []
        different = [f"{member.kind} shows {shown}" for member, shown in zip(self.members, options, strict=False)]
        if len(set(options)) > 1:
            raise ValueError(f"members must show the same number of responses, and {', '.join(different)}")
        if options and options[0] not in VOTING_OPTIONS:
            raise ValueError(f"members rate one response or compare two, and {different[0]} (0: as many as there are)")
        if self.vote == "weighted" and len(self.members) < 3:
            raise ValueError("vote: weighted needs at least 3 members: of two, agreement cannot tell which one errs")
        if self.min_votes is not None and self.min_votes > len(self.members):
            raise ValueError(f"min_votes is {self.min_votes}, and there are {len(self.members)} members")
        return self

    @property
    def options(self) -> int:
        """As its members."""
        return self.members[0].options

    def models(self) -> tuple[ChatModel, ...]:
        """Those of its members, in their order."""
        return tuple(model for member in self.members for model in member.models())

    def problems(self) -> list[str]:
        """Those of its members, and packages that are not installed."""
        found = super().problems()
        if self.vote == "weighted" and find_spec("crowdkit") is None:
            found.append(str(MissingExtra("vote: weighted", "panel")))
        return found

    async def label(self, question: Question) -> Judgment:
        """Asks every member. The votes of the judgment are theirs, in their order, failures among them.

        Raises:
            PluginError: a member gave what is no vote.
            ModelRejected, ModelDown: a member's judge is not there; the stage stops.
        """
        given = await asyncio.gather(*(answered(member, question) for member in self.members))
        votes = tuple(map(cast_by, told_apart([member.name for member in self.members]), given))
        return question.judged(self._outcome(votes), labeler=self.name, votes=votes)

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """The first member's examination, each of its questions answered by the whole panel."""
        return await self.members[0].examine(candidates, constitution, label=label or self.label)

    def account(self) -> Account:
        """How far the members agree, under each principle, and which of them differs most from the others."""
        return PanelAccount(self.members, weighted=self.vote == "weighted")

    def conclude(self, judgments: Callable[[], Iterator[Judgment]]) -> Revise | None:
        """Lets the members revise their votes, makes logits shares beside shares, and weighs what is to be weighed.

        Of one question where every vote is a logit, because who gives shares has failed, only the stage as a whole
        tells that it is a share elsewhere. It holds how often each combination of votes came, and no judgments.

        Raises:
            MissingExtra: crowd-kit is not installed.
        """
        revisions = [member.conclude(_votes_of(place, judgments)) for place, member in enumerate(self.members)]

        def voted(judgment: Judgment) -> tuple[Judgment, ...]:
            pairs = zip(judgment.votes, revisions, strict=True)
            return tuple(vote if revise is None else revise(vote) for vote, revise in pairs)

        weights, mixed = None, False
        if self.vote == "weighted":
            weights = reliability(Counter(sides(voted(judgment)) for judgment in judgments() if judgment.votes))
        elif self.options == 1:
            mixed = scales_differ((voted(judgment) for judgment in judgments() if judgment.votes), len(self.members))
        if self.vote != "weighted" and not mixed and not any(revisions):
            return None

        def revised(judgment: Judgment) -> Judgment:
            if not judgment.votes:
                return judgment
            votes = voted(judgment)
            outcome = self._outcome(votes, weights, in_shares=mixed)
            return judgment.model_copy(update={"votes": votes, "outcome": outcome})

        return revised

    def expected_questions(self, completions: int, principles: int) -> int:
        """Those of the first member; each is put to every member."""
        return self.members[0].expected_questions(completions, principles)

    @property
    def longest_reply(self) -> int:
        """The longest of any member."""
        return max(member.longest_reply for member in self.members)

    def _outcome(
        self, votes: Sequence[Judgment], weights: Reliability | None = None, *, in_shares: bool = False
    ) -> Scored | Failed:
        given = [verdict for vote in votes if (verdict := scored(vote)) is not None]
        if len(given) < (self.min_votes or len(self.members) // 2 + 1):
            return no_verdict(votes)
        if in_shares:
            given = list(map(as_share, given))
        match self.vote:
            case "mean":
                return by_mean(given)
            case "weighted" if weights is not None:
                return _weighed(weights, votes)
            case "majority" | "weighted":
                return by_majority(given)
            case _:
                assert_never(self.vote)


def sides(votes: Sequence[Judgment]) -> tuple[Side | None, ...]:
    """The side that each vote is on; ``None`` for one that failed."""
    return tuple(None if (verdict := scored(vote)) is None else side(share(verdict)) for vote in votes)


def _weighed(weights: Reliability, votes: Sequence[Judgment]) -> Scored:
    """The probability that the truth is above, and half of that it is even, given the votes."""
    posterior = weights.posterior(sides(votes))
    above = min(1.0, posterior.get("above", 0.0) + posterior.get("even", 0.0) / 2)
    likeliest = max(posterior.values())
    if len(votes[0].options) == 2:
        return compared(above, likeliest)
    return Scored(scores=(above,), probability=likeliest)


def _votes_of(place: int, judgments: Callable[[], Iterator[Judgment]]) -> Callable[[], Iterator[Judgment]]:
    return lambda: (judgment.votes[place] for judgment in judgments() if judgment.votes)
