"""How reliable each rater is, estimated from nothing but their agreement.

Source: Dawid & Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied
Statistics 28:20. A unit has one true category that nobody sees; each rater has a confusion matrix: how often it says
what when what is true. Expectation-maximisation finds the matrices under which what the raters said is likeliest;
Bayes' rule then gives the probability of each category for a unit. The fit is crowd-kit's (the ``panel`` extra),
imported when it is used; rounds after its first ten are done here, with the same result.

It takes the raters to err independently of each other, given the truth. Raters that share their errors, such as two
judges of one family, are believed too much.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from solon.errors import MissingExtra

FITTED_ON = 20_000
"""Units that a fit looks at. Accuracies of .9, .75 and .6 are then found within .02."""
_LEAST = 1e-10  # of a probability, as in crowd-kit: what never happened may still happen
_BEGUN = 10
_ROUNDS = 1000
_TOLERANCE = 1e-7  # with crowd-kit's own, 1e-5, the iteration stops .04 away from where it is going

Pattern = tuple[str | None, ...]


@dataclass(frozen=True)
class Reliability:
    """What was estimated.

    Attributes:
        priors: probability of each category before anybody has said anything.
        confusion: for each rater, true category and said category, P(said | true). A rater who said nothing has none.
        units: how many units the estimate rests on.
    """

    priors: Mapping[str, float]
    confusion: tuple[Mapping[tuple[str, str], float], ...]
    units: int

    def accuracy(self, rater: int) -> float:
        """P(the rater says what is true), in [0, 1]: the diagonal of its matrix, weighed by the priors."""
        return math.fsum(prior * self.confusion[rater].get((true, true), 0.0) for true, prior in self.priors.items())

    def posterior(self, ratings: Sequence[str | None]) -> dict[str, float]:
        """Probability of each category for a unit, given what each rater said of it; ``None`` for nothing."""
        logs = {true: math.log(max(prior, _LEAST)) for true, prior in self.priors.items()}
        for rater, said in enumerate(ratings):
            if said is not None:
                for true in logs:
                    logs[true] += math.log(max(self.confusion[rater].get((true, said), 0.0), _LEAST))
        most = max(logs.values())
        likelihoods = {true: math.exp(value - most) for true, value in logs.items()}
        total = math.fsum(likelihoods.values())
        return {true: value / total for true, value in likelihoods.items()}


def reliability(patterns: Mapping[Pattern, int], *, at_most: int = FITTED_ON) -> Reliability | None:
    """Fits the model; ``None`` when nobody said anything.

    Args:
        patterns: what each rater said of a unit (``None`` for nothing, else a category that is not empty), and of how
            many units they said so.
        at_most: more units than these are scaled down to as many, in proportion, without drawing lots.

    Raises:
        MissingExtra: crowd-kit is not installed.
    """
    rated = [(pattern, count) for pattern, count in patterns.items() if count and any(pattern)]
    # sorted, since the order of rows decides the last bits of the sums
    return _estimated(tuple(sorted(rated, key=str)), at_most) if rated else None


@lru_cache(maxsize=4)  # a panel weighs its votes and then reports the weights
def _estimated(patterns: tuple[tuple[Pattern, int], ...], at_most: int) -> Reliability:
    raters = len(patterns[0][0])
    units = _scaled(dict(patterns), at_most)
    priors, errors = _fitted(units)
    confusion = tuple(
        {
            (true, said): float(probability)
            for true, column in errors.items()
            for (who, said), probability in column.items()
            if who == rater
        }
        for rater in range(raters)
    )
    return Reliability({str(true): float(prior) for true, prior in priors.items()}, confusion, sum(units.values()))


def _fitted(patterns: Mapping[Pattern, int]) -> tuple[Any, Any]:
    """Priors (a series by category) and errors (a frame by rater and said category, with a column a true category).

    Crowd-kit spends 12 ms on a round whatever there is to fit, and may take a thousand: it begins, and the rounds that
    are left go by pattern in place of by unit.
    """
    try:
        import pandas as pd
        from crowdkit.aggregation import DawidSkene
    except ImportError as error:
        raise MissingExtra("weights that are estimated from agreement", "panel") from error
    tasks: list[int] = []
    workers: list[int] = []
    labels: list[str] = []
    unit = 0
    for pattern, count in patterns.items():
        said = [(rater, label) for rater, label in enumerate(pattern) if label is not None]
        for _ in range(count):
            tasks += [unit] * len(said)
            workers += [rater for rater, _ in said]
            labels += [label for _, label in said]
            unit += 1
    data = pd.DataFrame({"task": tasks, "worker": workers, "label": labels})
    with warnings.catch_warnings():
        # crowd-kit 1.4 calls pandas in ways that pandas 3.1 announces to end: nothing that a user could change
        warnings.simplefilter("ignore", getattr(pd.errors, "Pandas4Warning", DeprecationWarning))
        begun = DawidSkene(n_iter=_BEGUN, tol=_TOLERANCE).fit(data)
    losses = begun.loss_history_
    if len(losses) < _BEGUN or losses[-1] - losses[-2] < _TOLERANCE:
        return begun.priors_, begun.errors_
    return _gone_on(patterns, begun.priors_, begun.errors_, losses[-1])


def _gone_on(patterns: Mapping[Pattern, int], priors: Any, errors: Any, loss: float) -> tuple[Any, Any]:
    """The rounds that are left, from where crowd-kit was: its steps and its loss, on patterns with their counts."""
    import numpy as np
    import pandas as pd

    rows = list(errors.index)  # (rater, said category), those that came
    said = np.array([[pattern[rater] == label for rater, label in rows] for pattern in patterns], float)
    units = np.array(list(patterns.values()), float)[:, None]
    given = said.sum(axis=1, keepdims=True)
    of_rater = np.array([[rater == other for other, _ in rows] for rater, _ in rows], float)
    categories = priors.index
    prior, error = priors.to_numpy(), errors[categories].to_numpy()
    for _ in range(_ROUNDS - _BEGUN):
        logs = np.log(np.maximum(prior, _LEAST)) + np.einsum("pr,rc->pc", said, np.log(error))
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        prior = (units * shares).sum(axis=0) / units.sum()
        error = np.maximum(np.einsum("pr,pc->rc", said, units * shares), _LEAST)
        error /= np.einsum("rs,sc->rc", of_rater, error)
        # crowd-kit counts the prior once a vote; its rule is kept, so that it stops where crowd-kit would
        joint = np.einsum("pr,rc->pc", said, np.log(error)) + given * np.log(np.maximum(prior, _LEAST))
        kept = np.maximum(shares, _LEAST)
        bound = (units * (shares * joint - kept * np.log(kept))).sum() / (units * given).sum()
        if bound - loss < _TOLERANCE:
            break
        loss = bound
    return pd.Series(prior, index=categories), pd.DataFrame(error, index=errors.index, columns=categories)


def _scaled(patterns: Mapping[Pattern, int], at_most: int) -> dict[Pattern, int]:
    """The counts, scaled so that their sum is ``at_most`` where it is more: each rounded down, the largest rests up."""
    total = sum(patterns.values())
    if total <= at_most:
        return dict(patterns)
    scaled = {pattern: count * at_most // total for pattern, count in patterns.items()}
    by_rest = sorted(patterns, key=lambda pattern: (-(patterns[pattern] * at_most % total), str(pattern)))
    for pattern in by_rest[: at_most - sum(scaled.values())]:
        scaled[pattern] += 1
    return {pattern: count for pattern, count in scaled.items() if count}
