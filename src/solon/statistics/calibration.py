"""Whether stated probabilities are worth what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Bin:
    """Statements of about the same confidence: how many, how confident on average, and which share came true."""

    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The expected calibration error and the bins that it is made of."""

    ece: float
    bins: tuple[Bin, ...]
    n: int


def calibration(statements: Sequence[tuple[float, bool]], *, bins: int = 10) -> Calibration:
    """The expected calibration error: the mean distance of confidence and accuracy over bins, weighted by their size.

    Naeini et al. 2015 (AAAI); Guo et al. 2017 (arXiv:1706.04599, section 2), with bins of equal width.

    Args:
        statements: a probability in [0, 1] that was stated, and whether it came true.
        bins: how many, at least 1; empty ones are left out.

    Raises:
        ValueError: there are no statements, or one is no probability.
    """
    if not statements or any(not 0 <= confidence <= 1 for confidence, _ in statements):
        raise ValueError("a calibration error needs at least one statement, each with a probability in [0, 1]")
    grouped: dict[int, list[tuple[float, bool]]] = {}
    for confidence, true in statements:
        grouped.setdefault(min(int(confidence * bins), bins - 1), []).append((confidence, true))
    made = tuple(
        Bin(
            n=len(group),
            confidence=math.fsum(confidence for confidence, _ in group) / len(group),
            accuracy=sum(true for _, true in group) / len(group),
        )
        for _, group in sorted(grouped.items())
    )
    ece = math.fsum(one.n * abs(one.confidence - one.accuracy) for one in made) / len(statements)
    return Calibration(ece, made, len(statements))
