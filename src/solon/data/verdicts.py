"""What several judgments on the same two completions say together. Pure: judgments in, a verdict out.

A pair is judged in both orders, under one principle at a time or several at once, by one labeler or more. Each
combination of labeler and principles is an *opinion*; the rules:

1. Within an opinion, each order's P(first better) is mapped to the same completion and the two orders are averaged. If
   the orders pick opposite winners (the same slot won twice), the opinion is a tie: it depends on the order. If one
   is missing or failed, the opinion has failed: nothing is guessed from half of a comparison.
2. Hard principles veto. If a hard opinion has a winner, that completion wins whatever the soft ones say; if two have
   different winners, the verdict is a tie (``conflict``). If a hard opinion failed, so has the verdict: the veto may
   have been in it.
3. Otherwise the verdict is the mean of ``2p - 1`` over the soft opinions, by the weights of their principles. Ties
   count 0, failed opinions are left out, and if nothing is left the verdict has failed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, assert_never

from pydantic import Field

from solon.data.records import Failed, Judgment, Noun, Principle, Revised, Scored
from solon.errors import PluginError

TieReason = Literal["order", "balanced", "identical", "conflict"]

_ZERO = 1e-9
"""Margins below it are rounding: opinions that cancel each other leave some."""


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


@dataclass(frozen=True)
class _Opinion:
    """What one labeler said under one set of principles: ``lean`` is 2p - 1, ``None`` when it failed."""

    principles: tuple[str, ...]
    weight: float
    hard: bool
    lean: float | None
    order_dependent: bool = False


def verdict(judgments: Sequence[Judgment], principles: Mapping[str, Principle]) -> Verdict:
    """What the judgments on one pair say together, whichever order each showed it in. The module says by which rules.

    Raises:
        ValueError: there are no judgments, or they are not all on the same two completions.
        KeyError: a judgment names a principle that is not among ``principles``.
        PluginError: a labeler gave something that is no probability.
    """
    if not judgments or any(len(j.options) != 2 or set(j.options) != set(judgments[0].options) for j in judgments):
        raise ValueError("a verdict takes judgments on the same two completions, at least one")
    first, second = judgments[0].options
    labelers = tuple(dict.fromkeys(judgment.labeler for judgment in judgments))

    def concluded(lean: float, reason: TieReason | Literal["", "failed"], opinions: Iterable[_Opinion]) -> Verdict:
        outcome: Literal["first", "second", "tie", "failed"] = "tie"
        if reason == "failed":
            outcome = "failed"
        elif reason == "":
            outcome = "first" if lean > 0 else "second"
        ids = tuple(dict.fromkeys(name for opinion in opinions for name in opinion.principles))
        return Verdict(
            first=first, second=second, margin=lean, outcome=outcome, reason=reason, principles=ids, labelers=labelers
        )

    opinions = [_opinion(group, first, principles) for group in _opinion_groups(judgments).values()]
    if first == second:
        return concluded(0.0, "identical", opinions)
    hard = [opinion for opinion in opinions if opinion.hard]
    if any(opinion.lean is None for opinion in hard):
        return concluded(0.0, "failed", opinions)
    vetoes = [opinion for opinion in hard if opinion.lean]
    if vetoes:
        if len({opinion.lean > 0 for opinion in vetoes if opinion.lean is not None}) == 2:
            return concluded(0.0, "conflict", vetoes)
        return concluded(_mean(vetoes), "", vetoes)
    # hard principles without a preference leave the decision to the soft ones; where there are none, they are the tie
    soft = [opinion for opinion in opinions if not opinion.hard]
    counted = [opinion for opinion in soft if opinion.lean is not None] if soft else hard
    if not counted:
        return concluded(0.0, "failed", opinions)
    lean = _mean(counted)
    if abs(lean) > _ZERO:
        return concluded(lean, "", counted)
    undecided = not any(opinion.lean for opinion in counted)
    by_order = undecided and any(opinion.order_dependent for opinion in counted)
    return concluded(0.0, "order" if by_order else "balanced", counted)


def verdicts(judgments: Iterable[Judgment], principles: Mapping[str, Principle]) -> list[Verdict]:
    """One verdict a pair of completions, in the order in which the pairs first appear.

    Judgments that do not compare two completions are passed over.

    Args:
        judgments: of one prompt.
        principles: by id; must hold every principle that a judgment names.
    """
    pairs: dict[frozenset[str], list[Judgment]] = {}
    for judgment in judgments:
        if len(judgment.options) == 2:
            pairs.setdefault(frozenset(judgment.options), []).append(judgment)
    return [verdict(group, principles) for group in pairs.values()]


class OrderConsistency(Noun):
    """How much the comparisons depend on the order in which the two completions were shown.

    Attributes:
        consistent: opinions (a pair, a labeler, a set of principles) whose two orders do not contradict each other.
        order_dependent: opinions whose two orders pick opposite winners.
        failed: opinions without a usable judgment in each order.
        first_slot_wins: judgments that preferred the completion shown first, out of ``decided``: about half of them
            for a judge without a leaning.
        decided: judgments that preferred one of the two.
    """

    consistent: int = 0
    order_dependent: int = 0
    failed: int = 0
    first_slot_wins: int = 0
    decided: int = 0


def order_consistency(judgments: Iterable[Judgment]) -> OrderConsistency:
    """Counts over all pairs, labelers and principles. Judgments of many prompts may come together, in any order."""
    pairs: dict[tuple[str, frozenset[str]], list[Judgment]] = {}
    for judgment in judgments:
        if len(set(judgment.options)) == 2:
            pairs.setdefault((judgment.prompt, frozenset(judgment.options)), []).append(judgment)
    counts = dict.fromkeys(OrderConsistency.model_fields, 0)
    for pair in pairs.values():
        for group in _opinion_groups(pair).values():
            orders = _orders(group, pair[0].options[0])
            if orders is None:
                counts["failed"] += 1
            else:
                counts["order_dependent" if _opposite(*orders) else "consistent"] += 1
        slots = [judgment.outcome.scores[0] for judgment in pair if isinstance(judgment.outcome, Scored)]
        counts["first_slot_wins"] += sum(score > 0.5 for score in slots)
        counts["decided"] += sum(score != 0.5 for score in slots)
    return OrderConsistency(**counts)


def _opinion_groups(judgments: Iterable[Judgment]) -> dict[tuple[str, tuple[str, ...]], list[Judgment]]:
    groups: dict[tuple[str, tuple[str, ...]], list[Judgment]] = {}
    for judgment in judgments:
        groups.setdefault((judgment.labeler, judgment.principles), []).append(judgment)
    return groups


def _opinion(group: Sequence[Judgment], first: str, principles: Mapping[str, Principle]) -> _Opinion:
    ids = group[0].principles
    asked = [principles[name] for name in ids]
    weight = math.fsum(principle.weight for principle in asked) if asked else 1.0
    # several principles in one question are weighed by the judge: only a question of hard ones alone can veto
    hard = bool(asked) and all(principle.severity == "hard" for principle in asked)
    orders = _orders(group, first)
    if orders is None:
        return _Opinion(ids, weight, hard, lean=None)
    if _opposite(*orders):
        return _Opinion(ids, weight, hard, lean=0.0, order_dependent=True)
    lean = orders[0] + orders[1] - 1  # 2p - 1 of the mean of the two
    return _Opinion(ids, weight, hard, lean=lean if abs(lean) > _ZERO else 0.0)


def _orders(group: Sequence[Judgment], first: str) -> tuple[float, float] | None:
    """P(``first`` is better) as judged with it in the first slot, and in the second; ``None`` if either is missing."""
    shown_first: list[float] = []
    shown_second: list[float] = []
    for judgment in group:
        match judgment.outcome:
            case Scored(scores=scores):
                if len(scores) != 2 or not 0 <= scores[0] <= 1:
                    raise PluginError(
                        f"labeler {judgment.labeler!r} compared two options and gave {scores}: "
                        "two scores were expected, P(first is better) in [0, 1] and its complement"
                    )
                if judgment.options[0] == first:
                    shown_first.append(scores[0])
                else:
                    shown_second.append(1 - scores[0])
            case Failed() | Revised():
                pass
            case _:
                assert_never(judgment.outcome)
    if not shown_first or not shown_second:
        return None
    return math.fsum(shown_first) / len(shown_first), math.fsum(shown_second) / len(shown_second)


def _opposite(one: float, other: float) -> bool:
    return (one > 0.5 > other) or (one < 0.5 < other)


def _mean(opinions: Sequence[_Opinion]) -> float:
    weight = math.fsum(opinion.weight for opinion in opinions)
    mean = math.fsum(opinion.weight * (opinion.lean or 0.0) for opinion in opinions) / weight
    return max(-1.0, min(1.0, mean))  # rounding may step over by one bit
