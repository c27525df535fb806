"""What one labeler says of two completions under one set of principles, put together from its judgments. Pure.

A comparison (two options) is judged in both orders; each order's P(first better) is mapped to the same completion. A
ranking (three options or more) says of each two of its options which is better: the difference of their scores. It
rests on several orders already, so there is none to be missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

from solon.data.records import Failed, Judgment, Principle, Revised, Scored
from solon.errors import PluginError

ZERO = 1e-9
"""Margins below it are rounding: opinions that cancel each other leave some."""


@dataclass(frozen=True)
class Opinion:
    """What one labeler said under one set of principles.

    Attributes:
        lean: how clearly the first of the two is better, in [-1, 1]: 2p - 1 of a comparison, the difference of the two
            scores in a ranking; ``None`` when it failed.
        order_dependent: its two orders picked opposite winners, which is a lean of 0.
    """

    principles: tuple[str, ...]
    weight: float
    hard: bool
    lean: float | None
    order_dependent: bool = False


def grouped(judgments: Iterable[Judgment]) -> dict[tuple[str, tuple[str, ...]], list[Judgment]]:
    """The judgments by labeler and set of principles."""
    groups: dict[tuple[str, tuple[str, ...]], list[Judgment]] = {}
    for judgment in judgments:
        groups.setdefault((judgment.labeler, judgment.principles), []).append(judgment)
    return groups


def opinions(
    judgments: Iterable[Judgment], pair: tuple[str, str], principles: Mapping[str, Principle]
) -> list[Opinion]:
    """One opinion a labeler and set of principles, all of judgments that show both completions of the pair."""
    return [_opinion(group, pair, principles) for group in grouped(judgments).values()]


def _opinion(group: Sequence[Judgment], pair: tuple[str, str], principles: Mapping[str, Principle]) -> Opinion:
    names = group[0].principles
    asked = [principles[name] for name in names]
    weight = math.fsum(principle.weight for principle in asked) if asked else 1.0
    # several principles in one question are weighed by the judge: only a question of hard ones alone can veto
    hard = bool(asked) and all(principle.severity == "hard" for principle in asked)
    both = orders(group, pair[0])
    if both is not None:
        if opposite(*both):
            return Opinion(names, weight, hard, lean=0.0, order_dependent=True)
        lean = both[0] + both[1] - 1  # 2p - 1 of the mean of the two
    else:
        leans = [said for judgment in group if (said := _lean(judgment, pair)) is not None]
        if not leans:
            return Opinion(names, weight, hard, lean=None)
        lean = math.fsum(leans) / len(leans)
    return Opinion(names, weight, hard, lean=lean if abs(lean) > ZERO else 0.0)


def orders(group: Sequence[Judgment], first: str) -> tuple[float, float] | None:
    """P(``first`` is better), compared with it in the first slot and in the second; ``None`` if either is missing."""
    shown_first: list[float] = []
    shown_second: list[float] = []
    for judgment in group:
        if len(judgment.options) == 2 and (share := _share(judgment)) is not None:
            if judgment.options[0] == first:
                shown_first.append(share)
            else:
                shown_second.append(1 - share)
    if not shown_first or not shown_second:
        return None
    return math.fsum(shown_first) / len(shown_first), math.fsum(shown_second) / len(shown_second)


def opposite(one: float, other: float) -> bool:
    """Whether two orders pick opposite winners."""
    return (one > 0.5 > other) or (one < 0.5 < other)


def scores_of(judgment: Judgment) -> tuple[float, ...] | None:
    """The checked scores of a judgment on two options or more; ``None`` when it has none.

    Raises:
        PluginError: there is not one score in [0, 1] for each option.
    """
    match judgment.outcome:
        case Scored(scores=scores, scale=scale):
            options = len(judgment.options)
            if len(scores) != options or scale != "share" or not all(0 <= score <= 1 for score in scores):
                deed, wanted = (
                    ("compared two", "two scores were expected, P(first is better) in [0, 1] and its complement")
                    if options == 2
                    else (f"ranked {options}", "one score each was expected, the share of the others that it beats")
                )
                raise PluginError(f"labeler {judgment.labeler!r} {deed} options and gave {scores}: {wanted}")
            return scores
        case Failed() | Revised():
            return None
        case _:
            assert_never(judgment.outcome)


def _share(judgment: Judgment) -> float | None:
    scores = scores_of(judgment)
    return None if scores is None else scores[0]


def _lean(judgment: Judgment, pair: tuple[str, str]) -> float | None:
    """Of a ranking alone: half of a comparison is not guessed from."""
    scores = scores_of(judgment)
    if scores is None or len(scores) == 2:
        return None
    first, second = (scores[judgment.options.index(name)] for name in pair)
    return first - second
