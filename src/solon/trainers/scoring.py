"""What judgments on the completions of one prompt say as rewards: one number a completion, or none. Pure.

Ratings give what ``build`` writes into the ``reward`` dataset (``solon.data.ratings``). Comparisons and rankings give
each completion the share of the others that it beats, a tie counting half (``solon.data.verdicts``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from solon.data.ratings import ratings, sigmoid
from solon.data.records import Completion, Judgment, Principle
from solon.data.verdicts import verdicts


@dataclass(frozen=True)
class Scored:
    """A completion's score: in [0, 1] where ``scale`` is ``share``, any finite number where it is ``logit``."""

    score: float
    scale: Literal["share", "logit"]

    @property
    def share(self) -> float:
        """The score in [0, 1]."""
        return self.score if self.scale == "share" else sigmoid(self.score)


def scored(
    copies: Mapping[Completion, int],
    judgments: Sequence[Judgment],
    principles: Mapping[str, Principle],
    *,
    options: int,
    veto_below: float,
) -> dict[str, Scored]:
    """The score of each text that has one; a text that could not be judged has none.

    Args:
        copies: different completions of one prompt, and how often each was written.
        judgments: on them.
        principles: by id; must hold every one that a judgment names.
        options: how many completions one question of the labeler shows; 1 rates them.
        veto_below: the lowest share under a hard principle that is no veto.

    Raises:
        PluginError: a labeler gave a score that is none.
    """
    by_id = {completion.id: completion for completion in copies}
    if options == 1:
        found = ratings(by_id, judgments, principles, veto_below=veto_below)
        return {item.completion.text: Scored(item.score, item.scale) for item in found.rated}
    beaten: dict[Completion, list[tuple[float, int]]] = {completion: [] for completion in copies}
    for verdict in verdicts(judgments, principles):
        if verdict.outcome != "failed":
            first, second = by_id[verdict.first], by_id[verdict.second]
            beaten[first].append(((1 + verdict.margin) / 2, copies[second]))
            beaten[second].append(((1 - verdict.margin) / 2, copies[first]))
    for completion, shares in beaten.items():
        if copies[completion] > 1 and (shares or len(copies) == 1):
            shares.append((0.5, copies[completion] - 1))  # no text is better than its own copies
    return {completion.text: Scored(_mean(shares), "share") for completion, shares in beaten.items() if shares}


def _mean(weighted: Sequence[tuple[float, int]]) -> float:
    return math.fsum(share * weight for share, weight in weighted) / sum(weight for _, weight in weighted)


def numbers(found: Sequence[Scored | None]) -> tuple[float | None, ...]:
    """The scores on one scale: logits where all of them are, else shares."""
    all_logits = all(one.scale == "logit" for one in found if one is not None)
    return tuple(None if one is None else one.score if all_logits else one.share for one in found)
