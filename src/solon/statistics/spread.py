"""How numbers spread, and how much less there is of them: with 95 % bootstrap intervals, seeded. Needs scipy."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from solon.errors import MissingExtra
from solon.statistics.estimates import RESAMPLES, Estimate, Z

if TYPE_CHECKING:
    import numpy as np

Method = Literal["BCa", "percentile", "normal"]
Statistic = Callable[..., Any]
"""Columns of numbers, then ``axis``: the statistic along it, as numpy's do."""


def bootstrapped(
    columns: Sequence[Sequence[float]],
    statistic: Statistic,
    *,
    method: Method = "BCa",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """A statistic of one column, or of two whose rows belong together, with its bootstrap interval (Efron 1987).

    The interval is the value itself where resampling cannot tell how far others would be.

    Args:
        columns: of the same length, at least one row; rows are drawn whole.
        statistic: takes the columns as arrays, and ``axis``.
        method: ``percentile``, or ``normal`` (the value and 1.96 times the deviation of the resamples), for statistics
            that jump, such as quantiles, on which BCa's correction goes astray.
        seed: of the resampling.
        resamples: how many.

    Raises:
        ValueError: there are no rows.
        MissingExtra: scipy is not installed.
    """
    if not columns or not columns[0]:
        raise ValueError("a statistic of no values")
    try:
        import numpy as np
        from scipy.stats import DegenerateDataWarning, bootstrap
    except ImportError as error:
        raise MissingExtra("the interval of a statistic", "report") from error
    arrays = [np.asarray(column, dtype=float) for column in columns]
    value = float(statistic(*arrays, axis=-1))
    if all(bool((array == array[0]).all()) for array in arrays):
        return Estimate(value, value, value, "all values equal, no interval")
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # said below
        found = bootstrap(
            tuple(arrays),
            statistic,
            paired=len(arrays) > 1,
            vectorized=True,
            n_resamples=resamples,
            batch=max(1, 4_000_000 // len(arrays[0])),  # at most 32 MB at a time
            rng=np.random.default_rng(seed),
            method="percentile" if method == "normal" else method,
        )
    half = Z * float(found.standard_error)
    ends = (value - half, value + half) if method == "normal" else found.confidence_interval
    low, high = map(float, ends)
    said = f"{method} bootstrap, {resamples} resamples"
    if not (math.isfinite(low) and math.isfinite(high)):
        drawn = found.bootstrap_distribution
        defined = drawn[np.isfinite(drawn)]
        if method != "percentile" or len(defined) < 0.5 * len(drawn):
            return Estimate(value, value, value, "resamples tell nothing, no interval")
        # a statistic that some resamples do not have, as kappa where all verdicts are alike: of those that do
        low, high = (float(end) for end in np.quantile(defined, [0.025, 0.975]))
        said += f", {len(drawn) - len(defined)} of them without it"
    return Estimate(value, low, high, said)


def mean(values: np.ndarray, axis: int = -1) -> Any:
    """The arithmetic mean."""
    import numpy as np

    return np.mean(values, axis=axis)


def deviation(values: np.ndarray, axis: int = -1) -> Any:
    """The standard deviation of the population that the values are drawn from; 0 of a single one."""
    import numpy as np

    return np.std(values, ddof=min(1, np.shape(values)[axis] - 1), axis=axis)


def quantile(share: float) -> Statistic:
    """The value below which this share of all lies, in [0, 1]; between two values along the line through them."""

    def of(values: np.ndarray, axis: int = -1) -> Any:
        import numpy as np

        return np.quantile(values, share, axis=axis)

    return of


def quantile_by_rank(values: Sequence[float], share: float) -> Estimate:
    """A quantile with the interval between two ranks of the values that hold it, whatever the distribution.

    How likely the value of a rank lies above the quantile is a matter of the binomial distribution alone; ranks are
    interpolated in a straight line to 2.5 % at each end (Hettmansperger and Sheather 1986, Statistics and Probability
    Letters 4:75, do it for the median, and less simply). Where even the outermost values do not hold it so often, the
    interval is the value itself.

    Args:
        values: at least one.
        share: of all that lie below, in (0, 1).

    Raises:
        ValueError: there are no values.
        MissingExtra: scipy is not installed.
    """
    if not values:
        raise ValueError("a statistic of no values")
    try:
        import numpy as np
        from scipy.special import bdtr
    except ImportError as error:
        raise MissingExtra("the interval of a statistic", "report") from error
    ordered, n = np.sort(np.asarray(values, dtype=float)), len(values)
    value = float(np.quantile(ordered, share))
    below = bdtr(np.arange(n + 1), n, share)  # of k: P(at most k values lie below the quantile)
    ranks = np.interp([0.025, 0.975], below, np.arange(1, n + 2))
    if below[0] > 0.025 or ranks[1] > n:
        return Estimate(value, value, value, "too few values, no interval")
    low, high = (float(end) for end in np.interp(ranks, np.arange(1, n + 1), ordered))
    return Estimate(value, min(low, value), max(high, value), "interval of ranks")


def difference(statistic: Statistic) -> Statistic:
    """Of two columns, how much larger the statistic is of the second."""

    def of(before: np.ndarray, after: np.ndarray, axis: int = -1) -> Any:
        return statistic(after, axis=axis) - statistic(before, axis=axis)

    return of


def reduction(statistic: Statistic) -> Statistic:
    """Of two columns, by which share the statistic is smaller of the second: 1 - after / before; below 0 if larger."""

    def of(before: np.ndarray, after: np.ndarray, axis: int = -1) -> Any:
        return 1 - statistic(after, axis=axis) / statistic(before, axis=axis)

    return of


def sign_flip(differences: Sequence[float], *, seed: int = 0, resamples: int = RESAMPLES) -> float:
    """Two-sided p-value of a mean difference of pairs: how often chance turns of their signs give one as large.

    A randomisation test (Fisher 1935, The Design of Experiments, section 21), exact where all turns can be tried. It
    asks nothing of how differences are spread, only that without an effect a pair's two values could be exchanged.

    Raises:
        MissingExtra: scipy is not installed.
    """
    told = [value for value in differences if value]
    if not told:
        return 1.0
    try:
        import numpy as np
        from scipy.stats import permutation_test
    except ImportError as error:
        raise MissingExtra("the test of a mean", "report") from error
    if len(told) == 1:
        return 1.0
    found = permutation_test(
        (np.asarray(told),),
        np.mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, 4_000_000 // len(told)),
        rng=np.random.default_rng(seed),
    )
    return min(1.0, float(found.pvalue))
