"""What several judgments on the same two completions say together. Pure: judgments in, a verdict out.

A pair is judged in both orders, under one principle at a time or several at once, by one labeler or more. Each
combination of labeler and principles is an *opinion*; the rules:

1. Within an opinion, each order's P(first better) is mapped to the same completion and the two orders are averaged. If
   the orders pick opposite winners (the same slot won twice), the opinion is a tie: it depends on the order. If one
   is missing or failed, the opinion has failed: nothing is guessed from half of a comparison. A ranking of more
   completions says of each two of them how far apart their scores are (``solon.data.opinions``).
2. Hard principles veto. If a hard opinion has a winner, that completion wins whatever the soft ones say; if two have
   different winners, the verdict is a tie (``conflict``). If a hard opinion failed, so has the verdict: the veto may
   have been in it.
3. Otherwise the verdict is the mean of ``2p - 1`` over the soft opinions, by the weights of their principles. Ties
   count 0, failed opinions are left out, and if nothing is left the verdict has failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Annotated, Literal, assert_never

from pydantic import Field

from solon.data.opinions import ZERO, Opinion, opinions
from solon.data.position import OrderConsistency as OrderConsistency
from solon.data.position import order_consistency as order_consistency
from solon.data.records import Judgment, Noun, Principle

TieReason = Literal["order", "balanced", "identical", "conflict"]


class Verdict(Noun):
    """Which of two completions is better, all judgments on them taken together.

    Attributes:
        first, second: ids of the completions, in the order in which the first judgment showed them.
        margin: how clearly, in [-1, 1]: positive when the first is better, 0 for ties and failures.
        outcome: the better one, ``tie``, or ``failed`` when nothing was said that could be used.
        reason: why there is no winner: ``order`` (the judge preferred a slot), ``balanced`` (no preference, or
            preferences that cancel), ``conflict`` (hard principles disagree), ``identical`` (one completion twice),
            ``failed``; else empty.
        principles: ids of the principles it rests on: of the hard ones when they decided, else of all that counted.
        labelers: who judged.
    """

    first: str
    second: str
    margin: Annotated[float, Field(ge=-1, le=1)]
    outcome: Literal["first", "second", "tie", "failed"]
    reason: TieReason | Literal["", "failed"] = ""
    principles: tuple[str, ...] = ()
    labelers: tuple[str, ...] = ()

    @property
    def winner(self) -> str | None:
        """Id of the better completion, if there is one."""
        match self.outcome:
            case "first":
                return self.first
            case "second":
                return self.second
            case "tie" | "failed":
                return None
            case _:
                assert_never(self.outcome)


def verdict(
    judgments: Sequence[Judgment], principles: Mapping[str, Principle], pair: tuple[str, str] | None = None
) -> Verdict:
    """What the judgments on one pair say together, whichever order each showed it in. The module says by which rules.

    Args:
        judgments: comparisons of the two, and rankings with both among their options.
        principles: by id.
        pair: ids of the two completions; those of the first judgment when left out.

    Raises:
        ValueError: there are no judgments, or one of them is not on these two completions.
        KeyError: a judgment names a principle that is not among ``principles``.
        PluginError: a labeler gave something that is no probability.
    """
    if not judgments or (pair is None and len(judgments[0].options) != 2):
        raise ValueError("a verdict takes judgments on the same two completions, at least one")
    first, second = pair or judgments[0].options
    for judgment in judgments:
        shown = set(judgment.options)
        if len(judgment.options) < 2 or not {first, second} <= shown:
            raise ValueError("a verdict takes judgments on the same two completions, at least one")
    labelers = tuple(dict.fromkeys(judgment.labeler for judgment in judgments))

    def concluded(lean: float, reason: TieReason | Literal["", "failed"], rest_on: Iterable[Opinion]) -> Verdict:
        outcome: Literal["first", "second", "tie", "failed"] = "tie"
        if reason == "failed":
            outcome = "failed"
        elif reason == "":
            outcome = "first" if lean > 0 else "second"
        ids = tuple(dict.fromkeys(name for opinion in rest_on for name in opinion.principles))
        return Verdict(
            first=first, second=second, margin=lean, outcome=outcome, reason=reason, principles=ids, labelers=labelers
        )

    said = opinions(judgments, (first, second), principles)
    if first == second:
        return concluded(0.0, "identical", said)
    hard = [opinion for opinion in said if opinion.hard]
    if any(opinion.lean is None for opinion in hard):
        return concluded(0.0, "failed", said)
    vetoes = [opinion for opinion in hard if opinion.lean]
    if vetoes:
        if len({opinion.lean > 0 for opinion in vetoes if opinion.lean is not None}) == 2:
            return concluded(0.0, "conflict", vetoes)
        return concluded(_mean(vetoes), "", vetoes)
    # hard principles without a preference leave the decision to the soft ones; where there are none, they are the tie
    soft = [opinion for opinion in said if not opinion.hard]
    counted = [opinion for opinion in soft if opinion.lean is not None] if soft else hard
    if not counted:
        return concluded(0.0, "failed", said)
    lean = _mean(counted)
    if abs(lean) > ZERO:
        return concluded(lean, "", counted)
    undecided = not any(opinion.lean for opinion in counted)
    by_order = undecided and any(opinion.order_dependent for opinion in counted)
    return concluded(0.0, "order" if by_order else "balanced", counted)


def verdicts(judgments: Iterable[Judgment], principles: Mapping[str, Principle]) -> list[Verdict]:
    """One verdict a pair of completions that are compared or ranked, in the order in which the pairs first appear.

    Judgments on a single completion are passed over.

    Args:
        judgments: of one prompt.
        principles: by id; must hold every principle that a judgment names.
    """
    pairs: dict[frozenset[str], tuple[tuple[str, str], list[Judgment]]] = {}
    for judgment in judgments:
        for first, second in combinations(judgment.options, 2):
            pairs.setdefault(frozenset((first, second)), ((first, second), []))[1].append(judgment)
    return [verdict(group, principles, pair) for pair, group in pairs.values()]


def _mean(counted: Sequence[Opinion]) -> float:
    weight = math.fsum(opinion.weight for opinion in counted)
    mean = math.fsum(opinion.weight * (opinion.lean or 0.0) for opinion in counted) / weight
    return max(-1.0, min(1.0, mean))  # rounding may step over by one bit
