"""Strengths from comparisons: the model of Bradley and Terry (1952). Pure and deterministic, needs nothing but Python.

P(i beats j) = 1 / (1 + exp(s_j - s_i)), where s are log-strengths. They are fitted by Newton's method on the posterior,
which is concave in them (Hunter 2004, Annals of Statistics 32:384, section 2, where the maximum-likelihood fit and when
it exists are discussed).

Whoever never lost has no finite maximum-likelihood strength. So each option also meets an imaginary opponent of
strength 0, and is given ``prior`` wins and as many losses against it: a type III generalized logistic prior on each
log-strength. Whelan (2017, arXiv:1712.05311) shows that this prior treats all options alike, treats winning as it
treats losing, and is proper. The gamma prior of Caron and Doucet (2012, arXiv:1011.1761) does not treat winning as
losing: under it, a ranking read backwards does not give the strengths backwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

PRIOR = 0.5
"""Imaginary wins, and losses, of each option: one win of one comparison says .82, four of four say .93."""

_CLOSE = 1e-12
_MOST_STEPS = 200


@dataclass(frozen=True)
class Strengths:
    """Fitted log-strengths, one an option; their sum is 0."""

    log: tuple[float, ...]

    def beats(self, one: int, other: int) -> float:
        """P(option ``one`` beats option ``other``), in (0, 1); .5 against itself."""
        return logistic(self.log[one] - self.log[other])

    def shares(self) -> tuple[float, ...]:
        """For each option the share of the others that it is expected to beat, in (0, 1); .5 when it is alone."""
        n = len(self.log)
        if n == 1:
            return (0.5,)
        return tuple(
            math.fsum(self.beats(one, other) for other in range(n) if other != one) / (n - 1) for one in range(n)
        )


def bradley_terry(wins: Sequence[Sequence[float]], *, prior: float = PRIOR) -> Strengths:
    """The most probable strengths.

    Args:
        wins: square; ``wins[i][j]`` says how often i beat j. A tie is half a win for either. The diagonal is 0.
        prior: imaginary wins and losses of each option, see above; 0 is maximum likelihood.

    Raises:
        ValueError: ``wins`` is no such table; or there is no prior and the options fall into two groups of which one
            never beat the other, so that no finite strengths are the likeliest (Ford 1957).
    """
    n = len(wins)
    _check(wins, prior)
    if prior == 0 and not _strongly_connected(wins):
        raise ValueError("without a prior every option must have beaten every other one, directly or through others")
    log = [0.0] * n
    value = _log_posterior(log, wins, prior)
    for _ in range(_MOST_STEPS):
        gradient, information = _derivatives(log, wins, prior)
        step = _solved(information, gradient)
        size = 1.0
        while True:
            # a whole step may go too far from a bad start; the posterior is concave, so a short one never does
            trial = [at + size * change for at, change in zip(log, step, strict=True)]
            reached = _log_posterior(trial, wins, prior)
            if reached >= value or size < _CLOSE:
                break
            size /= 2
        log, value = trial, reached
        if max(map(abs, step)) < _CLOSE * (1 + max(map(abs, log))):
            break
    mean = math.fsum(log) / n
    return Strengths(tuple(at - mean for at in log))


def _check(wins: Sequence[Sequence[float]], prior: float) -> None:
    n = len(wins)
    if n == 0 or any(len(row) != n for row in wins):
        raise ValueError("wins is a square table with a row and a column for each option")
    if not all(math.isfinite(count) and count >= 0 for row in wins for count in row) or not 0 <= prior < math.inf:
        raise ValueError("wins and prior are finite and not below 0")
    if any(wins[option][option] for option in range(n)):
        raise ValueError("no option beats itself")


def _strongly_connected(wins: Sequence[Sequence[float]]) -> bool:
    """Whether every option is reached from the first, and the first from every option, along wins."""
    n = len(wins)
    for forwards in (True, False):
        reached, pending = {0}, [0]
        while pending:
            at = pending.pop()
            for other in range(n):
                if other not in reached and (wins[at][other] if forwards else wins[other][at]) > 0:
                    reached.add(other)
                    pending.append(other)
        if len(reached) < n:
            return False
    return True


def _log_posterior(log: Sequence[float], wins: Sequence[Sequence[float]], prior: float) -> float:
    n = len(log)
    terms = [-wins[i][j] * _softplus(log[j] - log[i]) for i in range(n) for j in range(n) if i != j and wins[i][j] > 0]
    terms += [-prior * (_softplus(at) + _softplus(-at)) for at in log]
    return math.fsum(terms)


def _derivatives(
    log: Sequence[float], wins: Sequence[Sequence[float]], prior: float
) -> tuple[list[float], list[list[float]]]:
    """The gradient, and the negated matrix of second derivatives."""
    n = len(log)
    gradient = [prior * (1 - 2 * logistic(at)) for at in log]
    # strengths are told by their differences: 1/n everywhere fixes their sum at 0 where the prior does not
    information = [[0.0 if prior else 1 / n] * n for _ in range(n)]
    for i in range(n):
        share = logistic(log[i])
        information[i][i] += 2 * prior * share * (1 - share)
        for j in range(i + 1, n):
            met = wins[i][j] + wins[j][i]
            if met > 0:
                share = logistic(log[i] - log[j])
                gradient[i] += wins[i][j] - met * share
                gradient[j] -= wins[i][j] - met * share
                weight = met * share * (1 - share)
                information[i][i] += weight
                information[j][j] += weight
                information[i][j] -= weight
                information[j][i] -= weight
    return gradient, information


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solves a symmetric positive definite system by Cholesky's method."""
    n = len(right)
    lower = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i][j] - math.fsum(lower[i][k] * lower[j][k] for k in range(j))
            lower[i][j] = math.sqrt(rest) if i == j else rest / lower[j][j]
    middle = [0.0] * n
    for i in range(n):
        middle[i] = (right[i] - math.fsum(lower[i][k] * middle[k] for k in range(i))) / lower[i][i]
    solution = [0.0] * n
    for i in reversed(range(n)):
        solution[i] = (middle[i] - math.fsum(lower[k][i] * solution[k] for k in range(i + 1, n))) / lower[i][i]
    return solution


def logistic(value: float) -> float:
    """1 / (1 + exp(-value)), without overflow."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else 1 - 1 / (1 + math.exp(value))


def _softplus(value: float) -> float:
    """log(1 + exp(value)), without overflow."""
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))
