"""Ranks all completions of a prompt by asking a chat model, about all of them at once or about two at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal, assert_never

from pydantic import Field, PositiveInt

from solon.data.records import Candidates, Completion, Constitution, Failed, Judgment, Question, Scored
from solon.labelers.base import Account, Label
from solon.labelers.pairwise import compare_two
from solon.labelers.prompt import Ties
from solon.labelers.ranking_fit import RankingAccount, fitted, mean_tau
from solon.labelers.ranking_orders import questions_of, shuffled_orders, windows
from solon.labelers.ranking_text import (
    LETTERS,
    Places,
    ranking_messages,
    ranking_of_json,
    ranking_of_line,
    ranking_schema,
    shares_of,
)
from solon.labelers.tournament import merge_sorted, most_comparisons
from solon.labelers.verdict_judge import VerdictJudge
from solon.labelers.verdict_text import reasoning
from solon.models.base import Reply, Request


class RankingJudge(VerdictJudge):
    """Asks a judge to rank the completions, several times over, and fits strengths to all that it said.

    Each reply is a vote. The recorded score of a completion is the share of the others that it is expected to beat
    under the Bradley-Terry model (``solon.statistics.bradley_terry``), in (0, 1). Fewer than half of the votes readable
    is no ranking. Completions with the same text are one; where only two are left they are compared in both orders, as
    ``pairwise`` does. Shuffling the list and joining the answers takes out much of a judge's leaning towards positions
    (Tang et al. 2023, arXiv:2310.07712). A ranking of three or more is read from text, never from log-probabilities;
    ``min_choice_mass`` is of comparisons of two.

    Attributes:
        method: ``listwise`` shows all completions at once, in several orders; ``tournament`` sorts them by comparisons
            of two in both orders, at most n log2 n of them (merge sort).
        orders: of ``listwise``: in how many shuffled orders they are shown; of three completions there are 6 only.
        most: of ``listwise``: how many are shown at once; more are shown by windows of so many that overlap by half.
        ties: ``forced`` makes the judge put each completion at a place of its own; ``allowed`` lets some share one.
    """

    kind: ClassVar[str] = "ranking"

    method: Literal["listwise", "tournament"] = "listwise"
    orders: PositiveInt = 4
    most: int = Field(default=8, ge=3, le=len(LETTERS))
    ties: Ties = "forced"

    @property
    def options(self) -> int:
        """0: as many as the prompt has."""
        return 0

    @property
    def longest_reply(self) -> int:
        """``max_tokens``; when left out, 1024 with reasoning, and else room for every letter of a ranking."""
        if self.max_tokens is not None or self.reasoning or self.method == "tournament":
            return super().longest_reply
        return super().longest_reply + 8 * self.most

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """One ranking a group of principles; of two completions, a comparison in each order."""
        distinct: dict[str, Completion] = {}
        for completion in candidates.completions:
            distinct.setdefault(completion.text, completion)
        options = tuple(distinct.values())
        if len(options) < 2:
            return ()
        questions = []
        for group in self.groups(candidates.prompt, constitution):
            question = Question(prompt=candidates.prompt, principles=group, options=options, scale=constitution.rating)
            questions += [question, question.reversed()] if len(options) == 2 else [question]
        return tuple(await asyncio.gather(*((label or self.label)(question) for question in questions)))

    async def label(self, question: Question) -> Judgment:
        """Ranks the options of one question; ``votes`` of the judgment are the replies. Two are compared in this order.

        Raises:
            ValueError: the question has fewer than two options.
            ModelRejected, ModelDown: the judge is not there; the stage stops.
        """
        if len(question.options) < 2:
            raise ValueError(
                f"a question for a ranking has 2 options or more, and this one has {len(question.options)}"
            )
        if len(question.options) == 2:
            return await compare_two(self, question, self.ties)
        match self.method:
            case "listwise":
                votes = await self._listwise(question)
            case "tournament":
                votes = await self._tournament(question)
            case _:
                assert_never(self.method)
        outcome = fitted([option.id for option in question.options], votes)
        return question.judged(outcome, labeler=self.name, rationale=_rationale(outcome, votes), votes=votes)

    def account(self) -> Account:
        """How far the orders agree, and whether the judge favours what it is shown first."""
        return RankingAccount()

    def expected_questions(self, completions: int, principles: int) -> int:
        """Requests, at most: orders times windows, or both orders of every comparison; duplicates make them fewer."""
        if completions < 2:
            return 0
        match self.method:
            case "listwise":
                each = questions_of(completions, self.orders, self.most) if completions > 2 else 0
            case "tournament":
                each = 2 * most_comparisons(completions)
            case _:
                assert_never(self.method)
        # two that remain of more are compared in both orders
        return self.expected_groups(principles) * max(2, each)

    async def _listwise(self, question: Question) -> tuple[Judgment, ...]:
        n = len(question.options)
        rng = Random(f"{self.seed}:{question.prompt.id}:orders")
        shown = [
            tuple(question.options[order[place]] for place in window)
            for order in shuffled_orders(n, self.orders, rng, turns=n <= self.most)
            for window in windows(n, self.most)
        ]
        in_each = (question.model_copy(update={"options": options}) for options in shown)
        return tuple(await asyncio.gather(*map(self._ranked, in_each)))

    async def _ranked(self, question: Question) -> Judgment:
        """The judge's ranking of the options in the order in which they stand."""
        n, as_json = len(question.options), self.answer == "json"

        def read(reply: Reply) -> tuple[Places, str | None] | Failed:
            if reply.stop == "length":
                # even if it stops at a whole ranking: nobody knows how the line would have gone on
                return Failed(reason="truncated", raw=reply.text)
            if as_json:
                found = ranking_of_json(reply.text, n, self.ties, with_reasoning=self.reasoning)
            else:
                places = ranking_of_line(reply.text, n, self.ties)
                found = None if places is None else (places, reasoning(reply.text))
            return Failed(reason="unparseable", raw=reply.text) if found is None else found

        answer = await self.asked(
            Request(
                messages=ranking_messages(question, ties=self.ties, form=self.form),
                max_tokens=self.longest_reply,
                json_schema=ranking_schema(n, with_reasoning=self.reasoning) if as_json else None,
            ),
            read,
        )
        said = answer.outcome
        return question.judged(
            said if isinstance(said, Failed) else Scored(scores=shares_of(said[0])),
            labeler=self.name,
            rationale=None if isinstance(said, Failed) else said[1],
            usage=answer.usage,
            cost_usd=answer.cost_usd,
        )

    async def _tournament(self, question: Question) -> tuple[Judgment, ...]:
        met: dict[tuple[int, int], tuple[Judgment, Judgment]] = {}
        seed = f"{self.seed}:{question.prompt.id}"

        async def better(one: int, other: int) -> bool:
            pair = question.model_copy(update={"options": (question.options[one], question.options[other])})
            both = await asyncio.gather(*(compare_two(self, order, self.ties) for order in (pair, pair.reversed())))
            met[one, other] = (both[0], both[1])
            lean = _lean(*both)
            return lean > 0 if lean else self._coin(met[one, other], (one, other), players, seed)

        players = list(range(len(question.options)))
        Random(f"{seed}:sort").shuffle(players)
        await merge_sorted(players, better)
        return tuple(vote for pair in sorted(met) for vote in met[pair])

    def _coin(
        self, undecided: tuple[Judgment, Judgment], pair: tuple[int, int], players: Sequence[int], seed: str
    ) -> bool:
        """Whether the first of a pair that no verdict tells apart goes ahead; ``solon plan`` has a rule of its own."""
        del undecided, players
        # a coin of the pair's own: which pair comes first is not to be relied on
        return Random(f"{seed}:coin:{pair[0]}:{pair[1]}").random() < 0.5


def _lean(judgment: Judgment, in_other_order: Judgment) -> float:
    """Which of two goes ahead: above 0 the first, below 0 the second; 0 unless both orders were judged."""
    match judgment.outcome, in_other_order.outcome:
        case Scored(scores=(first, _)), Scored(scores=(_, again)):
            return first + again - 1
        case _:
            return 0.0


def _rationale(outcome: Scored | Failed, votes: Sequence[Judgment]) -> str:
    """The ranking by the options' numbers, and how far the votes that it is made of agree."""
    read = sum(isinstance(vote.outcome, Scored) for vote in votes)
    parts = [f"{read} of {len(votes)} votes read"]
    total, pairs = mean_tau(votes)
    if pairs:
        parts.append(f"mean Kendall's tau {total / pairs:.2f} over {pairs} pairs of them")
    if isinstance(outcome, Scored):
        best_first = sorted(enumerate(outcome.scores, 1), key=lambda option: -option[1])
        parts.insert(0, "best first: " + ", ".join(f"{number} ({score:.2f})" for number, score in best_first))
    return "; ".join(parts)
