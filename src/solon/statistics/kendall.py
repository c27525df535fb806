"""How far two rankings of the same things agree (Kendall 1938, Biometrika 30:81)."""

from __future__ import annotations

import math
from collections.abc import Sequence


def kendall_tau(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Kendall's tau-b: 1 the same order, -1 the opposite order, 0 as much agreement as disagreement.

    Things that share a place are corrected for (Kendall 1945, Biometrika 33:239); without them it is the share of pairs
    in the same order less that in the opposite one.

    Args:
        one: a number for each thing; only their order counts.
        other: the same in the other ranking.

    Returns:
        A number in [-1, 1]; ``None`` when a ranking puts everything into the same place, or there are fewer than two.
    """
    if len(one) != len(other):
        raise ValueError(f"rankings of {len(one)} and {len(other)} things")
    balance = in_one = in_other = 0
    for i in range(len(one)):
        for j in range(i):
            a, b = _sign(one[i] - one[j]), _sign(other[i] - other[j])
            balance += a * b
            in_one += a * a
            in_other += b * b
    return balance / math.sqrt(in_one * in_other) if in_one and in_other else None


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)
