"""What a labeler that rates says of answers, outside of a label stage: asked, concluded, and put together."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from solon.data.ratings import VETO_BELOW, Rated, ratings
from solon.data.records import Candidates, Completion, Constitution, Judgment, Principle, Prompt
from solon.labelers.base import Labeler
from solon.labelers.boundary import examined


@dataclass(frozen=True)
class RatedAnswers:
    """Answers to a prompt, and every judgment on them; none where no principle applies to the prompt."""

    answers: tuple[Completion, ...]
    judgments: tuple[Judgment, ...]

    def rated(
        self, principles: Mapping[str, Principle], *, under: str | None = None, veto_below: float = VETO_BELOW
    ) -> list[Rated | None]:
        """One a given answer, ``None`` where it failed; the same for answers of the same text.

        Args:
            principles: by id.
            under: count the judgments under this principle alone.
            veto_below: from which share on a hard principle is kept; broken, it makes the score 0. 0 is no veto.
        """
        counted = [one for one in self.judgments if under is None or one.principles == (under,)]
        completions = {answer.id: answer for answer in self.answers}
        told = ratings(completions, counted, principles, veto_below=veto_below)
        found = {one.completion.text: one for one in told.rated}
        return [found.get(answer.text) for answer in self.answers]


async def rate(
    judge: Labeler, groups: Sequence[tuple[Prompt, tuple[Completion, ...]]], constitution: Constitution
) -> list[RatedAnswers]:
    """Has the answers to each prompt rated; of answers with the same text one is asked about."""
    judged = await asyncio.gather(*(_examined(judge, *group, constitution) for group in groups))
    revise = judge.conclude(lambda: (judgment for own in judged for judgment in own))
    if revise is not None:
        judged = [tuple(map(revise, own)) for own in judged]
    return [RatedAnswers(answers, own) for (_, answers), own in zip(groups, judged, strict=True)]


async def _examined(
    judge: Labeler, prompt: Prompt, answers: tuple[Completion, ...], constitution: Constitution
) -> tuple[Judgment, ...]:
    different = tuple({answer.text: answer for answer in answers}.values())
    return await examined(judge, Candidates(prompt=prompt, completions=different), constitution)


def rates(judge: Labeler) -> bool:
    """Whether it rates one answer at a time."""
    return judge.options == 1 and not judge.revises


def why_not(evaluator: str, judge: Labeler) -> str:
    """What to say of a judge that does not."""
    return f"{evaluator} needs a judge that rates one answer at a time, such as `rating`, and {judge.name} does not"
