"""Where a gold judge's opinion turns while a policy moves away from its reference under a proxy reward.

Gao et al. 2022 (arXiv:2210.10760, section 3.1) find for reinforcement learning, with d the square root of the KL
divergence from the reference:

    R(d) = d (alpha - beta log d)

above the reference's own reward; it is largest at d = exp(alpha / beta - 1). Far out, and of rewards that have a floor,
the form no longer holds. So the turning is told without it, by the best curve that rises and then falls, and theirs
stands beside it. Needs numpy and scipy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from solon.errors import MissingExtra

FEWEST = 6
"""Points below which nothing is fitted."""
_RESAMPLES = 499
_WORSE = 5.4  # variances, see `_tops`


@dataclass(frozen=True)
class Curve:
    """Gao et al.'s curve through the gold rewards.

    Attributes:
        start: the reward at the reference, as fitted.
        alpha, beta: of their form.
        peak: the distance at which the curve is highest; ``None`` where it has no top.
        low, high: its 95 % interval (Fieller 1954 for alpha / beta); ``None`` where the data do not bound it, which
            they do only where ``beta`` is surely above 0.
        explained: the share of the variance of the rewards that the curve explains, in [0, 1].
    """

    start: float
    alpha: float
    beta: float
    peak: float | None
    low: float | None
    high: float | None
    explained: float

    @property
    def fits(self) -> bool:
        """Whether it explains half of the variance at least."""
        return self.explained >= 0.5

    def at(self, distance: float) -> float:
        """The fitted reward at a distance, which is 0 or more."""
        if distance <= 0:
            return self.start
        return self.start + distance * (self.alpha - self.beta * math.log(distance))


@dataclass(frozen=True)
class Turn:
    """The best curve through the gold rewards that rises and then falls.

    Attributes:
        distance: where it is highest.
        low, high: the 95 % interval of that, from point to point.
        fall: how far it is lower at the largest distance, 0 or more.
        p_value: how often chance gives as much to a curve that only rises.
    """

    distance: float
    low: float
    high: float
    fall: float
    p_value: float

    @property
    def sure(self) -> bool:
        """Whether a curve that only rises is out of the question, at 5 %."""
        return self.p_value < 0.05


def turn(distances: Sequence[float], rewards: Sequence[float], *, seed: int = 0) -> Turn | None:
    """Where the gold reward turns, by unimodal least squares (Stout 2008, Comput. Stat. Data Anal. 53:289).

    Residuals are taken for independent. Those of neighbouring steps of one training are not quite, so that the interval
    is somewhat too narrow; and it is about this training, not about another seed.

    Args:
        distances: square roots of the KL divergence in nats a completion, each 0 or more.
        rewards: the gold reward at each.
        seed: of the resampling.

    Returns:
        ``None`` of fewer than ``FEWEST`` points.

    Raises:
        ValueError: there are more of one than of the other.
        MissingExtra: scipy is not installed.
    """
    _check(distances, rewards)
    if len(distances) < FEWEST:
        return None
    np = _numpy()
    order = np.argsort(np.asarray(distances, dtype=float), kind="stable")
    d, r = np.asarray(distances, dtype=float)[order], np.asarray(rewards, dtype=float)[order]
    squares = _squares(r.tolist())
    fitted, rising = _unimodal(r, squares), _rising(r)
    top = int(fitted.argmax())
    random, by_chance = np.random.default_rng(seed), _errors(r, rising)
    drawn = (rising + by_chance[random.integers(0, len(r), len(r))] for _ in range(_RESAMPLES))
    gain = _gain(squares)
    p_value = (1 + sum(_gain(_squares(one.tolist())) >= gain for one in drawn)) / (1 + _RESAMPLES)
    low, high = _tops(d, r, fitted, squares)
    return Turn(float(d[top]), low, high, float(fitted[top] - fitted[-1]), p_value)


def _tops(distances: Any, rewards: Any, fitted: Any, squares: list[float]) -> tuple[float, float]:
    """Between which points the top may lie: those at which it makes the fit not much worse than the best.

    By the likelihood ratio. A top is no regular parameter: at the usual 3.84 variances (chi-squared, one degree, .95)
    the interval held it in 87 to 94 % of simulations, and at 5.4 in 93 to 97 %. Between two points nobody looked, so
    that it reaches to the next ones.
    """
    np = _numpy()
    n, levels = len(rewards), len(np.unique(np.round(fitted, 12)))
    variance = min(squares) / max(1, n - levels)
    places = _no_worse(squares, _WORSE * variance)
    return float(distances[max(0, places[0] - 1)]), float(distances[min(n - 1, places[-1] + 1)])


def _errors(rewards: Any, fitted: Any) -> Any:
    """Residuals, made as large as the errors that they are left of: what is fitted follows these with every level."""
    np = _numpy()
    residuals = rewards - fitted
    levels = len(np.unique(np.round(fitted, 12)))
    return (residuals - residuals.mean()) * math.sqrt(len(rewards) / max(1, len(rewards) - levels))


def _rising(rewards: Any) -> Any:
    from scipy.optimize import isotonic_regression

    return isotonic_regression(rewards).x


def _unimodal(rewards: Any, squares: list[float]) -> Any:
    """The best fit that rises and then falls: with its top at the first place at which none is better."""
    np = _numpy()
    top = _no_worse(squares, 0.0)[0]
    return np.concatenate([_rising(rewards[: top + 1]), _rising(rewards[top + 1 :][::-1])[::-1]])


def _no_worse(squares: list[float], by: float) -> list[int]:
    """The places of tops whose fit is worse than the best by no more than this."""
    most = min(squares) + by + 1e-12
    return [place for place, one in enumerate(squares) if one <= most]


def _squares(rewards: list[float]) -> list[float]:
    """The sum of squared residuals of the best fit that rises up to each place and falls from there on."""
    up, down = _squares_rising(rewards), _squares_rising(rewards[:0:-1])[::-1]
    return [rise + fall for rise, fall in zip(up, [*down, 0.0], strict=True)]


def _squares_rising(rewards: list[float]) -> list[float]:
    """That of the best fit that only rises to the first of them, the first two, and so on.

    Neighbours that fall are pooled (Ayer et al. 1955, Ann. Math. Stat. 26:641); those of a beginning stay pooled when
    more come, so that one pass tells all: Stout's prefix isotonic regression.
    """
    pools: list[tuple[float, int]] = []
    found, squares = [], 0.0
    for reward in rewards:
        mean, count = reward, 1
        while pools and pools[-1][0] >= mean:
            other, others = pools.pop()
            squares += (other - mean) ** 2 * others * count / (others + count)
            mean, count = (other * others + mean * count) / (others + count), others + count
        pools.append((mean, count))
        found.append(squares)
    return found


def _gain(squares: list[float]) -> float:
    """By how much a fit that may fall is better than one that only rises, whose top is at the end."""
    return squares[-1] - min(squares)


def gao(distances: Sequence[float], rewards: Sequence[float]) -> Curve | None:
    """Fits Gao et al.'s form by least squares.

    Args:
        distances: square roots of the KL divergence in nats a completion, each 0 or more; not all the same.
        rewards: the gold reward at each.

    Returns:
        ``None`` where there are fewer than ``FEWEST`` points, or they do not determine the curve.

    Raises:
        ValueError: there are more of one than of the other.
        MissingExtra: scipy is not installed.
    """
    _check(distances, rewards)
    if len(distances) < FEWEST:
        return None
    np = _numpy()
    from scipy.special import stdtrit

    d, r = np.asarray(distances, dtype=float), np.asarray(rewards, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        bent = np.where(d > 0, -d * np.log(d), 0.0)
    design = np.column_stack([np.ones(len(d)), d, bent])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    found, *_ = np.linalg.lstsq(design, r, rcond=None)
    freedom = len(d) - design.shape[1]
    squares, whole = float(((r - design @ found) ** 2).sum()), float(((r - r.mean()) ** 2).sum())
    covariance = squares / freedom * np.linalg.inv(design.T @ design)
    start, alpha, beta = (float(each) for each in found)
    ratio = alpha / beta if beta > 0 else None
    quantile = float(stdtrit(freedom, 0.975))
    ends = None if ratio is None else _fieller(alpha, beta, covariance[1:, 1:].tolist(), quantile)
    low, high = (None, None) if ends is None else map(_distance, ends)
    explained = max(0.0, 1 - squares / whole) if whole else 0.0
    return Curve(start, alpha, beta, None if ratio is None else _distance(ratio), low, high, explained)


def _check(distances: Sequence[float], rewards: Sequence[float]) -> None:
    if len(distances) != len(rewards):
        raise ValueError(f"{len(distances)} distances and {len(rewards)} rewards")


def _numpy() -> Any:
    try:
        import numpy as np
        import scipy  # noqa: F401 - numpy may come with something else
    except ImportError as error:
        raise MissingExtra("the fit of over-optimisation", "report") from error
    return np


def _distance(ratio: float) -> float:
    return math.exp(min(ratio - 1, 700.0))


def _fieller(alpha: float, beta: float, covariance: list[list[float]], quantile: float) -> tuple[float, float] | None:
    """The interval of alpha / beta (Fieller 1954, J. R. Stat. Soc. B 16:175); ``None`` where it is not bounded."""
    (aa, ab), (_, bb) = covariance
    g = quantile**2 * bb / beta**2
    if g >= 1:
        return None
    ratio = alpha / beta
    middle = (ratio - g * ab / bb) / (1 - g) if bb else ratio
    inside = aa - 2 * ratio * ab + ratio**2 * bb - g * (aa - ab**2 / bb if bb else 0.0)
    half = quantile / (beta * (1 - g)) * math.sqrt(max(0.0, inside))
    return middle - half, middle + half
