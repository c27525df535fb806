"""The win rate that would be left if both answers were of the same length."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from solon.errors import MissingExtra
from solon.statistics.estimates import Estimate, Z

FEWEST = 20
"""Comparisons below which a regression on length says nothing."""


def length_controlled(points: Sequence[float], longer: Sequence[float]) -> Estimate | None:
    """P(win) at equal length, by a logistic regression of the points on tanh of the standardised difference in length.

    The length term of Dubois et al. 2024 (arXiv:2404.04475, section 3), without their terms for models and
    instructions. Ties count half; the interval is Wald's with a robust covariance (HC1).

    Args:
        points: one a comparison: 1 a win, .5 a tie, 0 a loss.
        longer: by how much the answer that the points are of is longer, in any unit.

    Returns:
        ``None`` where it cannot be told: fewer than ``FEWEST`` comparisons, no difference in length, or points or
        lengths that separate wins from losses completely.

    Raises:
        MissingExtra: statsmodels is not installed.
    """
    if len(points) != len(longer):
        raise ValueError(f"{len(points)} points and {len(longer)} lengths")
    spread = math.sqrt(math.fsum(x * x for x in longer) / max(1, len(longer)))
    if len(points) < FEWEST or spread == 0 or len(set(points)) == 1:
        return None
    try:
        import numpy as np
        import statsmodels.api as sm
    except ImportError as error:
        raise MissingExtra("a length-controlled win rate", "report") from error
    # not centred: at 0 the two answers are equally long
    design = np.column_stack([np.ones(len(points)), np.tanh(np.asarray(longer, dtype=float) / spread)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            fitted = sm.GLM(np.asarray(points, dtype=float), design, family=sm.families.Binomial()).fit(cov_type="HC1")
        except (Warning, np.linalg.LinAlgError, FloatingPointError):  # complete separation, or no convergence
            return None
    at, error_of = float(fitted.params[0]), float(fitted.bse[0])
    if not (math.isfinite(at) and math.isfinite(error_of)) or abs(at) > 30:
        return None
    low, high = _sigmoid(at - Z * error_of), _sigmoid(at + Z * error_of)
    return Estimate(_sigmoid(at), low, high, "logistic regression on length, robust Wald")


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def wald_p(estimate: Estimate) -> float:
    """Two-sided p-value against even odds of an interval that is symmetric in the log-odds: Wald's test.

    Args:
        estimate: as ``length_controlled`` gives it, its ends within (0, 1).
    """
    ends = [_logit(end) for end in (estimate.low, estimate.high)]
    deviation = (ends[1] - ends[0]) / (2 * Z)
    return math.erfc(abs(_logit(estimate.value)) / (deviation * math.sqrt(2))) if deviation else 1.0


def _logit(share: float) -> float:
    return math.log(share / (1 - share))
