"""Compares two completions at a time by asking a chat model, always in both orders."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar, assert_never

from solon.data.records import Candidates, Completion, Constitution, Judgment, Principle, Prompt, Question, Scored
from solon.data.verdicts import Verdict, verdict
from solon.labelers.base import Label
from solon.labelers.pairing import Pairing, Round, expected_matches, meet
from solon.labelers.prompt import Ties, pairwise_messages
from solon.labelers.together import together
from solon.labelers.verdict_judge import Offer, Said, VerdictJudge

_OFFERS = {"forced": Offer(("A", "B")), "allowed": Offer(("A", "B", "C"))}


class Pairwise(VerdictJudge):
    """Asks a judge which of two completions is better, under each principle and in both orders.

    Completions with the same text are one: the first stands for all of them. ``seed`` also draws the order of a
    knockout of three or more, and its coins.

    Attributes:
        pairing: ``tournament`` is a knockout, n - 1 comparisons of n completions; ``best_against_rest`` also compares
            its champion with every completion that it did not meet; ``all`` compares every pair. A tie lets one
            of the two advance by a coin, which is no preference: only what the judge said is recorded.
        ties: ``forced`` makes the judge choose A or B; ``allowed`` also takes C, both are equally good. Of a judge that
            gives log-probabilities, half of C goes to either side.
    """

    kind: ClassVar[str] = "pairwise"

    pairing: Pairing = "tournament"
    ties: Ties = "forced"

    @property
    def options(self) -> int:
        """2."""
        return 2

    async def label(self, question: Question) -> Judgment:
        """Asks one question in one order. ``scores`` of the outcome are P(first is better) and its complement.

        Raises:
            ValueError: the question does not have two options.
            ModelRejected, ModelDown: the judge is not there; the stage stops.
        """
        if len(question.options) != 2:
            raise ValueError(f"a pairwise question has 2 options, and this one has {len(question.options)}")
        return await compare_two(self, question, self.ties)

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """Lets the completions meet. Judgments come round by round, match by match, principle by principle."""
        prompt = candidates.prompt
        groups = self.groups(prompt, constitution)
        if not groups:
            return ()
        distinct: dict[str, Completion] = {}
        for completion in candidates.completions:
            distinct.setdefault(completion.text, completion)
        players = tuple(distinct.values())
        if len(players) == 2:
            return await _match(label or self.label, prompt, *players, groups)  # who meets whom need not be drawn
        by_id = {principle.id: principle for principle in constitution.principles}
        judgments: list[Judgment] = []

        async def play(pairs: Round) -> list[int | None]:
            matches = await together(
                _match(label or self.label, prompt, players[first], players[second], groups) for first, second in pairs
            )
            judgments.extend(judgment for match in matches for judgment in match)
            return [_winner(pair, players, verdict(match, by_id)) for pair, match in zip(pairs, matches, strict=True)]

        await meet(self.pairing, len(players), Random(f"{self.seed}:{prompt.id}:knockout"), play)
        return tuple(judgments)

    def expected_questions(self, completions: int, principles: int) -> int:
        """Both orders of every match under every principle that is asked on its own; duplicates make it fewer."""
        return 2 * self.expected_groups(principles) * expected_matches(self.pairing, completions)


async def compare_two(judge: VerdictJudge, question: Question, ties: Ties) -> Judgment:
    """Asks a judge which of two options is better, in the order in which they stand: for all labelers that compare."""
    messages = pairwise_messages(question, ties=ties, form=judge.form)
    return await judge.judged(question, messages, _OFFERS[ties], _scored)


async def _match(
    label: Label, prompt: Prompt, first: Completion, second: Completion, groups: Sequence[tuple[Principle, ...]]
) -> tuple[Judgment, ...]:
    both_orders = [
        Question(prompt=prompt, principles=group, options=options)
        for group in groups
        for options in ((first, second), (second, first))
    ]
    return tuple(await together(map(label, both_orders)))


def _scored(said: Said) -> Scored:
    """P(first is better) and its complement."""
    first = said.shares["A"] + said.shares.get("C", 0.0) / 2
    return Scored(scores=(first, 1.0 - first), probability=said.probability)


def _winner(pair: tuple[int, int], players: Sequence[Completion], decided: Verdict) -> int | None:
    ids = {players[index].id: index for index in pair}
    match decided.outcome:
        case "first":
            return ids[decided.first]
        case "second":
            return ids[decided.second]
        case "tie" | "failed":
            return None
        case _:
            assert_never(decided.outcome)
