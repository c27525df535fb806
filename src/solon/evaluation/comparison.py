"""Which of two completions a labeler prefers, whether it compares them or rates each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
    labeler: Labeler, prompt: Prompt, first: Completion, second: Completion, constitution: Constitution
) -> Comparison:
    """Asks a labeler which of two completions is better, under every principle that applies.

    Judges are asked in both orders; an order-dependent verdict is a tie. Of a labeler that rates, the higher score is
    better under each principle. ``solon.data.verdicts`` says how principles come together.
    """
    if first.text == second.text:
        return Comparison("tie", identical=True)
    judgments = await labeler.examine(Candidates(prompt=prompt, completions=(first, second)), constitution)
    compared = comparisons(judgments, first.id, second.id)
    return Comparison(preferred(compared, first.id, by_id(constitution)), compared)


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
        case Scored(scores=(a, *_)), Scored(scores=(b, *_)):
            share = 0.5 if a == b else float(a > b)
            outcome: Scored | Failed = Scored(scores=(share, 1.0 - share))
        case (Failed() as failed, _) | (_, Failed() as failed):
            outcome = failed
        case _:
            raise AssertionError("a Scored outcome has at least one score")
    return one.model_copy(update={"options": one.options + other.options, "outcome": outcome})


def by_id(constitution: Constitution) -> dict[str, Principle]:
    """The principles of a constitution by their ids."""
    return {principle.id: principle for principle in constitution.principles}
