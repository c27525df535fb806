"""Which of two completions a labeler prefers, whether it compares them or rates each."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

from solon.data.records import (
    Candidates,
    Completion,
    Constitution,
    Failed,
    Judgment,
    Principle,
    Prompt,
    Revised,
    Scored,
)
from solon.data.verdicts import verdict
from solon.labelers.base import Labeler
from solon.labelers.boundary import examined
from solon.labelers.votes import share

Preferred = Literal["first", "second", "tie", "failed", "not_asked"]


@dataclass(frozen=True)
class Comparison:
    """What a labeler says of two completions.

    Attributes:
        preferred: the better one; ``not_asked`` when no principle applies to the prompt.
        judgments: comparisons in both orders; two ratings become one comparison in each order.
        identical: both have the same text, which is a tie that nobody was asked about.
    """

    preferred: Preferred
    judgments: tuple[Judgment, ...] = ()
    identical: bool = False


async def compare(
    labeler: Labeler, pairs: Sequence[tuple[Prompt, Completion, Completion]], constitution: Constitution
) -> list[Comparison]:
    """Asks a labeler which of two completions is better, of each pair, under every principle that applies.

    Judges are asked in both orders; an order-dependent verdict is a tie. Of a labeler that rates, the higher score is
    better under each principle. ``solon.data.verdicts`` says how principles come together. As when it labels, the
    labeler has a last look at all that was said (``Labeler.conclude``).
    """
    asked = [pair for pair in pairs if pair[1].text != pair[2].text]
    found = await asyncio.gather(
        *(
            examined(labeler, Candidates(prompt=prompt, completions=(first, second)), constitution)
            for prompt, first, second in asked
        )
    )
    revise = labeler.conclude(lambda: chain.from_iterable(found))
    if revise is not None:
        found = [tuple(map(revise, judgments)) for judgments in found]
    principles, said = by_id(constitution), iter(found)

    def told(first: Completion, second: Completion) -> Comparison:
        if first.text == second.text:
            return Comparison("tie", identical=True)
        compared = comparisons(next(said), first.id, second.id)
        return Comparison(preferred(compared, first.id, principles), compared)

    return [told(first, second) for _, first, second in pairs]


def preferred(judgments: Sequence[Judgment], first: str, principles: Mapping[str, Principle]) -> Preferred:
    """What comparisons of one pair say together, seen from the completion whose id is ``first``."""
    if not judgments:
        return "not_asked"
    decided = verdict(judgments, principles)
    if decided.winner is None:
        return "failed" if decided.outcome == "failed" else "tie"
    return "first" if decided.winner == first else "second"


def comparisons(judgments: Sequence[Judgment], first: str, second: str) -> tuple[Judgment, ...]:
    """The comparisons of two completions among ``judgments``.

    Two ratings become a comparison in each order, and so do the places of both in a ranking of more. A revision
    compares nothing.
    """
    compared = [judgment for judgment in judgments if sorted(judgment.options) == sorted((first, second))]
    rated: dict[tuple[str, tuple[str, ...]], dict[str, Judgment]] = {}
    for judgment in judgments:
        if isinstance(judgment.outcome, Revised):
            continue
        if len(judgment.options) == 1:
            rated.setdefault((judgment.labeler, judgment.principles), {})[judgment.options[0]] = judgment
        elif len(judgment.options) > 2 and {first, second} <= set(judgment.options):
            one, other = (_placed(judgment, option) for option in (first, second))
            compared += [_compared(one, other), _compared(other, one)]
    for ratings in rated.values():
        if first in ratings and second in ratings:
            compared += [_compared(ratings[first], ratings[second]), _compared(ratings[second], ratings[first])]
    return tuple(compared)


def _placed(ranking: Judgment, option: str) -> Judgment:
    """One option's place in a ranking, as a judgment on it alone."""
    outcome = ranking.outcome
    if isinstance(outcome, Scored):
        outcome = Scored(scores=(outcome.scores[ranking.options.index(option)],))
    return ranking.model_copy(update={"options": (option,), "outcome": outcome})


def _compared(one: Judgment, other: Judgment) -> Judgment:
    match one.outcome, other.outcome:
        case Scored() as mine, Scored() as its:
            # a logit and a share have in common that both say a share
            a, b = (scored.scores[0] if mine.scale == its.scale else share(scored) for scored in (mine, its))
            better = 0.5 if a == b else float(a > b)
            outcome: Scored | Failed = Scored(scores=(better, 1.0 - better))
        case (Failed() as failed, _) | (_, Failed() as failed):
            outcome = failed
        case _:
            raise AssertionError("a revision compares nothing, and was left out")
    return one.model_copy(update={"options": one.options + other.options, "outcome": outcome})


def asked_alone(judgments: Iterable[Judgment]) -> list[str]:
    """The principles that were asked one at a time, in that order; none when there is only one, or any were mixed."""
    asked = list(dict.fromkeys(judgment.principles for judgment in judgments))
    if len(asked) < 2 or any(len(principles) != 1 for principles in asked):
        return []
    return [principles[0] for principles in asked]


def by_id(constitution: Constitution) -> dict[str, Principle]:
    """The principles of a constitution by their ids."""
    return {principle.id: principle for principle in constitution.principles}
