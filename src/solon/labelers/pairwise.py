"""Compares two completions at a time by asking a chat model, always in both orders."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar, Literal, assert_never

from pydantic import Field, PositiveInt

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Question,
    Scored,
)
from solon.data.verdicts import Verdict, verdict
from solon.errors import ModelUnavailable, PromptTooLong
from solon.labelers.base import Label, Labeler
from solon.labelers.pairing import Pairing, Round, expected_matches, meet
from solon.labelers.prompt import pairwise_messages
from solon.labelers.verdict_text import last_line_verdict, reasoning
from solon.models.base import ChatModel, Reply, Request
from solon.plugins.registry import AnyChatModel
from solon.stream import ask

VERDICTS = ("A", "B")


class Pairwise(Labeler):
    """Asks a judge which of two completions is better, under each principle and in both orders.

    Completions with the same text are one: the first stands for all of them.

    Attributes:
        judge: the chat model that is asked.
        principles: ``each`` asks one question a principle; ``all`` puts every principle into one question; ``one``
            draws a principle for each prompt, the likelier the greater its weight (as in Bai et al. 2022, where each
            comparison is made under one principle at random).
        pairing: ``tournament`` is a knockout, n - 1 comparisons of n completions; ``best_against_rest`` also compares
            its champion with every completion that it did not meet; ``all`` compares every pair. A tie lets one
            of the two advance by a coin, which is no preference: only what the judge said is recorded.
        seed: of the order of the knockout, its coins, and the principle drawn.
        verdict: ``auto`` takes the log-probabilities of A and B as the first token when the model gives them, and
            the text otherwise; ``text`` never asks for log-probabilities: for judges that reason before their verdict.
        max_tokens: room for a reply in text. Raise it for judges that reason before their verdict.
        min_choice_mass: least probability that A and B must have together; below it the judge was not answering
            the question.
    """

    kind: ClassVar[str] = "pairwise"

    judge: AnyChatModel
    principles: Literal["each", "all", "one"] = "each"
    pairing: Pairing = "tournament"
    seed: int = 0
    verdict: Literal["auto", "text"] = "auto"
    max_tokens: PositiveInt = 16
    min_choice_mass: float = Field(default=0.5, gt=0, le=1)

    @property
    def options(self) -> int:
        """2."""
        return 2

    def models(self) -> tuple[ChatModel, ...]:
        """The judge."""
        return (self.judge,)

    async def label(self, question: Question) -> Judgment:
        """Asks one question in one order. ``scores`` of the outcome are P(first is better) and its complement.

        Raises:
            ValueError: the question does not have two options.
            ModelRejected, ModelDown: the judge is not there; the stage stops.
        """
        if len(question.options) != 2:
            raise ValueError(f"a pairwise question has 2 options, and this one has {len(question.options)}")
        request = Request(
            messages=pairwise_messages(question),
            max_tokens=self.max_tokens,
            choices=VERDICTS if self.verdict == "auto" else (),
        )
        try:
            reply = await ask(self.judge, request)
        except ModelUnavailable as error:
            return question.judged(Failed(reason="unavailable", raw=str(error)), labeler=self.name)
        except PromptTooLong as error:
            return question.judged(Failed(reason="too_long", raw=str(error)), labeler=self.name)
        return question.judged(
            self._outcome(reply),
            labeler=self.name,
            rationale=reasoning(reply.text),
            usage=reply.usage,
            cost_usd=self.judge.cost_of(reply),
        )

    async def examine(
        self, candidates: Candidates, constitution: Constitution, *, label: Label | None = None
    ) -> tuple[Judgment, ...]:
        """Lets the completions meet. Judgments come round by round, match by match, principle by principle."""
        prompt = candidates.prompt
        asked = self._asked(prompt, constitution)
        if not asked:
            return ()
        distinct: dict[str, Completion] = {}
        for completion in candidates.completions:
            distinct.setdefault(completion.text, completion)
        players = tuple(distinct.values())
        by_id = {principle.id: principle for principle in constitution.principles}
        judgments: list[Judgment] = []

        async def play(pairs: Round) -> list[int | None]:
            matches = await asyncio.gather(
                *(
                    _match(label or self.label, prompt, players[first], players[second], asked)
                    for first, second in pairs
                )
            )
            judgments.extend(judgment for match in matches for judgment in match)
            return [_winner(pair, players, verdict(match, by_id)) for pair, match in zip(pairs, matches, strict=True)]

        await meet(self.pairing, len(players), Random(f"{self.seed}:{prompt.id}:knockout"), play)
        return tuple(judgments)

    def expected_questions(self, completions: int, principles: int) -> int:
        """Both orders of every match under every principle that is asked on its own; duplicates make it fewer."""
        groups = principles if self.principles == "each" else min(principles, 1)
        return 2 * groups * expected_matches(self.pairing, completions)

    @property
    def longest_reply(self) -> int:
        """``max_tokens``."""
        return self.max_tokens

    def _asked(self, prompt: Prompt, constitution: Constitution) -> tuple[tuple[Principle, ...], ...]:
        """The principles of each question about this prompt; none when no principle applies to it."""
        applying = tuple(principle for principle in constitution.principles if principle.applies_to(prompt.topic))
        if not applying:
            return ()
        match self.principles:
            case "each":
                return tuple((principle,) for principle in applying)
            case "all":
                return (applying,)
            case "one":
                weights = [principle.weight for principle in applying]
                return ((Random(f"{self.seed}:{prompt.id}").choices(applying, weights)[0],),)
            case _:
                assert_never(self.principles)

    def _outcome(self, reply: Reply) -> Scored | Failed:
        if reply.stop in ("refused", "filtered"):
            return Failed(reason="refused", raw=reply.text)
        if self.verdict == "auto" and reply.choices is not None:
            return _from_log_probs(reply.choices, self.min_choice_mass, reply.text)
        if reply.stop == "length":
            # even if it stops at a lone letter: nobody knows how the line would have gone on
            return Failed(reason="truncated", raw=reply.text)
        match last_line_verdict(reply.text, VERDICTS):
            case "A":
                return Scored(scores=(1.0, 0.0))
            case "B":
                return Scored(scores=(0.0, 1.0))
            case _:
                return Failed(reason="unparseable", raw=reply.text)


async def _match(
    label: Label, prompt: Prompt, first: Completion, second: Completion, asked: Sequence[tuple[Principle, ...]]
) -> tuple[Judgment, ...]:
    questions = [Question(prompt=prompt, principles=group, options=(first, second)) for group in asked]
    both_orders = [order for question in questions for order in (question, question.reversed())]
    return tuple(await asyncio.gather(*(label(question) for question in both_orders)))


def _from_log_probs(log_probs: Mapping[str, float], min_mass: float, text: str) -> Scored | Failed:
    """P(A) / (P(A) + P(B)); a choice that the model did not list has probability 0."""
    first, second = (math.exp(log_probs.get(choice, -math.inf)) for choice in VERDICTS)
    mass = first + second
    if not mass >= min_mass:  # also when it is not a number
        return Failed(reason="unparseable", raw=text)
    share = first / mass
    return Scored(scores=(share, 1.0 - share), probability=max(share, 1.0 - share))


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
