"""Estimates with 95 % intervals, and paired tests. Pure and seeded: the same numbers in, the same numbers out.

Shares need nothing but Python. Means need scipy (the ``report`` extra), imported when they are used.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from solon.errors import MissingExtra

Z = statistics.NormalDist().inv_cdf(0.975)
RESAMPLES = 9_999


@dataclass(frozen=True)
class Estimate:
    """A number, the ends of its 95 % interval, and how they were computed in a few words."""

    value: float
    low: float
    high: float
    method: str


def wilson(successes: float, n: float) -> Estimate:
    """A share with its score interval (Wilson 1927), which holds near 0 and 1 where the normal one does not.

    Of nothing (``n`` 0) nothing is known: 0 in [0, 1], for a reader who looks at ``n`` first.

    Args:
        successes: how many, in [0, n]; a tie may count as half a success.
        n: of how many.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return Estimate(0.0, 0.0, 1.0, "nothing measured")
    share = successes / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    # at the ends the bound is the share itself, and rounding must not put it on the wrong side
    low = 0.0 if successes == 0 else centre - half
    high = 1.0 if successes == n else centre + half
    return Estimate(share, low, high, "Wilson")


def newcombe(both: int, only_after: int, only_before: int, neither: int) -> Estimate:
    """The difference of two paired shares, after less before, in [-1, 1].

    The interval is built from the two Wilson intervals and the correlation of the pairs (Newcombe 1998, Statistics in
    Medicine 17:2635, method 10): it stays within [-1, 1] and is of use where all pairs agree.

    Args:
        both, only_after, only_before, neither: pairs in which both held, only one did, or none.
    """
    n = both + only_after + only_before + neither
    if n == 0:
        return Estimate(0.0, -1.0, 1.0, "nothing measured")
    after, before = wilson(both + only_after, n), wilson(both + only_before, n)
    held, held_not = (both + only_after) * (both + only_before), (neither + only_before) * (neither + only_after)
    excess: float = both * neither - only_after * only_before
    if excess > 0:
        excess = max(excess - n / 2, 0.0)  # continuity correction
    phi = excess / math.sqrt(held * held_not) if held * held_not else 0.0
    difference = (only_after - only_before) / n
    down, up = (
        _legs(after.value - after.low, before.high - before.value, phi),
        _legs(after.high - after.value, before.value - before.low, phi),
    )
    return Estimate(difference, max(-1.0, difference - down), min(1.0, difference + up), "Newcombe, paired")


def _legs(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * phi * one * other + other * other))


def sign_test(wins: int, losses: int) -> float:
    """Two-sided p-value of wins and losses that would be equally likely: the exact binomial test. 1 without any."""
    n, fewer = wins + losses, min(wins, losses)
    if n == 0:
        return 1.0
    # whole numbers of any size: exact, and a quotient that underflows is 0
    tail, term = 0, 1  # the sum of the binomial coefficients so far, and the next one
    for k in range(fewer + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**n))


def mcnemar(only_after: int, only_before: int) -> float:
    """Two-sided p-value of the exact test of McNemar (1947): a sign test of the pairs that changed."""
    return sign_test(only_after, only_before)


def mean_t(values: Sequence[float]) -> Estimate:
    """A mean with Student's t interval; the interval is the mean itself where there is one value only.

    Raises:
        ValueError: there are no values.
        MissingExtra: scipy is not installed.
    """
    mean = _mean(values)
    if len(values) == 1:
        return Estimate(mean, mean, mean, "one value, no interval")
    try:
        from scipy.special import stdtrit
    except ImportError as error:
        raise MissingExtra("the interval of a mean", "report") from error
    half = float(stdtrit(len(values) - 1, 0.975)) * statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(mean, mean - half, mean + half, "t interval")


def mean_bca(values: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """A mean with its bias-corrected and accelerated bootstrap interval (Efron 1987).

    The interval is the mean itself where all values are equal: resampling cannot tell how far others would be.

    Args:
        values: one a prompt; for a paired comparison, the differences.
        seed: of the resampling.
        resamples: how many.

    Raises:
        ValueError: there are no values.
        MissingExtra: scipy is not installed.
    """
    mean = _mean(values)
    if min(values) == max(values):
        return Estimate(mean, mean, mean, "all values equal, no interval")
    try:
        import numpy as np
        from scipy.stats import bootstrap
    except ImportError as error:
        raise MissingExtra("the interval of a mean", "report") from error
    found = bootstrap(
        (np.asarray(values, dtype=float),),
        np.mean,
        n_resamples=resamples,
        batch=max(1, 4_000_000 // len(values)),  # at most 32 MB at a time
        rng=np.random.default_rng(seed),
        method="BCa",
    ).confidence_interval
    return Estimate(mean, float(found.low), float(found.high), f"BCa bootstrap, {resamples} resamples")


def _mean(values: Sequence[float]) -> float:
    if not values:
        raise ValueError("the mean of no values")
    return math.fsum(values) / len(values)
