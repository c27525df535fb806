"""How several models stand, from comparisons of each two of them on the same prompts. Pure; needs scipy for intervals.

Strengths are those of Bradley and Terry (``solon.statistics.bradley_terry``). Comparisons of one prompt are alike, so
prompts are what varies: the variance is the sandwich of Huber (1967), with one score a prompt, as for any likelihood
whose observations come in clusters (Cameron and Miller 2015, Journal of Human Resources 50:317, section II).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from solon.errors import MissingExtra
from solon.statistics.bradley_terry import PRIOR, Strengths, bradley_terry, logistic
from solon.statistics.estimates import Estimate

_LEAST = 0.1
Met = tuple[int, int, float]
"""Two options that were compared, and the points of the first: 1, 0, or a half for a tie."""


@dataclass(frozen=True)
class Standings:
    """Where each option stands.

    Attributes:
        beats_first: P(the option beats the first one), in (0, 1), with its 95 % interval; the first one's is .5.
        strengths: the fitted log-strengths.
    """

    beats_first: tuple[Estimate, ...]
    strengths: Strengths


def standings(options: int, prompts: Sequence[Sequence[Met]], *, prior: float = PRIOR) -> Standings:
    """Fits strengths to all comparisons.

    An interval is made on the scale of log-strengths, and so stays within (0, 1). Its variance is the larger of two:
    that from prompt to prompt, and that of the model with its prior, less the share of ties, which vary less than wins
    and losses. The latter is what is left where one nearly always wins and hardly anything varies.

    Args:
        options: how many there are; the first is what the others are held against.
        prompts: for each prompt the comparisons that were decided.
        prior: as in ``bradley_terry``.

    Raises:
        ValueError: there are fewer than two options, or no comparisons.
        MissingExtra: numpy is not installed.
    """
    try:
        import numpy as np
        from scipy.special import stdtrit
    except ImportError as error:
        raise MissingExtra("the interval of a strength", "report") from error
    told = [met for met in prompts if met]
    if options < 2 or not told:
        raise ValueError("standings need two options at least, and a comparison")
    fitted = bradley_terry(_wins(options, told), prior=prior)
    information, scores = np.zeros((options, options)), np.zeros((len(told), options))
    for option, log in enumerate(fitted.log):
        share = logistic(log)
        information[option, option] += 2 * prior * share * (1 - share)
    for row, met in enumerate(told):
        for one, other, points in met:
            share = fitted.beats(one, other)
            weight = share * (1 - share)
            information[[one, other], [one, other]] += weight
            information[[one, other], [other, one]] -= weight
            scores[row, one] += points - share
            scores[row, other] -= points - share
    inverse = np.linalg.pinv(information)
    correction = len(told) / (len(told) - 1) if len(told) > 1 else 1.0
    by_prompt = inverse @ (correction * scores.T @ scores) @ inverse
    quantile = float(stdtrit(max(1, len(told) - 1), 0.975))
    least = max(_LEAST, 1 - _ties(told))
    found = [Estimate(0.5, 0.5, 0.5, "itself")]
    for option in range(1, options):
        contrast = np.zeros(options)
        contrast[option], contrast[0] = 1.0, -1.0
        variance = max(float(contrast @ by_prompt @ contrast), least * float(contrast @ inverse @ contrast))
        half = quantile * math.sqrt(variance)
        apart = fitted.log[option] - fitted.log[0]
        method = f"Bradley-Terry, {len(told)} prompts as clusters"
        found.append(Estimate(logistic(apart), logistic(apart - half), logistic(apart + half), method))
    return Standings(tuple(found), fitted)


def _ties(prompts: Sequence[Sequence[Met]]) -> float:
    points = [points for met in prompts for _, _, points in met]
    return points.count(0.5) / len(points)


def _wins(options: int, prompts: Sequence[Sequence[Met]]) -> list[list[float]]:
    wins = [[0.0] * options for _ in range(options)]
    for met in prompts:
        for one, other, points in met:
            wins[one][other] += points
            wins[other][one] += 1 - points
    return wins
